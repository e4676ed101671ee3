"""Starts jobs and reads how they stand. The work is done by a detached driver; this process may end at any time."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stp3 import config
from stp3.cluster import slurm
from stp3.cluster.job_keys import id_for
from stp3.cluster.launch import START_SECONDS, start_driver
from stp3.cluster.profiles import AnyProfile, find_profile, for_visit
from stp3.cluster.queue_words import why_waiting
from stp3.cluster.run_folder import ID_PATTERN, JobState, Launch, RunFolder, Spec
from stp3.durable import remove_unfinished, sync_folder, write_json
from stp3.errors import Stp3Error, UsageFault
from stp3.plan import check_rows
from stp3.preflight import preflight
from stp3.provenance import now, user_name
from stp3.recipe import Recipe
from stp3.scan import Scan, open_scan
from stp3.volume import check_free, is_owner
from stp3.writers import find_writer

_QUEUE_SECONDS = 3.0
_SHOWS_SECONDS = 3.0  # until a job that SLURM took shows in its queue
_SILENCE_SECONDS = 120.0  # a driver on another host that is this late with its state is taken for lost


class Job:
    """One reconstruction and its run directory."""

    def __init__(self, folder: Path) -> None:
        self._run = RunFolder(folder)

    @property
    def id(self) -> str:
        return self._run.id

    @property
    def folder(self) -> Path:
        return self._run.folder

    @property
    def is_on_slurm(self) -> bool:
        """True when its driver was given to SLURM."""
        return self._run.launch() is not None

    @property
    def output(self) -> Path:
        """Where the volume goes."""
        return Path(self._run.spec().output)

    @property
    def accepted(self) -> tuple[str, ...]:
        """What the pre-flight said against the scan, which was accepted by starting the job."""
        return tuple(finding["text"] for finding in self._run.spec().accepted)

    def state(self) -> JobState:
        """How the job stands; a job whose driver is gone shows as interrupted. Raises Stp3Error."""
        state = self._run.state()
        if (launch := self._run.launch()) and state.state not in ("done", "failed", "cancelled"):
            return self._state_on_slurm(state, launch)
        if state.is_over or self._is_driven(state):
            return state
        state = self._run.state()  # it may have ended between the two looks
        return state if state.is_over else state.model_copy(update=_INTERRUPTED)

    def cancel(self) -> None:
        """Stops the job; finished slices stay. Raises UsageFault when it is over already."""
        state = self.state()
        if state.state in ("done", "failed", "cancelled"):
            raise UsageFault(f"job {self.id} is {state.state}; there is nothing to cancel.")
        self._run.cancel_file.touch(mode=0o600)
        entry = self._entry()
        if entry and not entry.is_pending:
            slurm.signal_driver(entry.id, "USR2")  # the file may reach another machine late
        elif entry:
            slurm.cancel([entry.id])
        if state.state == "interrupted" or (entry and entry.is_pending):
            self._cancel_undriven(state)

    def resume(self) -> None:
        """Goes on with a job that failed, was cancelled or interrupted; finished slabs are kept. Raises Stp3Error."""
        state = self.state()
        if not state.is_over or state.state == "done":
            raise UsageFault(f"job {self.id} is {state.state}; only a stopped job can be resumed.")
        self._run.cancel_file.unlink(missing_ok=True)
        start_driver(self._run)

    def recipe(self) -> Recipe:
        """What was asked for."""
        return Recipe.from_dict(self._run.spec().recipe)

    def clone(self, recipe: Recipe, *, output: Path | None = None, user: str = "") -> Job:
        """A new job like this one with another recipe. Raises UsageFault, ScanFault or Stp3Error."""
        spec = self._run.spec()
        return submit(
            spec.scan, recipe, output=output, rows=range(*spec.rows) if spec.rows else None, profile=spec.profile,
            format=spec.format, jobs_folder=self.folder.parent, user=user or spec.user, opening=spec.opening,
        )  # fmt: skip

    def log(self) -> str:
        """What the driver wrote, with the time of each line."""
        try:
            return self._run.log_file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def wait(self, seconds: float | None = None) -> JobState:
        """The state once the job is over, or after that many seconds."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while not (state := self.state()).is_over and (deadline is None or time.monotonic() < deadline):
            time.sleep(0.1)
        return state

    def _state_on_slurm(self, state: JobState, launch: Launch) -> JobState:
        """The state of a job whose driver was given to SLURM; while it waits there, why."""
        try:
            listing = slurm.ask_queue(self.folder.parent, _QUEUE_SECONDS)
            entry = listing.named(launch.name)
            if entry is None and listing.taken > launch.submitted:
                listing = slurm.ask_queue(self.folder.parent, 0)  # it may have been taken just now
                entry = listing.named(launch.name)
        except Stp3Error as problem:
            return state if state.is_over else state.model_copy(update={"stage": str(problem)})
        if entry and entry.is_pending:
            return state.model_copy(update={"state": "waiting", "stage": why_waiting(entry, listing), **_UNKNOWN})
        if (entry and not entry.is_over) or time.time() - launch.submitted < _SHOWS_SECONDS:
            return self._run.state()
        state = self._run.state()
        return state if state.is_over else state.model_copy(update=_INTERRUPTED)

    def _entry(self) -> slurm.Entry | None:
        """The driver's job as it stands in SLURM's queue now; None when there is none."""
        launch = self._run.launch()
        entry = slurm.ask_queue(self.folder.parent, 0).named(launch.name) if launch else None
        return entry if entry and not entry.is_over else None

    def _is_driven(self, state: JobState) -> bool:
        if state.pid is None:
            return _age_seconds(state.updated or state.created) < START_SECONDS
        if state.host != platform.node():
            return _age_seconds(state.updated) < _SILENCE_SECONDS
        return _is_driver(state.pid, self.id)

    def _cancel_undriven(self, state: JobState) -> None:
        with self._run.locked():
            if is_owner(Path(state.output), self.id):
                remove_unfinished(Path(state.output))
            shutil.rmtree(self._run.private, ignore_errors=True)
            if self._run.launch():
                slurm.sweep(self.folder.parent, self.id)
            changes = {"state": "cancelled", "stage": "cancelled", "ended": now(), "pid": None, **_UNKNOWN}
            self._run.write_state(state.model_copy(update=changes))


