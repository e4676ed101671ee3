"""What a person sees on the home page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .authenticator import person_in
from .jobs.records import read_jobs
from .models import JobRecord, Person, Role, Visit
from .profiles import LAB, roles_of
from .settings import Settings
from .spawner import visit_records

SHOWN_JOBS = 8


@dataclass(frozen=True)
class VisitCard:
    """A visit with the folder of its scans."""

    visit: Visit
    folder: str
    scans: int | None

    @property
    def dates(self) -> str:
        """The days of the visit in words; empty where the office gives none."""
        start, end = self.visit.start, self.visit.end
        if start and end:
            same = "%Y" if start.year == end.year else ""
            same += "%m" if same and start.month == end.month else ""
            short = {"": "%-d %B %Y", "%Y": "%-d %B", "%Y%m": "%-d"}[same]
            return f"{start.strftime(short)} – {end:%-d %B %Y}"
        return f"from {start:%-d %B %Y}" if start else f"until {end:%-d %B %Y}" if end else ""


@dataclass(frozen=True)
class Home:
    """The home page of one person."""

    display_name: str
    scientist: bool
    admin: bool
    visits: tuple[VisitCard, ...]
    jobs: tuple[JobRecord, ...]


class HomePage:
    """Makes home pages."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def of(self, user: Any) -> Home:
        """The home page of a hub user, from what the office said last."""
        groups = frozenset(group.name for group in user.groups)
        person = self._person(await user.get_auth_state(), user.name)
        roles = roles_of(groups)
        known = {visit.id: visit for visit in person.visits}
        records = visit_records(self.settings, person.visits, groups)
        cards = [
            VisitCard(
                known.get(record["id"]) or Visit(id=record["id"], title=record["title"]),
                record["data_root"],
                _number_of_scans(record["data_root"]),
            )
            for record in records
        ]
        jobs = [job for job in read_jobs(self.settings.var / "jobs", owner=user.name) if job.live]
        return Home(
            display_name=person.display_name,
            scientist=bool(roles & LAB.roles),
            admin=Role.ADMIN in roles,
            visits=tuple(cards),
            jobs=tuple(jobs[:SHOWN_JOBS]),
        )

    def has_lab(self, user: Any) -> bool:
        """Whether a hub user may have JupyterLab."""
        return bool(LAB.roles & roles_of(group.name for group in user.groups))

    def _person(self, auth_state: dict[str, Any] | None, name: str) -> Person:
        nobody = Person(username=name, display_name=name, roles=frozenset(), visits=())
        return person_in(auth_state) or nobody


def _number_of_scans(folder: str) -> int | None:
    """How many scan files lie directly in `folder`; None where it cannot be read."""
    try:
        return sum(1 for path in Path(folder).iterdir() if path.suffix in {".h5", ".nxs", ".hdf5", ".hdf"})
    except OSError:
        return None
