"""What STP3 says when something is wrong: one sentence with the value, the limit and the way out."""


class Stp3Error(Exception):
    """The work failed; the text is written for the user."""


class UsageFault(Stp3Error):
    """The call itself is off (a wrong name, value or path): nothing was started."""


class ScanFault(Stp3Error):
    """A scan cannot be read, or not as it claims to be."""


class RecipeFault(UsageFault):
    """A recipe has faults; the text lists all of them."""