_UNKNOWN = {"seconds_left": None, "seconds_left_range": None, "rows_per_second": None}
_INTERRUPTED = {
    "state": "interrupted",
    "stage": "interrupted",
    **_UNKNOWN,
    "error": "the driver of this job ended without a word (killed, or the machine was restarted). Resume the job.",
}


def submit(
    scan_path: str | os.PathLike[str],
    recipe: Recipe,
    *,
    output: Path | None = None,
    rows: range | None = None,
    profile: str | AnyProfile = "local",
    format: str = "tiff",
    jobs_folder: Path | None = None,
    user: str = "",
    opening: Mapping[str, Any] | None = None,
    key: str | None = None,
) -> Job:
    """A job that is recorded on disk and whose driver runs; it accepts what is amber in the scan's pre-flight.

    `opening` is what `open_scan` takes besides the path, as plain data: `{"metadata": {"energy_kev": 25}}`.
    A second submission with the same `key` gives the first one's job.
    Raises UsageFault, ScanFault (also when the pre-flight is red) or Stp3Error.
    """
    opening = dict(opening or {})
    scan = open_scan(scan_path, **opening)
    chosen = find_profile(profile) if isinstance(profile, str) else profile
    chosen = for_visit(chosen, config.visit_of(Path(scan_path)))
    find_writer(format)
    rows_wanted = check_rows(scan, rows)
    place = (jobs_folder or config.jobs_folder()).absolute()
    with id_for(key, place) as name:
        folder = place / name
        target = Path(output).absolute() if output else folder / "volume"
        spec = Spec(
            id=name,
            scan=str(Path(scan_path).absolute()),
            opening=opening,
            recipe=recipe.as_dict(),
            rows=(rows_wanted.start, rows_wanted.stop),
            output=str(target),
            format=format,
            profile=chosen,
            user=user or user_name(),
        )
        run = RunFolder(folder)
        if folder.exists():
            _check_same(run, spec)
        else:
            check_free(target, name)
            report = preflight(scan, recipe, target, rows=rows_wanted, memory=chosen.kind == "local")
            accepted = tuple(asdict(finding) for finding in report.refuse_red())
            _record(folder, spec.model_copy(update={"accepted": accepted}), scan)
        if run.state().state == "waiting" and run.launch() is None:
            start_driver(run)
    return Job(folder)


def _check_same(run: RunFolder, spec: Spec) -> None:
    """Raises UsageFault when the job that stands under a key is another one."""
    if run.spec().model_copy(update={"accepted": spec.accepted}) != spec:
        raise UsageFault(f"this key was used for job {run.id}, which is another one. Use a new key for a new job.")


def list_jobs(jobs_folder: Path | None = None) -> list[Job]:
    """All jobs, the newest first."""
    folder = jobs_folder or config.jobs_folder()
    if not folder.is_dir():
        return []
    return [Job(path) for path in sorted(folder.iterdir(), reverse=True) if ID_PATTERN.fullmatch(path.name)]


def find_job(id: str, jobs_folder: Path | None = None) -> Job:
    """The job of that name. Raises UsageFault."""
    folder = jobs_folder or config.jobs_folder()
    if not ID_PATTERN.fullmatch(id) or not (folder / id).is_dir():
        raise UsageFault(f'there is no job "{id}". `stp3 jobs list` shows all.')
    return Job(folder / id)


def _record(folder: Path, spec: Spec, scan: Scan) -> None:
    """The run directory, there complete or not at all."""
    rows = spec.rows or (0, scan.rows)
    state = JobState(
        id=spec.id, state="waiting", scan=spec.scan, sample=scan.sample or scan.path.stem, output=spec.output,
        format=spec.format, user=spec.user, profile=spec.profile.name, rows=rows, rows_total=rows[1] - rows[0],
        stage="waiting for its driver", created=now(), host=platform.node(),
    )  # fmt: skip
    draft = RunFolder(folder.with_name(f".{spec.id}.part"))
    shutil.rmtree(draft.folder, ignore_errors=True)  # of a submission that was killed
    try:
        draft.folder.mkdir(mode=0o700, parents=True)
        draft.write_state(state)
        write_json(draft.spec_file, spec.model_dump(mode="json"))
        draft.folder.rename(folder)
    except OSError as error:
        raise Stp3Error(f"no job can be recorded in {folder.parent}: {os.strerror(error.errno or 0)}.") from error
    sync_folder(folder.parent)


def _is_driver(pid: int, job_id: str) -> bool:
    """True when that process is the driver of this job (a number may have been given to another process)."""
    try:
        return job_id.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()  # empty for a process that has ended
    except OSError:
        return False


def _age_seconds(moment: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
