"""Workers that are jobs of SLURM, by dask-jobqueue, and a foreman who sees to it that they are there.

dask-jobqueue only logs a submission that fails, and never learns of a job that ends before its worker reports. So the
foreman compares the workers with SLURM's queue, replaces what is gone, and says in words why nobody works.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import dask
from distributed import Client, Scheduler, Security
from distributed.deploy.spec import ProcessInterface

from stp3.cluster import slurm
from stp3.cluster.pool import Pool
from stp3.cluster.profiles import Size, SlurmProfile, size
from stp3.cluster.queue_words import why_waiting
from stp3.cluster.quiet import Losses, QuietScheduler, quieten, settings
from stp3.errors import Stp3Error
from stp3.run import IN_FLIGHT

_sigint = signal.getsignal(signal.SIGINT)
from dask_jobqueue.slurm import SLURMCluster, SLURMJob  # noqa: E402 - between the two: it takes Ctrl-C for itself

if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, _sigint)

_LOOK_SECONDS = 1.0
_CLOSING_SECONDS = 1.5
_PATIENCE_SECONDS = 900.0  # how long a cluster that takes no jobs is asked again
_EARLY_DEATHS = 3  # jobs in a row that end before their worker reports
_LONGEST_PAUSE = 30.0
log = logging.getLogger("stp3.driver")


class SlurmWorker(SLURMJob):
    """One worker's job. Submitting it never raises: the foreman reads `refusal`."""

    _numbers = itertools.count()

    def __init__(self, scheduler: str, name: str, *, prefix: str, arguments: list[str], **options: Any) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            scheduler, name, job_name=f"{prefix}{next(self._numbers)}", **options
        )
        self.arguments = [*arguments, f"--job-name={self.job_name}"]
        self.refusal: slurm.Refused | None = None
        self.submitted = time.time()

    async def start(self) -> None:
        try:
            self.job_id = await slurm.submit_async(self.arguments, self.script())
        except slurm.Refused as refusal:
            self.refusal = refusal
        self.submitted = time.time()
        await ProcessInterface.start(self)  # type: ignore[no-untyped-call]

    def script(self) -> str:
        return str(self.job_script())  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        if self.job_id:
            await asyncio.to_thread(slurm.cancel, [self.job_id])


@asynccontextmanager
async def open_slurm(profile: SlurmProfile, private: Path) -> AsyncIterator[Pool]:
    """A cluster of SLURM jobs. See `open_cluster`."""
    sized, folder = size(profile), private.parent
    quieten()
    dask.config.refresh(paths=[], env={})  # a user's own Dask settings must not change what a job does
    (folder / "workers").mkdir(mode=0o700, exist_ok=True)
    with dask.config.set({**settings(sized), **_PATIENT}):
        cluster = new_cluster(profile, folder, private, new_keys(folder, private))
        foreman, losses = Foreman(cluster, sized.workers, folder), Losses()
        try:
            await cluster
            cast(Scheduler, cluster.scheduler).add_plugin(losses)
            async with Client(cluster, asynchronous=True, set_as_default=False) as client:  # type: ignore[no-untyped-call]
                watch = asyncio.create_task(foreman.work())
                try:
                    yield Pool(client, sized, watch, foreman.waiting)
                finally:
                    watch.cancel()
        finally:
            losses.is_closing = True
            await foreman.dismiss()


def new_keys(folder: Path, private: Path) -> Security:
    """Credentials of this cluster alone, in files (0600) that go with `private`; paths count from `folder`."""
    made = Security.temporary()  # type: ignore[no-untyped-call]
    texts = {"ca": made.tls_ca_file, "cert": made.tls_worker_cert, "key": made.tls_worker_key}
    for name, text in texts.items():
        path = private / f"{name}.pem"
        path.touch(mode=0o600)
        path.write_text(text, encoding="ascii")
    return _security(Path(os.path.relpath(private, folder)))


def _security(private: Path) -> Security:
    pair = {"cert": str(private / "cert.pem"), "key": str(private / "key.pem")}
    roles = {f"tls_{role}_{kind}": path for role in ("scheduler", "worker", "client") for kind, path in pair.items()}
    return Security(tls_ca_file=str(private / "ca.pem"), require_encryption=True, **roles)  # type: ignore[no-untyped-call]


