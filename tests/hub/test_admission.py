"""The truth table of who gets in: (what the office says, how the hub is configured) -> in or out, groups, role."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime

import pytest
from stp3_hub.admission import AccessRules, admit, is_open, person_of, username
from stp3_hub.models import Role, Visit
from stp3_hub.user_office.base import Credential, Identity, LoginNeeded, NoEntry, OfficeDown, OfficeFault, UserOffice

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DEFAULT = AccessRules()
EVERYBODY = AccessRules(released="everybody")
YEAR = AccessRules(days_before=7, days_after=365)
STAFF = AccessRules(roles={Role.SCIENTIST: ("SYRMEP staff",), Role.ADMIN: ("it",)})

A = Visit(id="A")
PI = Visit(id="P", role="pi")
CONTACT = Visit(id="L", role="local-contact")
ENDED = Visit(id="E", start=date(2026, 1, 1), end=date(2026, 1, 5))
LONG_AGO = Visit(id="O", start=date(2020, 1, 1), end=date(2020, 1, 5))
LONG_EMBARGO = Visit(id="M", start=date(2020, 1, 1), end=date(2020, 1, 5), released_at=date(2027, 1, 1))
LATER = Visit(id="F", start=date(2026, 12, 24), end=date(2026, 12, 27))
SOON = Visit(id="S", start=date(2026, 11, 29), end=date(2026, 12, 1))
RELEASED = Visit(id="R", role="public", end=date(2020, 1, 5), released_at=date(2026, 11, 22))
EMBARGOED = Visit(id="X", role="public", end=date(2020, 1, 5), released_at=date(2026, 11, 23))
NEVER_RELEASED = Visit(id="N", role="public", end=date(2020, 1, 5))

OUT: tuple[str, ...] = ()
# words, visits, rules, the office speaks our words -> groups
TABLE = [
    ((), (), DEFAULT, True, OUT),
    ((), (A,), DEFAULT, True, ("role:visitor", "visit:A")),
    ((), (PI,), DEFAULT, True, ("role:pi", "role:visitor", "visit:P")),
    ((), (CONTACT,), DEFAULT, True, ("role:local-contact", "role:visitor", "visit:L")),
    (("scientist",), (), DEFAULT, True, ("role:scientist",)),
    (("scientist",), (A,), DEFAULT, True, ("role:scientist", "role:visitor", "visit:A")),
    (("admin",), (), DEFAULT, True, ("role:admin",)),
    (("visitor",), (), DEFAULT, True, ("role:visitor",)),
    (("pi",), (), DEFAULT, True, OUT),
    (("janitor",), (), DEFAULT, True, OUT),
    (("Admin", "ADMIN", " admin"), (), DEFAULT, True, OUT),
    (("role:admin",), (A,), DEFAULT, True, ("role:visitor", "visit:A")),
    # an office with words of its own gives no role by chance
    (("admin", "scientist"), (), DEFAULT, False, OUT),
    (("admin",), (A,), DEFAULT, False, ("role:visitor", "visit:A")),
    (("it",), (), STAFF, False, ("role:admin",)),
    (("SYRMEP staff", "x"), (), STAFF, False, ("role:scientist",)),
    (("scientist", "admin"), (), STAFF, True, OUT),
    # the beam has ended, access has not
    ((), (ENDED, LONG_AGO), DEFAULT, True, ("role:visitor", "visit:E", "visit:O")),
    ((), (ENDED,), YEAR, True, ("role:visitor", "visit:E")),
    ((), (LONG_AGO,), YEAR, True, OUT),
    ((), (LONG_EMBARGO,), YEAR, True, ("role:visitor", "visit:M")),
    (("scientist",), (LONG_AGO,), YEAR, True, ("role:scientist",)),
    # before it begins
    ((), (LATER,), DEFAULT, True, ("role:visitor", "visit:F")),
    ((), (LATER,), YEAR, True, OUT),
    ((), (SOON,), YEAR, True, ("role:visitor", "visit:S")),
    # the end of the embargo opens a visit to others where the facility says so, and gives nobody an entry
    ((), (RELEASED,), DEFAULT, True, OUT),
    ((), (RELEASED,), EVERYBODY, True, OUT),
    ((), (A, RELEASED), DEFAULT, True, ("role:visitor", "visit:A")),
    ((), (A, RELEASED, EMBARGOED, NEVER_RELEASED), EVERYBODY, True, ("role:visitor", "visit:A", "visit:R")),
    (("scientist",), (RELEASED,), EVERYBODY, True, ("role:scientist", "visit:R")),
    (("scientist",), (EMBARGOED,), EVERYBODY, True, ("role:scientist",)),
]


@pytest.mark.parametrize(("words", "visits", "rules", "own_words", "groups"), TABLE)
def test_who_gets_in(
    words: tuple[str, ...], visits: tuple[Visit, ...], rules: AccessRules, own_words: bool, groups: tuple[str, ...]
) -> None:
    identity = Identity(id="vera", words=frozenset(words))
    if groups == OUT:
        with pytest.raises(NoEntry):
            person_of(identity, visits, rules, NOW, own_words=own_words)
    else:
        assert person_of(identity, visits, rules, NOW, own_words=own_words).groups == groups


def test_days_are_the_facilitys() -> None:
    evening = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    rome = AccessRules(released="everybody", timezone="Europe/Rome")
    identity = Identity(id="vera", words=frozenset({"admin"}))
    assert person_of(identity, (EMBARGOED,), rules=rome, now=evening, own_words=True).visits == (EMBARGOED,)
    assert person_of(identity, (EMBARGOED,), EVERYBODY, evening, own_words=True).visits == ()


def test_the_last_day_counts() -> None:
    visit = Visit(id="A", end=date(2026, 11, 12))
    rules = AccessRules(days_after=10)
    assert is_open(visit, date(2026, 11, 22), rules)
    assert not is_open(visit, date(2026, 11, 23), rules)


class Saying(UserOffice):
    """An office that says one thing."""

    login = "form"

    def __init__(self, said: Identity | OfficeFault, visits: tuple[Visit, ...] | OfficeFault = (A,)) -> None:
        self.said, self.listed = said, visits

    async def identify(self, credential: Credential) -> Identity:
        if isinstance(self.said, OfficeFault):
            raise self.said
        return self.said

    async def visits(self, credential: Credential, identity: Identity, now: datetime) -> tuple[Visit, ...]:
        if isinstance(self.listed, OfficeFault):
            raise self.listed
        return self.listed

    async def probe(self) -> str:
        return "here"


@pytest.mark.parametrize("fault", [NoEntry("no"), LoginNeeded("expired"), OfficeDown("slow")])
def test_a_fault_of_either_question_lets_nobody_in(fault: OfficeFault) -> None:
    identity = Identity(id="vera", words=frozenset({"admin"}))
    for office in (Saying(fault), Saying(identity, fault)):
        with pytest.raises(type(fault)):
            asyncio.run(admit(office, Credential(), DEFAULT, NOW))


def test_what_the_person_is_told_of() -> None:
    identity = Identity(id="Vera", display_name="  ", email="e" * 300, uid=2001, gid=2002, unix_name="v.v")
    person = person_of(identity, (A,), DEFAULT, NOW, own_words=True)
    assert (person.username, person.display_name, len(person.email)) == ("_56era", "_56era", 200)
    assert (person.uid, person.gid, person.unix_name) == (2001, 2002, "v.v")


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("vera", "vera"),
        ("0f8e-17", "0f8e-17"),
        ("Vera", "_56era"),
        ("_56era", "_5f56era"),
        ("auth0|17", "auth0_7c17"),
        ("name.surname", "name_2esurname"),
        ("..", "_2e_2e"),
        ("../x", "_2e_2e_2fx"),
        ("-rf", "_2drf"),
        ("ž", "_c5_be"),
    ],
)
def test_names_are_safe_and_never_meet(subject: str, name: str) -> None:
    assert username(subject) == name


@pytest.mark.parametrize("subject", ["", None, 1001, "a\nb", "v" * 101, "Ž" * 40])
def test_what_is_no_name(subject: object) -> None:
    with pytest.raises(NoEntry):
        username(subject)
