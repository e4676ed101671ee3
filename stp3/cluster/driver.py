"""The driver of one job: `python -m stp3.cluster.driver RUNDIR`.

It holds the run directory's lock, resolves the plan, keeps the workers busy and journals each slab when its bytes are
on disk. Killed at any point, it goes on from there when it is started again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stp3 import config
from stp3.cluster import slurm
from stp3.cluster.journal import Journal, read_journal
from stp3.cluster.launch import start_driver
from stp3.cluster.progress import Progress
from stp3.cluster.run_folder import STEP_TOPIC, RunFolder
from stp3.cluster.slab_order import coarse_first
from stp3.durable import remove_unfinished, write_json
from stp3.errors import Stp3Error, UsageFault
from stp3.measured import read_measured, write_measured
from stp3.provenance import now
from stp3.run import IN_FLIGHT, begin
from stp3.volume import is_owner, open_volume
from stp3.writers import SlabRecord, Writer

_LOOK_SECONDS = 0.2  # how often it looks for the file `cancel`
_TELL_SECONDS = 1.0  # how often it writes its state
_SLURM_PATIENCE_SECONDS = 60.0  # a driver that SLURM starts again may come before the old one's lock is gone
LOCKED_OUT = 3
HAND_OVER = 4
_HANDED_OVER = "handed over"
_STOPS = {
    signal.SIGTERM: "interrupted",
    signal.SIGINT: "interrupted",
    signal.SIGUSR1: _HANDED_OVER,  # from SLURM, a minute before the wall-time
    signal.SIGUSR2: "cancelled",
}
log = logging.getLogger("stp3.driver")


class Driver:
    """One run of the driver, from the lock to the final state."""

    def __init__(self, run: RunFolder, fence: int) -> None:
        self.run = run
        self.fence = fence
        self.spec = run.spec()
        self.output = Path(self.spec.output)
        self.state = run.state().model_copy(
            update={
                "state": "running", "stage": "starting workers", "pid": os.getpid(), "host": platform.node(),
                "started": run.state().started or now(), "ended": None, "error": None, "seconds_left": None,
                "rows_per_second": None, "bytes_written": 0,
            }
        )  # fmt: skip
        self.progress: Progress | None = None
        self.records: dict[int, SlabRecord] = {}
        self._stopped = asyncio.Event()
        self._stop_as = "interrupted"
        self._waiting: Callable[[], str] = lambda: ""
        self._stage = self._step = ""
        run.write_state(self.state)

    async def drive(self) -> int:
        """Does the job; the exit code."""
        loop = asyncio.get_running_loop()
        for number, name in _STOPS.items():
            loop.add_signal_handler(number, self._stop, name)
        watch = asyncio.create_task(self._watch())
        work = asyncio.create_task(self._work())
        stopped = asyncio.create_task(self._stopped.wait())
        await asyncio.wait([work, stopped], return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            log.info("stopping (%s)", self._stop_as)
            work.cancel()
            await asyncio.wait([work])
        watch.cancel()
        stopped.cancel()
        return self._end(work)

    async def _work(self) -> None:
        from stp3.cluster.pool import open_cluster

        if self.spec.profile.kind == "slurm":
            await asyncio.to_thread(slurm.sweep, self.run.folder.parent, self.run.id)
        with _private(self.run.private):
            async with open_cluster(self.spec.profile, self.run.private) as pool:
                log.info("%d worker(s), %d thread(s) each", pool.size.workers, pool.size.threads)
                self._waiting = pool.waiting
                pool.client.subscribe_topic(STEP_TOPIC, self._hear_step)
                await pool.guard(self._reconstruct(pool))

    def _stop(self, name: str) -> None:
        """Ends the work; the first reason counts."""
        if not self._stopped.is_set():
            self._stop_as = name
            self._stopped.set()

    def _hear_step(self, event: tuple[float, str]) -> None:
        """A worker has begun a step of a slab."""
        self._step = event[1]

    async def _reconstruct(self, pool: Any) -> None:
        from stp3.cluster import tasks
        from stp3.cluster.window import run_one, run_window

        plan, provenance = await self._plan(pool)
        self.progress = Progress(len(plan.rows), plan.slab_rows, IN_FLIGHT * pool.size.workers)
        self._sweep()
        journal = Journal(self.run.journal_file)
        journal.add("driver", fence=self.fence, pid=os.getpid(), host=platform.node(), time=now())
        if await run_one(pool, tasks.is_complete, self.output, self.run.id):
            self._take_over_all(plan)
            return
        await self._check_finished(pool, journal)
        there = sum(unit.bytes for record in self.records.values() for unit in record.units)
        writer: Writer = begin(plan, self.output, self.spec.format, self.run.id, provenance, bytes_there=there)
        self._tell(stage="reconstructing")

        def call(rows: range) -> tuple[Any, ...]:
            return tasks.reconstruct, self.run.folder, self.fence, plan, writer, rows, pool.size.threads

        def done(rows: range, record: SlabRecord) -> None:
            tasks.check_fence(self.run.folder, self.fence)
            journal.add("slab", fence=self.fence, **record.as_dict())
            self._count(record)
            misfit = "" if record.residual is None else f", relative residual {record.residual:.3g}"
            log.info("rows %d:%d done in %.2f s%s", rows.start, rows.stop, record.seconds, misfit)

        missing = [rows for rows in coarse_first(list(plan.slabs())) if rows.start not in self.records]
        await run_window(pool, "rows", missing, call, done)
        self._tell(stage="putting the volume together", seconds_left=None)
        records = [self.records[start] for start in sorted(self.records)]
        await run_one(pool, tasks.complete_job, self.run.folder, self.fence, writer, records, self.run.id)
        self._tell(bytes_written=open_volume(self.output).bytes)
        journal.add("complete", fence=self.fence, time=now())
        journal.close()

    async def _plan(self, pool: Any) -> tuple[Any, dict[str, Any]]:
        """The plan and the provenance: measured and written down once, then only read again."""
        from stp3.cluster import tasks
        from stp3.cluster.window import run_one

        resolved = self.run.resolved()
        if resolved:
            self._tell(stage="opening the scan again")
            measured = read_measured(self.run.measured_file, resolved["provenance"].get("measured_sha256", ""))
            return await run_one(pool, tasks.reopen_job, self.spec, resolved, measured), resolved["provenance"]
        self._tell(stage="measuring the rotation axis and the grey range")
        plan, resolved = await run_one(pool, tasks.resolve_job, self.spec, pool.size)
        write_measured(self.run.measured_file, plan.measured)
        write_json(self.run.resolved_file, resolved)
        log.info("%d rows in slabs of %d", len(plan.rows), plan.slab_rows)
        return plan, resolved["provenance"]

    async def _check_finished(self, pool: Any, journal: Journal) -> None:
        """Takes over the slabs of the journal whose files are still what was journalled."""
        from stp3.cluster import tasks
        from stp3.cluster.window import run_window

        finished = read_journal(self.run.journal_file).slabs
        if not finished:
            return
        self._tell(stage="checking finished slabs")

        def done(start: int, is_intact: bool) -> None:
            record = finished[start]
            if is_intact:
                self._count(record, found=True)
            else:
                log.warning("rows %d:%d are damaged or gone and are done again", record.rows.start, record.rows.stop)
                journal.add("redo", fence=self.fence, rows=record.as_dict()["rows"])

        await run_window(pool, "check", finished, lambda start: (tasks.is_intact, self.output, finished[start]), done)
        log.info("%d of %d slabs were finished before", len(self.records), len(finished))

    def _take_over_all(self, plan: Any) -> None:
        """The volume was finished; only the last words of the driver were missing."""
        assert self.progress is not None  # noqa: S101 - set before
        for rows in plan.slabs():
            self.progress.found(len(rows))
        self._tell(bytes_written=open_volume(self.output).bytes)

    def _count(self, record: SlabRecord, *, found: bool = False) -> None:
        assert self.progress is not None  # noqa: S101 - set before the first slab
        self.records[record.rows.start] = record
        if found:
            self.progress.found(len(record.rows))
        else:
            self.progress.finished(len(record.rows), record.seconds)
        self.state = self.state.model_copy(update={"bytes_written": self.state.bytes_written + record.bytes})

    async def _watch(self) -> None:
        """Looks for `cancel` and writes the state until the job is over."""
        told = time.monotonic()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self.run.cancel_file.exists():
                self._stop("cancelled")
            if time.monotonic() - told >= _TELL_SECONDS:
                self._tell()
                told = time.monotonic()

    def _tell(self, **changes: Any) -> None:
        if progress := self.progress:
            changes = {
                "slabs_done": progress.slabs_done, "slabs_total": progress.slabs_total,
                "rows_done": progress.rows_done, "rows_total": progress.rows_total,
                "rows_per_second": progress.rows_per_second, "seconds_left": progress.seconds_left,
                "seconds_left_range": progress.seconds_left_range,
            } | changes  # fmt: skip
        if changes.get("stage"):
            self._stage, self._step = changes["stage"], ""
            log.info("%s", self._stage)
        changes["stage"] = self._waiting() or (f"{self._stage}: {self._step}" if self._step else self._stage)
        self.state = self.state.model_copy(update=changes)
        if self.run.fence() != self.fence:
            return  # the state is the newer driver's
        try:
            self.run.write_state(self.state)
        except Stp3Error as error:
            log.error("the state cannot be written: %s", error)

    def _sweep(self) -> None:
        if is_owner(self.output, self.run.id):
            remove_unfinished(self.output)

    def _end(self, work: asyncio.Task[None]) -> int:
        """Sweeps, says how it ended and why."""
        if self.run.fence() != self.fence:
            log.error("another driver has taken this job over; this one ends without a trace")
            return LOCKED_OUT
        self._sweep()
        self._waiting = lambda: ""
        ended: dict[str, Any] = {"ended": now(), "seconds_left": None, "seconds_left_range": None}
        if work.cancelled():
            if self._stop_as == _HANDED_OVER:
                self._tell(state="waiting", stage="its time on the cluster is up; it goes on in a new job", pid=None)
                return HAND_OVER
            kept = f"; {self.progress.rows_done} finished rows are kept" if self.progress else ""
            self._tell(state=self._stop_as, stage=f"{self._stop_as}{kept}", **ended)
            return 0
        if error := work.exception():
            words = in_words(error)
            log.error("failed: %s", words)
            self._tell(state="failed", stage="failed", error=words, **ended)
            return 1
        self._tell(state="done", stage="done", **ended)
        return 0


def in_words(error: BaseException) -> str:
    """What the user is told; what is not ours is logged under a reference."""
    if isinstance(error, Stp3Error):
        return str(error)
    reference = secrets.token_hex(4)
    log.error("internal error %s", reference, exc_info=error)
    return f"Internal error {reference}. The details are in driver.log under this number."


class _private:  # noqa: N801 - used like a function
    """The folder for keys and scratch files: made empty, readable by this user alone, gone afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700)

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def main(arguments: list[str]) -> int:
    """Drives the job of a run directory; 0 done or stopped, 1 failed, 2 no such job, 3 another driver is at work."""
    os.umask(0o077)
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(format="%(asctime)sZ %(levelname)s %(message)s", level=logging.WARNING)
    log.setLevel(logging.INFO)
    run = RunFolder(Path(arguments[0]).absolute())
    try:
        patience = {"patience": _SLURM_PATIENCE_SECONDS} if config.slurm_job() else {}
        with run.locked(read_journal(run.journal_file).fence, **patience) as fence:
            log.info("driver %d of job %s, process %d on %s", fence, run.id, os.getpid(), platform.node())
            code = asyncio.run(_drive(run, fence))
        if code == HAND_OVER:
            start_driver(run)
        return 0 if code == HAND_OVER else code
    except UsageFault as fault:
        log.error("%s", fault)
        return LOCKED_OUT
    except Stp3Error as error:
        log.error("%s", error)
        return 2


async def _drive(run: RunFolder, fence: int) -> int:
    return await Driver(run, fence).drive()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
