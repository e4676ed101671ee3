"""From what the user office says to who may enter, and as whom. Closed by default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from .models import Person, Role, Visit

PLAIN = re.compile(r"[a-z0-9-]")
LONGEST_NAME = 100
_visits = TypeAdapter(tuple[Visit, ...])


class ClaimsFault(Exception):
    """The office's answer gives no entry; the text says why."""


def username(subject: object) -> str:
    """The hub's name of the person whose immutable id at the office is `subject`.

    Lower-case letters, digits and ``-`` stay; everything else becomes ``_`` and two hex digits per byte, so two ids
    never meet in one name, and the name is safe as a folder, a host label and part of an address.
    """
    if not isinstance(subject, str) or not subject or not subject.isprintable():
        raise ClaimsFault(f"the id of a person must be text, got {subject!r}")
    name = "".join(letter if PLAIN.fullmatch(letter) else _escaped(letter) for letter in subject)
    if len(name) > LONGEST_NAME:
        raise ClaimsFault(f"the id of a person may have {LONGEST_NAME} letters, got {len(name)}")
    # no option of a command
    return "_2d" + name[1:] if name.startswith("-") else name


def _escaped(letter: str) -> str:
    return "".join(f"_{byte:02x}" for byte in letter.encode())


def person_from_claims(
    claims: Mapping[str, Any], *, visits_claim: str = "visits", roles_claim: str = "roles"
) -> Person:
    """The person behind the answer of the userinfo endpoint.

    Raises ClaimsFault where an id is missing, a claim is malformed, or neither a visit nor a role is claimed. Roles
    the hub does not know are passed over; who has a visit is a visitor.
    """
    visits = _visits_of(claims.get(visits_claim, []), visits_claim)
    roles = _roles_of(claims.get(roles_claim, []), roles_claim)
    if visits:
        roles |= {Role.VISITOR}
    if not roles:
        raise ClaimsFault("the user office lists neither a visit nor a role for this person")
    name = username(claims.get("sub"))
    shown = claims.get("name")
    display_name = shown.strip()[:100] if isinstance(shown, str) and shown.strip() else name
    return Person(username=name, display_name=display_name, roles=roles, visits=visits)


def _visits_of(value: object, claim: str) -> tuple[Visit, ...]:
    if not isinstance(value, list):
        raise ClaimsFault(f"the claim {claim!r} must be a list, got {type(value).__name__}")
    try:
        visits = _visits.validate_python([{"id": item} if isinstance(item, str) else item for item in value])
    except ValidationError as fault:
        raise ClaimsFault(f"the claim {claim!r} is malformed: {fault.errors()[0]['msg']}") from None
    if len({visit.id for visit in visits}) < len(visits):
        raise ClaimsFault(f"the claim {claim!r} lists a visit twice")
    return visits


def _roles_of(value: object, claim: str) -> frozenset[Role]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ClaimsFault(f"the claim {claim!r} must be a list of words")
    return frozenset(role for role in Role if role.value in value)
