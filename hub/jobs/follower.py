"""Keeps the job database as the run directories are.

Looking is cheap: each round looks at the living jobs, at what is new in a person's folder, and at a part of all others,
so that each is looked at once in `sweep_seconds`. A file is read only when it was written anew.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.exc import DataError, SQLAlchemyError

from ..models import JOB_ID
from ..settings import Settings
from ..visits import known_visits
from .records import read_state
from .run_directory import signature
from .store import Found, Store
from .tables import JobRow

ROUND_SECONDS = 1.0
AT_ONCE = 500  # jobs in one transaction
SETTLED_NS = 2 * 10**9  # a folder that changed later than this is listed again: its clock has steps
JOB = re.compile(JOB_ID)
PERSON = re.compile(r"[A-Za-z0-9_-]{1,128}")
log = logging.getLogger("stp3.jobs")
READ_AGAIN = "?"
Key = tuple[str, str]  # owner, id


class Follower:
    """Looks after the run directories below ``var/jobs``."""

    def __init__(self, settings: Settings, engine: Engine, tell: Callable[[], None] = lambda: None) -> None:
        self.settings = settings
        self.store = Store(settings, engine)
        self.last_round = 0.0
        self._tell = tell
        self._jobs: dict[Key, str] = {}  # the signature of the state that was read last; empty: there is none
        self._live: set[Key] = set()
        self._folders: dict[str, tuple[int, set[str]]] = {}
        self._visits = ""
        self._sweep: list[Key] = []
        self._stop = threading.Event()
        self._known = False

    def run(self) -> None:
        """Rounds until `stop`; a database that is away is waited for."""
        while not self._stop.wait(ROUND_SECONDS):
            try:
                if self.round():
                    self._tell()
            except (SQLAlchemyError, OSError):
                log.exception("the job database could not be brought up to date; trying again")
                self._known = False

    def stop(self) -> None:
        """Ask `run` to end."""
        self._stop.set()

    def round(self, *, everything: bool = False) -> int:
        """Bring the database up to date; how many jobs changed. `everything`: look at each job."""
        if not self._known:
            self._remember()
        self._read_visits()
        wanted = self._new_and_gone()
        wanted |= self._live
        wanted |= set(self._jobs if everything else self._next_of_sweep())
        changed = sum(self._bring(part) for part in _parts(self._not_as_known(wanted), AT_ONCE))
        self.last_round = time.time()
        return changed

    def rebuild(self) -> int:
        """Read every run directory anew; how many jobs there are."""
        self.store.clear()
        self._known = False
        return self.round(everything=True)

    def _remember(self) -> None:
        """What the database holds, so that a start reads no file that was read before."""
        with self.store.engine.connect() as connection:
            rows = connection.execute(
                select(JobRow.owner, JobRow.id, JobRow.signature, JobRow.state).where(JobRow.removed == 0)
            )
            found = {(row.owner, row.id): (row.signature, row.state) for row in rows}
        self._jobs = {key: signature for key, (signature, _) in found.items()}
        self._live = {key for key, (_, state) in found.items() if state in {"waiting", "running"}}
        self._folders = {owner: (0, set()) for owner, _ in self._jobs}
        for owner, job in self._jobs:
            self._folders[owner][1].add(job)
        self._sweep, self._known = [], True

    def _read_visits(self) -> None:
        """Who was at which visit; jobs that count to another visit now are read again."""
        folder = self.settings.visits_folder
        now = signature(str(folder)) + ("" if _settled(folder) else f" {time.time()}")
        if now == self._visits:
            return
        for key in self.store.learn(known_visits(self.settings)):
            self._jobs[key] = READ_AGAIN
            self._live.add(key)
        self._visits = now

    def _new_and_gone(self) -> set[Key]:
        """Jobs that came or went since the last look."""
        root = self.settings.var / "jobs"
        people = {path.name for path in root.iterdir() if PERSON.fullmatch(path.name)} if root.is_dir() else set()
        return {(person, job) for person in people | set(self._folders) for job in self._changes(root / person)}

    def _changes(self, folder: Path) -> set[str]:
        changed_before, before = self._folders.get(folder.name, (0, set()))
        try:
            changed = folder.lstat().st_mtime_ns
            if changed == changed_before:
                return set()
            names = {path.name for path in folder.iterdir() if JOB.fullmatch(path.name)}
        except OSError:  # the folder is gone, or no folder
            changed, names = 0, set()
        self._folders[folder.name] = (changed if _settled(folder) else 0, names)
        return names ^ before

    def _next_of_sweep(self) -> list[Key]:
        if not self._sweep:
            self._sweep = list(self._jobs)
        share = max(100, int(len(self._jobs) * ROUND_SECONDS / self.settings.sweep_seconds) + 1)
        part, self._sweep = self._sweep[:share], self._sweep[share:]
        return part

    def _not_as_known(self, keys: Iterable[Key]) -> list[tuple[Key, str]]:
        """Those of the jobs that live, or whose state was written anew, with its signature now; in order."""
        root = str(self.settings.var / "jobs")
        found = ((key, signature(f"{root}/{key[0]}/{key[1]}/state.json")) for key in keys)
        return sorted((key, now) for key, now in found if key in self._live or now != self._jobs.get(key))

    def _bring(self, changed: list[tuple[Key, str]]) -> int:
        found: list[Found] = []
        gone: list[Key] = []
        for key, now in changed:
            folder = self.settings.jobs_folder(key[0]) / key[1]
            record = read_state(folder / "state.json") if now else None
            if record is not None and record.id == key[1]:
                found.append(Found(key, folder, record, now))
            elif not now and self._jobs.get(key):
                gone.append(key)
            self._note(key, now, live=bool(record and record.id == key[1] and record.live))
        return self._write(found, gone) if found or gone else 0

    def _note(self, key: Key, now: str, *, live: bool) -> None:
        """A folder without a state may get one again; without the folder there is nothing to look at."""
        if now or key[1] in self._folders.get(key[0], (0, set()))[1]:
            self._jobs[key] = now
        else:
            self._jobs.pop(key, None)
        (self._live.add if live else self._live.discard)(key)

    def _write(self, found: list[Found], gone: list[Key]) -> int:
        try:
            return self.store.write(found, gone)
        except DataError:
            if len(found) <= 1:
                log.exception("left out: %s", [item.key for item in found])
                return 0
            return sum(self._write([item], []) for item in found) + self._write([], gone)


def _settled(folder: Path) -> bool:
    """Whether a folder's time would tell of one more change: a clock has steps."""
    try:
        return folder.lstat().st_mtime_ns < time.time_ns() - SETTLED_NS
    except OSError:
        return True


def _parts(keys: list[tuple[Key, str]], size: int) -> list[list[tuple[Key, str]]]:
    return [keys[start : start + size] for start in range(0, len(keys), size)]
