"""The controller of jobs: starts them once, follows them while they live, stops them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from typing import Any

from stp3 import config
from stp3.cluster.client import Job, list_jobs, submit
from stp3.cluster.run_folder import JobState
from stp3.errors import Stp3Error
from stp3.widgets.job_panel import JobActions, JobPanel
from stp3.widgets.state import Shown
from stp3.widgets.worker import Errands

_LISTED = 50
_EVERY_SECONDS = 1.0

Say = Callable[[str, str], None]


class JobDesk:
    """My jobs on the page. `on_change` is called when it is time to look again whether one may be started."""

    def __init__(
        self,
        errands: Errands,
        loop: asyncio.AbstractEventLoop | None,
        say: Say,
        on_change: Callable[[], None],
        on_open: Callable[[Job], None],
    ) -> None:
        self._errands, self._loop, self._say, self._on_change, self._on_open = errands, loop, say, on_change, on_open
        self.panel = JobPanel(JobActions(self.choose, self.cancel, self.resume, self.open))
        self.jobs: Sequence[tuple[Job, JobState]] = ()
        self._chosen_id = ""
        self._submitted: dict[tuple[Any, ...], str] = {}
        self._is_starting = False
        self._is_watching = False

    def is_under_way(self, shown: Shown) -> bool:
        """True while the job of that state is being started or runs."""
        return self._is_starting or bool(self._living(shown))

    def submit(self, shown: Shown) -> None:
        """Starts the job of that state; asked again while it lives, it starts no second one."""
        if self._is_starting:
            return
        if job_id := self._living(shown):
            self._say("info", f"This is under way already: job {job_id}.")
            return
        self._is_starting = True
        self._say("info", "Starting the job…")
        self._errands.send(
            lambda: submit(shown.path, shown.recipe, rows=shown.rows, format=shown.format),
            lambda job: self._started(shown, job),
            self._not_started,
        )
        self._on_change()

    def refresh(self) -> None:
        """Reads how the jobs stand; again every second while one of them lives."""
        self._errands.send(_read_jobs, self._read, self._complain)

    def choose(self, index: int) -> None:
        """Shows another job in full."""
        if 0 <= index < len(self.jobs):
            self._chosen_id = self.jobs[index][1].id
            self._show()

    def cancel(self) -> None:
        """Stops the job that is shown."""
        self._act(Job.cancel)

    def resume(self) -> None:
        """Goes on with the job that is shown."""
        self._act(Job.resume)

    def open(self) -> None:
        """Shows the volume of the job that is shown."""
        if (place := self._place()) is not None:
            self._on_open(self.jobs[place][0])

    def _act(self, act: Callable[[Job], None]) -> None:
        if (place := self._place()) is not None:
            job = self.jobs[place][0]
            self._errands.send(lambda: act(job), lambda _: self.refresh(), self._complain)

    def _complain(self, text: str) -> None:
        self._say("bad", text)

    def _started(self, shown: Shown, job: Job) -> None:
        self._is_starting = False
        self._submitted[shown.job_key] = self._chosen_id = job.id
        self._say("good", f"Job {job.id} is under way. You may close this page: it goes on.")
        self._on_change()
        self.refresh()

    def _not_started(self, text: str) -> None:
        self._is_starting = False
        self._complain(text)
        self._on_change()

    def _living(self, shown: Shown) -> str:
        job_id = self._submitted.get(shown.job_key, "")
        return "" if job_id in {state.id for _, state in self.jobs if state.is_over} else job_id

    def _read(self, found: Sequence[tuple[Job, JobState]]) -> None:
        self._tell_end(found)
        self.jobs = found
        self._show()
        self._on_change()
        if self._loop and not self._is_watching and any(not state.is_over for _, state in found):
            self._is_watching = True
            self._loop.call_later(_EVERY_SECONDS, self._look_again)

    def _tell_end(self, found: Sequence[tuple[Job, JobState]]) -> None:
        """Says once that a job has come to its end."""
        living = {state.id for _, state in self.jobs if not state.is_over}
        for _, state in found:
            if state.id in living and state.is_over:
                level = {"done": "good", "failed": "bad"}.get(state.state, "warn")
                self._say(level, f"Job {state.id} is {state.state}.")

    def _look_again(self) -> None:
        self._is_watching = False
        self.refresh()

    def _place(self) -> int | None:
        ids = [state.id for _, state in self.jobs]
        return ids.index(self._chosen_id) if self._chosen_id in ids else 0 if ids else None

    def _show(self) -> None:
        place, states = self._place(), [state for _, state in self.jobs]
        self.panel.show(states, place, "" if place is None else config.download_url(states[place].id))


def free_bytes() -> int:
    """Bytes left on the disk that volumes are written to."""
    folder = config.jobs_folder().absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _read_jobs() -> list[tuple[Job, JobState]]:
    found = []
    for job in list_jobs()[:_LISTED]:
        try:
            found.append((job, job.state()))
        except Stp3Error:  # a run directory that is being removed, or that another program made
            continue
    return found
