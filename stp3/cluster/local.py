"""Workers on this machine: one process each, talking over TLS with keys of this job alone."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import cast

import dask
from distributed import Client, Nanny, Scheduler, Security, SpecCluster

from stp3.cluster.pool import Pool
from stp3.cluster.profiles import Profile, Size, size
from stp3.cluster.quiet import Losses, QuietScheduler, QuietWorker, quieten, settings
from stp3.errors import Stp3Error
from stp3.run import IN_FLIGHT

_CLOSING_SECONDS = 1.5
_LONELY_SECONDS = 60.0
log = logging.getLogger("stp3.driver")


@asynccontextmanager
async def open_local(profile: Profile, private: Path) -> AsyncIterator[Pool]:
    """A cluster of this machine's processes. See `open_cluster`."""
    sized = size(profile)
    quieten()
    dask.config.refresh(paths=[], env={})  # a user's own Dask settings must not change what a job does
    with dask.config.set(settings(sized)):
        cluster, losses = _cluster(sized, private), Losses()
        try:
            await cluster
            cast(Scheduler, cluster.scheduler).add_plugin(losses)
            client = Client(cluster, asynchronous=True, set_as_default=False)  # type: ignore[no-untyped-call]
            async with client:
                watch = asyncio.create_task(_watch(cast(Scheduler, cluster.scheduler)))
                try:
                    yield Pool(client, sized, watch)
                finally:
                    watch.cancel()
        finally:
            losses.is_closing = True
            await _close(cluster)


async def _watch(scheduler: Scheduler) -> None:
    """Raises Stp3Error when no worker has come back for a long time: a task that kills them all would wait for ever."""
    seen = time.monotonic()
    while time.monotonic() - seen < _LONELY_SECONDS:
        await asyncio.sleep(1)
        if scheduler.workers:
            seen = time.monotonic()
    raise Stp3Error(
        f"no worker process has come up for {_LONELY_SECONDS:.0f} s. Look whether the machine has memory and processes "
        "left, then resume the job."
    )


def _cluster(sized: Size, private: Path) -> SpecCluster:
    security = Security.temporary()  # type: ignore[no-untyped-call]
    common = {"host": "127.0.0.1", "protocol": "tls://", "security": security, "dashboard": False}
    options = {
        **common,
        "nthreads": IN_FLIGHT,
        "memory_limit": sized.memory_bytes,
        "local_directory": str(private),
        "worker_class": QuietWorker,
        "silence_logs": logging.CRITICAL,
    }
    worker = {"cls": Nanny, "options": options}
    scheduler = {"cls": QuietScheduler, "options": {**common, "port": 0}}
    return SpecCluster(  # type: ignore[no-untyped-call]
        workers=dict.fromkeys(range(sized.workers), worker),
        scheduler=scheduler,
        worker=worker,
        security=security,
        asynchronous=True,
        silence_logs=False,
    )


async def _close(cluster: SpecCluster) -> None:
    """Ends all workers at once: what they have on disk is complete, and a running step cannot be asked to stop."""
    for nanny in cluster.workers.values():
        nanny.auto_restart = False
    _kill_children()
    with suppress(asyncio.TimeoutError, OSError, AssertionError):
        await asyncio.wait_for(cast(Awaitable[None], cluster.close()), _CLOSING_SECONDS)
    _kill_children()


def _kill_children() -> None:
    for child in multiprocessing.active_children():
        if child.pid:
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
