"""What names of files and folders say: flats, darks or projections, of before or after the scan, and their numbers."""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["projections", "flats", "flats after", "darks"]

_FLATS = (
    "flat|flats|flatfield|flatfields|ff|ref|refs|reference|references|white|whites|whitefield|bright|brightfield"
    "|openbeam|ob|beam"
)
_DARKS = "dark|darks|darkfield|darkfields|darkend|darkcurrent|df"
_PROJECTIONS = "proj|projs|projection|projections|tomo|tomos|radio|radios|radiograph|radiographs"
_MOMENT = "post|after|pre|before"
_KIND = re.compile(
    rf"(?P<early>{_MOMENT})?(?:(?P<flats>{_FLATS})|(?P<darks>{_DARKS})|(?P<projections>{_PROJECTIONS}))(?P<late>{_MOMENT})?"
)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_AFTER = {"post", "after"}


def kind_of(name: str, folder: str = "") -> Kind | None:
    """What a file or folder of that name holds, as a word of it (`flat_0001`, `postFlats`) or of its folder says."""
    words = [word.lower() for text in (name, folder) for word in _WORD.findall(text)]
    found = [match for word in words if (match := _KIND.fullmatch(word))]
    for match in found:
        if match["darks"]:
            return "darks"
        if match["flats"]:
            after = _AFTER & {*words, match["early"], match["late"]}
            return "flats after" if after else "flats"
    return "projections" if found else None


def series_of(stem: str) -> tuple[str, int | None]:
    """The name without its last number, and that number: `tooth_0012` -> (`tooth_#`, 12); None where there is none."""
    runs = list(re.finditer(r"\d+", stem))
    if not runs:
        return stem, None
    last = runs[-1]
    return f"{stem[: last.start()]}#{stem[last.end() :]}", int(last.group())
