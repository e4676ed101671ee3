"""The visits that the office has told of, written down for the job service: ``var/visits/<id>.json``.

Who of them started a server is written too. A job counts to a visit only if its owner was there: the path of its scan
is the owner's own word, this file is the hub's.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from .models import Visit, VisitId
from .settings import Settings


class KnownVisit(BaseModel):
    """A visit and the people who were there."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: VisitId
    title: str = ""
    beamline: str = ""
    people: frozenset[str] = frozenset()


def record_visits(settings: Settings, username: str, visits: Iterable[Visit]) -> None:
    """Write down that this person was at these visits; nothing is written where nothing is new."""
    folder = settings.visits_folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for visit in visits:
        path = folder / f"{visit.id}.json"
        before = _read(path)
        people = (before.people if before else frozenset()) | {username}
        known = KnownVisit(id=visit.id, title=visit.title, beamline=visit.beamline, people=people)
        if known != before:
            _write(path, {**known.model_dump(exclude={"people"}), "people": sorted(people)})


def known_visits(settings: Settings) -> dict[str, KnownVisit]:
    """All visits that were written down, by id."""
    found = [_read(path) for path in settings.visits_folder.glob("*.json")]
    return {visit.id: visit for visit in found if visit}


def visit_pattern(settings: Settings) -> re.Pattern[str]:
    """Matches the path of a scan in a visit's folder; its group is the visit's id."""
    before, *after = settings.data_root.format(var=settings.var, visit="\0").split("\0")
    again = "(?P=visit)".join(re.escape(part) for part in after)
    inside = r"/(?!(?:.*/)?\.\.(?:/|$))"
    return re.compile(f"{re.escape(before)}(?P<visit>[A-Za-z0-9][A-Za-z0-9_-]{{0,63}}){again}{inside}", re.S)


def _read(path: Path) -> KnownVisit | None:
    try:
        visit = KnownVisit.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    return visit if visit.id == path.stem else None


def _write(path: Path, content: dict[str, object]) -> None:
    """There complete or not at all."""
    part = path.with_suffix(".part")
    with open(part, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(json.dumps(content))
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