_PATIENT = {
    "distributed.scheduler.allowed-failures": 10,  # a worker's end may be its wall-time, and no fault of its slab
    "distributed.scheduler.worker-ttl": "120 s",
    "distributed.deploy.lost-worker-timeout": "10 s",
}


def new_cluster(profile: SlurmProfile, folder: Path, private: Path, security: Security) -> Any:
    """dask-jobqueue's cluster for that profile, with no worker yet."""
    return SLURMCluster(
        job_cls=SlurmWorker,  # type: ignore[arg-type]
        scheduler_cls=QuietScheduler,
        scheduler_options={"dashboard": False, "port": 0},
        security=security,
        protocol="tls://",
        interface=profile.interface,
        silence_logs=False,
        asynchronous=True,
        **worker_options(profile, folder, private),
    )


def worker_options(profile: SlurmProfile, folder: Path, private: Path) -> dict[str, Any]:
    """What dask-jobqueue is told of a worker's job."""
    sized = size(profile)
    return {
        "prefix": slurm.workers_name(folder.name),
        "arguments": slurm.worker_arguments(profile, folder),
        "cores": profile.threads,
        "processes": 1,
        "memory": f"{sized.memory_bytes}B",
        "job_directives_skip": ["-"],  # all are given to sbatch as arguments, which no text can break out of
        "local_directory": os.path.relpath(private, folder),
        "job_script_prologue": [*profile.prologue, *_exports(sized)],
        "worker_extra_args": _WORKER,
        "python": shlex.quote(profile.python or sys.executable),
        "death_timeout": 60,
    }


_WORKER = ["--nthreads", str(IN_FLIGHT), "--no-dashboard", "--worker-class", "stp3.cluster.quiet.QuietWorker"]


def _exports(sized: Size) -> list[str]:
    """The lines that give a worker the settings this driver has: Dask would not."""
    chosen = settings(sized)
    threads = chosen.pop("distributed.nanny.pre-spawn-environ")
    names = {
        "DASK_" + key.replace(".", "__").replace("-", "_").upper(): value
        for key, value in chosen.items()
        if not key.startswith("distributed.scheduler")
    }
    names["DASK_DISTRIBUTED__WORKER__USE_FILE_LOCKING"] = False
    return ["umask 077", *(f"export {name}={value}" for name, value in {**threads, **names}.items())]


