"""The protocol between the hub and a user office: who is this, and which visits are theirs?

An office answers, or it raises one of three faults: `NoEntry` (it has answered, and it is no), `LoginNeeded` (what the
person showed is worth nothing any more), `OfficeDown` (it did not answer, or nothing that can be understood). None of
them lets anybody in.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import entry_points
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from ..models import Visit

GROUP = "stp3_hub.user_offices"
VISIT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_UNIX_NUMBER = Annotated[int, Field(ge=0, lt=2**32 - 1, strict=True)]
_visits = TypeAdapter(tuple[Visit, ...])


class OfficeFault(Exception):
    """The office lets nobody in just now; the text, for the log, says why."""


class NoEntry(OfficeFault):
    """The office has answered: this person has no entry."""


class LoginNeeded(NoEntry):
    """The office does not know what the person showed (any more); `address` is its own login page, if it has one."""

    def __init__(self, words: str, address: str = "") -> None:
        super().__init__(words)
        self.address = address


class OfficeDown(OfficeFault):
    """The office did not answer, or not in a way that can be understood."""


class OfficeOptions(BaseModel):
    """What an operator says about an office; each kind has more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    name: str = Field(default="the user office", description="as people call it")
    seconds: float = Field(default=10.0, gt=0, le=60, description="how long one call may take")
    timezone: str = Field(default="UTC", description="of times that carry none")


class Identity(BaseModel):
    """Who somebody is, as the office says."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: Annotated[str, StringConstraints(min_length=1, max_length=100)] = Field(description="never changes")
    display_name: str = ""
    email: str = ""
    words: frozenset[str] = Field(default=frozenset(), description="roles or groups in the office's own words")
    beamlines: frozenset[str] = Field(default=frozenset(), description="where the person is local contact")
    unix_name: str = ""
    uid: _UNIX_NUMBER | None = None
    gid: _UNIX_NUMBER | None = None


@dataclass(frozen=True)
class Credential:
    """What a person shows: an access token, a session cookie, or a name that the office has checked."""

    secret: str = field(default="", repr=False)
    name: str = ""


STRANGER = Credential(secret="nobody")  # noqa: S106  # whom every office must refuse


class UserOffice(ABC):
    """One office. `login` says how people show who they are: sent there and back, by its cookie, or on our own form."""

    Options: ClassVar[type[OfficeOptions]] = OfficeOptions
    login: Literal["redirect", "cookie", "form"]
    # whether the words of an identity are STP3's own names of roles, or need the operator's translation
    own_words: ClassVar[bool] = False

    async def enter(self, name: str, password: str) -> Credential:
        """What a person who typed this is given, for offices of the login "form"; raises NoEntry."""
        raise NoEntry(f"{type(self).__name__} takes no passwords")

    @abstractmethod
    async def identify(self, credential: Credential) -> Identity:
        """Who shows this credential; raises OfficeFault."""

    @abstractmethod
    async def visits(self, credential: Credential, identity: Identity, now: datetime) -> tuple[Visit, ...]:
        """The visits that the office lists for this person, of any time; raises OfficeFault."""

    @abstractmethod
    async def probe(self) -> str:
        """What answers there, in words, asked without any person; raises OfficeFault."""


def make_office(options: Mapping[str, Any]) -> UserOffice:
    """The office of these options; raises ValueError that names what is wrong with them."""
    kinds = {found.name: found for found in entry_points(group=GROUP)}
    kind = options.get("kind")
    if kind not in kinds:
        raise ValueError(f"office.kind must be one of {', '.join(sorted(kinds))}, got {kind!r}")
    office: type[UserOffice] = kinds[kind].load()
    return office(office.Options.model_validate(dict(options)))  # type: ignore[call-arg]  # each takes its own


def understood_visits(value: object, where: str) -> tuple[Visit, ...]:
    """Visits out of an answer: a list of ids or of tables; raises OfficeDown where it is anything else."""
    if not isinstance(value, list):
        raise OfficeDown(f"{where} must be a list of visits, got {type(value).__name__}")
    try:
        visits = _visits.validate_python([{"id": item} if isinstance(item, str) else item for item in value])
    except ValidationError as fault:
        raise OfficeDown(f"{where} cannot be understood: {first_words(fault)}") from None
    if len({visit.id for visit in visits}) < len(visits):
        raise OfficeDown(f"{where} lists a visit twice")
    return visits


def visit_id(text: object) -> str:
    """The id of a visit that an office calls `text`: as it is, or with ``_`` and two hex digits for what may not stand
    in the name of a folder. Two never meet in one; raises OfficeDown for what is no name at all."""
    if not isinstance(text, str) or not text[:1].isalnum() or not text[:1].isascii():
        raise OfficeDown(f"the id of a visit must begin with a letter or digit, got {text!r}")
    escaped = re.sub(r"_(?=[0-9a-f]{2})|[^A-Za-z0-9_-]", lambda found: _hex(found[0]), text)
    if not VISIT_ID.fullmatch(escaped):
        raise OfficeDown(f"the id of a visit may have 64 letters, got {text!r}")
    return escaped


def first_words(fault: ValidationError) -> str:
    """Where and why a value was refused, in one line without the value."""
    first = fault.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def _hex(text: str) -> str:
    return "".join(f"_{byte:02x}" for byte in text.encode())
