"""The practice people, in a file that is read anew at each request, so that tests can change claims while all runs."""

from __future__ import annotations

import hmac
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

from ..models import Visit


class PracticePerson(BaseModel):
    """Somebody with a password and claims."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sub: str
    name: str
    password: str
    roles: tuple[str, ...] = ()
    visits: tuple[Visit, ...] = ()
    about: str = ""

    def get_user_id(self) -> str:
        """The immutable id (what authlib asks for)."""
        return self.sub

    def claims(self) -> dict[str, Any]:
        """What the userinfo endpoint says."""
        return {
            "sub": self.sub,
            "name": self.name,
            "email": f"{self.sub}@example.org",
            "roles": list(self.roles),
            "visits": [visit.model_dump(mode="json") for visit in self.visits],
        }


_people = TypeAdapter(tuple[PracticePerson, ...])


class People:
    """The people in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def all(self) -> tuple[PracticePerson, ...]:
        """Everybody, as the file stands now."""
        return _people.validate_json(self.path.read_bytes())

    def find(self, sub: object) -> PracticePerson | None:
        """The person with this id, or None."""
        return next((person for person in self.all() if person.sub == sub), None)

    def login(self, sub: str, password: str) -> PracticePerson | None:
        """The person if the password is right, or None."""
        person = self.find(sub)
        right = hmac.compare_digest(password.encode(), (person.password if person else "").encode())
        return person if person and right else None

    def write(self, people: tuple[PracticePerson, ...]) -> None:
        """Replace everybody, at once and for this account's eyes only."""
        temporary = self.path.with_suffix(".part")
        temporary.touch(0o600)
        temporary.write_text(json.dumps([person.model_dump(mode="json") for person in people], indent=1))
        temporary.replace(self.path)


VISIT_A = {"id": "A", "title": "Porous rock under load", "beamline": "Practice beamline"}
VISIT_B = {"id": "B", "title": "Fossil teeth, dose series", "beamline": "Practice beamline"}
DATES_A = {"start": "2026-11-16", "end": "2026-11-20"}
DATES_B = {"start": "2026-11-23", "end": "2026-11-26"}
EVERYBODY: tuple[dict[str, Any], ...] = (
    {"sub": "vera", "name": "Vera Visitor", "about": "visitor, visit A", "visits": [VISIT_A | DATES_A]},
    {"sub": "victor", "name": "Victor Visitor", "about": "visitor, visit B", "visits": [VISIT_B | DATES_B]},
    {
        "sub": "sam",
        "name": "Sam Scientist",
        "about": "facility scientist, both visits",
        "roles": ["scientist"],
        "visits": [VISIT_A | DATES_A, VISIT_B | DATES_B],
    },
    {"sub": "ada", "name": "Ada Admin", "about": "administrator", "roles": ["admin"]},
)


def practice_people() -> tuple[PracticePerson, ...]:
    """Two visitors with a visit each, a scientist and an administrator; passwords are the names with ``-practice``."""
    return _people.validate_python([{**person, "password": f"{person['sub']}-practice"} for person in EVERYBODY])