class QueueWatch(threading.Thread):
    """Asks for the queue again and again, without making anybody wait for the answer."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True, name="queue")
        self.listing = slurm.Listing(0.0, ())
        self.problem = ""
        self._folder = folder
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            try:
                self.listing, self.problem = slurm.ask_queue(self._folder), ""
            except Stp3Error as error:
                self.problem = str(error)

    def end(self) -> None:
        self._ended.set()


class Foreman:
    """Keeps so many workers on a cluster, whatever becomes of their jobs."""

    def __init__(self, cluster: Any, workers: int, folder: Path) -> None:
        self._cluster = cluster
        self._workers = workers
        self._folder = folder
        self._queue = QueueWatch(folder.parent)
        self._early_deaths = 0
        self._last_words = ""
        self._refusals = 0
        self._refusal = ""
        self._not_before = 0.0
        self._since = time.monotonic()

    async def work(self) -> None:
        """Runs until it is cancelled. Raises Stp3Error when there is no hope of a worker."""
        self._queue.start()
        while True:
            for name, worker in list(self._cluster.workers.items()):
                self._look_at(name, worker)
            self._check_hope()
            if time.monotonic() >= self._not_before:
                self._cluster.scale(self._workers)
            await asyncio.sleep(_LOOK_SECONDS)

    def waiting(self) -> str:
        """Why no worker is there, in words; "" when one is."""
        if self._present():
            return ""
        if self._refusal:
            return f"the cluster takes no jobs right now, asking again ({self._refusal})"
        if self._queue.problem:
            return f"waiting for workers; {self._queue.problem}"
        listing = self._queue.listing
        entries = [listing.named(worker.job_name) for worker in self._cluster.workers.values()]
        pending = [entry for entry in entries if entry and entry.is_pending]
        return why_waiting(pending[0], listing) if pending and len(pending) == len(entries) else "starting workers"

    async def dismiss(self) -> None:
        """Ends all workers at once: what they have on disk is complete."""
        self._queue.end()
        jobs = [worker.job_id for worker in self._cluster.workers.values() if worker.job_id]
        self._cluster.worker_spec.clear()
        self._cluster.workers.clear()
        ending = asyncio.create_task(asyncio.to_thread(slurm.cancel, jobs))
        with suppress(TimeoutError, OSError, AssertionError):
            await asyncio.wait_for(cast(Awaitable[None], self._cluster.close()), _CLOSING_SECONDS)
        await ending

    def _present(self) -> set[str]:
        return {str(worker.name) for worker in cast(Scheduler, self._cluster.scheduler).workers.values()}

    def _look_at(self, name: str, worker: SlurmWorker) -> None:
        if str(name) in self._present():
            self._early_deaths, self._refusals, self._refusal = 0, 0, ""
            return
        listing = self._queue.listing
        entry = listing.named(worker.job_name)
        is_newer = listing.taken > worker.submitted
        if worker.refusal and not entry and (is_newer or not worker.refusal.may_pass):
            self._refused(name, worker.refusal)
        elif not is_newer:
            return
        elif entry and not worker.job_id:
            worker.job_id, worker.refusal = entry.id, None  # it was taken, and only the answer was lost
        elif entry is None or entry.is_over or entry.state == "COMPLETING":
            self._lost(name, worker, entry.state if entry else "gone")

    def _refused(self, name: str, refusal: slurm.Refused) -> None:
        self._forget(name)
        self._refusals += 1
        self._refusal = str(refusal)
        self._not_before = time.monotonic() + min(2.0**self._refusals, _LONGEST_PAUSE)
        log.warning("SLURM did not take a worker's job: %s", refusal)
        if not refusal.may_pass and not self._present():
            raise Stp3Error(
                f"SLURM does not take the job's workers: {refusal}. Correct the profile, then resume the job."
            )

    def _lost(self, name: str, worker: SlurmWorker, state: str) -> None:
        self._forget(name)
        self._early_deaths += 1
        self._last_words = _tail(self._folder / "workers" / f"{worker.job_id}.log")
        log.warning("the worker of SLURM job %s is gone (%s); another takes its place", worker.job_id, state)

    def _forget(self, name: str) -> None:
        self._cluster.worker_spec.pop(name, None)
        self._cluster.workers.pop(name, None)

    def _check_hope(self) -> None:
        if self._present():
            self._since = time.monotonic()
        elif self._early_deaths >= _EARLY_DEATHS:
            raise Stp3Error(
                f"{self._early_deaths} workers in a row ended before they could work: {self._last_words or 'no word'}. "
                f"Look into {self._folder / 'workers'}, correct the profile, then resume the job."
            )
        elif self._refusal and time.monotonic() - self._since > _PATIENCE_SECONDS:
            raise Stp3Error(f"SLURM has taken no job for {_PATIENCE_SECONDS / 60:.0f} minutes: {self._refusal}.")


def describe_submission(profile: SlurmProfile, folder: Path) -> str:
    """Exactly what is submitted for a job with that run directory; what is only known then stands in <>."""
    options = worker_options(profile, folder, folder / "tls") | {"interface": profile.interface}
    worker = SlurmWorker("<address>", "<name>", security=_security(Path("tls")), protocol="tls://", **options)
    parts = []
    if profile.driver == "slurm":
        arguments = slurm.driver_arguments(profile, folder, f"stp3-{folder.name}-<number>")
        parts.append(f"# the driver, once\nsbatch {shlex.join(arguments)}\n{slurm.driver_script(profile, folder)}")
    arguments = [*worker.arguments[:-1], f"--job-name={slurm.workers_name(folder.name)}<number>"]
    parts.append(f"# the workers, {profile.workers} times\nsbatch {shlex.join(arguments)}\n{worker.script()}")
    return "\n".join(parts)


def _tail(log_file: Path) -> str:
    with suppress(OSError):
        lines = log_file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else ""
    return ""
