"""A YAML file of people and visits, for a facility without a user office, or for visits that an office does not list.

::

    people:
      vera: {name: Vera Visitor, email: vera@example.org, password: scrypt$…, uid: 2001, gid: 2001}
      sam: {name: Sam Scientist, password: scrypt$…, roles: [scientist], beamlines: [SYRMEP]}
    visits:
      20260042: {title: Porous rock, beamline: SYRMEP, start: 2026-11-16, end: 2026-11-20,
                 pi: [vera], team: [victor], local-contact: [lara], released_at: 2029-11-20}

Who has a beamline is local contact of all its visits. ``stp3-hub password`` makes the hashes. The
file is read anew at each question.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ..models import Visit
from .base import Credential, Identity, NoEntry, OfficeDown, OfficeOptions, UserOffice, first_words

SCRYPT = {"n": 2**15, "r": 8, "p": 1, "maxmem": 64 << 20}
Text = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]


class TablePerson(BaseModel):
    """Somebody in the table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    email: str = ""
    password: str = Field(default="", repr=False, description="made by stp3-hub password; empty: no login here")
    roles: tuple[str, ...] = ()
    beamlines: tuple[str, ...] = ()
    unix_name: str = ""
    uid: int | None = None
    gid: int | None = None


class TableVisit(BaseModel):
    """A visit in the table, with its people."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    title: str = ""
    beamline: str = ""
    start: date | None = None
    end: date | None = None
    released_at: date | None = None
    data_root: str = ""
    pi: tuple[Text, ...] = ()
    team: tuple[Text, ...] = ()
    local_contact: tuple[Text, ...] = Field(default=(), alias="local-contact")

    def role_of(self, person: Identity) -> str:
        """What the person is at this visit; public for everybody else."""
        parts = {"pi": self.pi, "team": self.team, "local-contact": self.local_contact}
        part = next((part for part, people in parts.items() if person.id in people), "public")
        return "local-contact" if part == "public" and self.beamline in person.beamlines else part


class TableContent(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    people: dict[Text, TablePerson] = {}
    visits: dict[Text, TableVisit] = {}


class Table:
    """The file, as it stands now."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def content(self) -> TableContent:
        """What is in it; raises OfficeDown."""
        try:
            return TableContent.model_validate(yaml.safe_load(self.path.read_bytes()) or {})
        except OSError as fault:
            raise OfficeDown(f"the table {self.path} cannot be read ({fault.strerror})") from None
        except yaml.YAMLError as fault:
            raise OfficeDown(f"the table {self.path} is no YAML: {str(fault).splitlines()[-1].strip()}") from None
        except ValidationError as fault:
            raise OfficeDown(f"the table {self.path}: {first_words(fault)}") from None

    def visits_of(self, person: Identity) -> tuple[Visit, ...]:
        """The visits of this person, and those that may be open to everybody; raises OfficeDown."""
        content = self.content()
        try:
            return tuple(_visit(key, row, person) for key, row in content.visits.items())
        except ValidationError as fault:
            raise OfficeDown(f"the table {self.path}: visit {first_words(fault)}") from None


class TableOptions(OfficeOptions):
    """A table."""

    path: Path = Field(description="the YAML file; owned by root and writable by nobody else")


class TableOffice(UserOffice):
    """People of the table, who log in with their password."""

    Options: ClassVar[type[OfficeOptions]] = TableOptions
    login = "form"
    own_words: ClassVar[bool] = True

    def __init__(self, options: TableOptions) -> None:
        self.options = options
        self.table = Table(options.path)

    async def enter(self, name: str, password: str) -> Credential:
        """The name, if the password is right; takes as long for a name that is not there."""
        person = self.table.content().people.get(name)
        if not await asyncio.to_thread(password_is, password, person.password if person else ""):
            raise NoEntry("this name and password do not belong together")
        return Credential(name=name)

    async def identify(self, credential: Credential) -> Identity:
        """The person of this name."""
        person = self.table.content().people.get(credential.name)
        if person is None:
            raise NoEntry("the table does not list this person")
        try:
            return Identity(
                id=credential.name,
                display_name=person.name,
                email=person.email,
                words=frozenset(person.roles),
                beamlines=frozenset(person.beamlines),
                unix_name=person.unix_name,
                uid=person.uid,
                gid=person.gid,
            )
        except ValidationError as fault:
            raise OfficeDown(f"the table {self.table.path}: person {first_words(fault)}") from None

    async def visits(self, credential: Credential, identity: Identity, now: datetime) -> tuple[Visit, ...]:
        """The visits of the table."""
        return self.table.visits_of(identity)

    async def probe(self) -> str:
        """How much the table holds; raises OfficeDown where others may write to it."""
        content = self.table.content()
        self.table.visits_of(Identity(id="nobody"))
        if self.table.path.stat().st_mode & 0o077 and any(person.password for person in content.people.values()):
            raise OfficeDown(f"{self.table.path} holds passwords and is open to others: chmod 600 {self.table.path}")
        return f"{self.table.path} lists {len(content.people)} people and {len(content.visits)} visits"


def hash_password(password: str) -> str:
    """What stands in the table for a password."""
    salt = secrets.token_bytes(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, **SCRYPT)
    return "$".join(("scrypt", base64.b64encode(salt).decode(), base64.b64encode(digest).decode()))


def password_is(password: str, stored: str) -> bool:
    """Whether this is the password behind what stands in the table; False for every other text."""
    kind, _, rest = stored.partition("$")
    salt, _, digest = rest.partition("$")
    try:
        wanted, known = base64.b64decode(digest, validate=True), base64.b64decode(salt, validate=True)
    except ValueError:
        wanted, known = b"", b""
    found = hashlib.scrypt(password.encode(), salt=known, **SCRYPT)
    return kind == "scrypt" and len(known) >= 16 and hmac.compare_digest(found, wanted)


def _visit(key: str, row: TableVisit, person: Identity) -> Visit:
    fields: dict[str, Any] = row.model_dump(exclude={"pi", "team", "local_contact"})
    return Visit(id=key, role=row.role_of(person), **fields)  # type: ignore[arg-type]  # checked by the model
