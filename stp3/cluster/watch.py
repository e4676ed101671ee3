"""Goes on with jobs whose drivers were lost: a machine was restarted, a process was killed."""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from stp3.cluster.client import Job, list_jobs
from stp3.cluster.journal import read_journal
from stp3.errors import Stp3Error, UsageFault

_EVERY_SECONDS = 5.0
_IDLE_DRIVERS = 3  # in a row that were lost before they finished a slab
log = logging.getLogger("stp3.watch")


def watch(folders: Iterable[Path], every: float = _EVERY_SECONDS) -> None:
    """Looks after the jobs in those folders and one level below them until it is stopped."""
    places = list(folders)
    while True:
        look_after(places)
        time.sleep(every)


def look_after(folders: Iterable[Path]) -> list[Job]:
    """The jobs that were interrupted and go on now.

    A job is given up when three drivers in a row were lost before they finished a slab: the next would be lost as well.
    """
    resumed = []
    for job in _jobs(folders):
        try:
            if _is_lost(job):
                job.resume()
                log.warning("job %s was interrupted and goes on", job.id)
                resumed.append(job)
        except UsageFault as fault:
            log.info("job %s: %s", job.id, fault)  # somebody else was quicker
        except Stp3Error as error:
            log.error("job %s: %s", job.id, error)
    return resumed


def _jobs(folders: Iterable[Path]) -> Iterator[Job]:
    for folder in folders:
        below = [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
        for place in (folder, *below):
            yield from list_jobs(place)


def _is_lost(job: Job) -> bool:
    state = job.state()
    if state.state != "interrupted" or (state.host != platform.node() and not job.is_on_slurm):
        return False
    return read_journal(job.folder / "journal.jsonl").idle_drivers < _IDLE_DRIVERS
