"""From what the user office says to who may enter, as whom, and to which visits. Closed by default."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from .models import Person, Role, Visit
from .user_office.base import Credential, Identity, NoEntry, OfficeDown, UserOffice

PLAIN = re.compile(r"[a-z0-9-]")
LONGEST_NAME = 100


class AccessRules(BaseModel):
    """When a visit's data are open, and to whom. The end of the beam ends nothing by itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timezone: str = Field(default="UTC", description="the facility's, in which days begin")
    days_before: int | None = Field(
        default=None, ge=0, description="a visit opens to its team so long before its start; none: at once"
    )
    days_after: int | None = Field(
        default=None, ge=0, description="and closes so long after its end, or with its embargo if later; none: never"
    )
    released: Literal["team", "everybody"] = Field(
        default="team", description="who may open a visit after its embargo; everybody: all who have an entry"
    )
    roles: Mapping[Role, tuple[str, ...]] = Field(
        default={}, description="roles by the office's words for them: groups, roles"
    )


def is_open(visit: Visit, today: date, rules: AccessRules) -> bool:
    """Whether the person who was listed with this visit may see it today."""
    if visit.role == "public":
        return rules.released == "everybody" and visit.released_at is not None and visit.released_at <= today
    if rules.days_before is not None and visit.start and today < visit.start - timedelta(days=rules.days_before):
        return False
    if rules.days_after is None or visit.end is None:
        return True
    closes = visit.end + timedelta(days=rules.days_after)
    return today <= max(closes, visit.released_at or closes)


def username(subject: object) -> str:
    """The hub's name of the person whose immutable id at the office is `subject`; raises NoEntry.

    Lower-case letters, digits and ``-`` stay; everything else becomes ``_`` and two hex digits per byte, so two ids
    never meet in one name, and the name is safe as a folder, a host label and part of an address.
    """
    if not isinstance(subject, str) or not subject or not subject.isprintable():
        raise NoEntry(f"the id of a person must be text, got {subject!r}")
    name = "".join(letter if PLAIN.fullmatch(letter) else _escaped(letter) for letter in subject)
    if len(name) > LONGEST_NAME:
        raise NoEntry(f"the id of a person may have {LONGEST_NAME} letters, got {len(name)}")
    # no option of a command
    return "_2d" + name[1:] if name.startswith("-") else name


async def admit(office: UserOffice, credential: Credential, rules: AccessRules, now: datetime) -> Person:
    """The person behind a credential with the visits that are open now; raises OfficeFault where nobody may enter."""
    identity = await office.identify(credential)
    listed = await office.visits(credential, identity, now)
    try:
        return person_of(identity, listed, rules, now, own_words=office.own_words)
    except ValueError as fault:  # an office may say anything
        raise OfficeDown(f"the office's answer cannot be understood: {fault}") from None


def person_of(
    identity: Identity, listed: Iterable[Visit], rules: AccessRules, now: datetime, *, own_words: bool
) -> Person:
    """The person with roles and open visits; raises NoEntry where neither role nor visit of their own is left.

    Visits of others that are open to everybody give nobody an entry.
    """
    today = now.astimezone(ZoneInfo(rules.timezone)).date()
    visits = tuple(visit for visit in listed if is_open(visit, today, rules))
    roles = _roles(identity.words, rules, own_words)
    own = {visit.role for visit in visits} - {"public"}
    roles |= {Role.VISITOR} if own else set()
    roles |= {role for role in (Role.PI, Role.LOCAL_CONTACT) if role.value in own}
    if not roles:
        raise NoEntry(f"the user office lists no role and no open visit for {identity.id!r}")
    name = username(identity.id)
    return Person(
        username=name,
        display_name=identity.display_name.strip()[:100] or name,
        email=identity.email[:200],
        roles=frozenset(roles),
        visits=visits,
        unix_name=identity.unix_name,
        uid=identity.uid,
        gid=identity.gid,
    )


def _roles(words: frozenset[str], rules: AccessRules, own_words: bool) -> set[Role]:
    """The roles behind the office's words. Who leads a visit is told by the visit alone."""
    told = set(Role) - {Role.PI}
    return {role for role in told if words & set(rules.roles.get(role, (role.value,) if own_words else ()))}


def _escaped(letter: str) -> str:
    return "".join(f"_{byte:02x}" for byte in letter.encode())
