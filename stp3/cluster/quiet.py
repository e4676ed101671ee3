"""Dask as all our clusters have it: no pages over HTTP, no chatter in the log, no spilling of running steps."""

from __future__ import annotations

import logging
from typing import Any

from distributed import Scheduler, SchedulerPlugin, Worker

from stp3.cluster.profiles import Size

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
log = logging.getLogger("stp3.driver")


class _NoPages:
    """Takes Dask's HTTP server away: it would answer anybody on this machine, TLS or not."""

    def start_http_server(self, *_: Any, **__: Any) -> None:
        pass


class QuietScheduler(_NoPages, Scheduler):
    """A scheduler with no port but the encrypted one."""


class QuietWorker(_NoPages, Worker):
    """A worker with no port but the encrypted one."""


class Losses(SchedulerPlugin):
    """Says in the log when a worker is lost; a new one is started by its nanny."""

    def __init__(self) -> None:
        self.is_closing = False

    def remove_worker(self, scheduler: Scheduler, worker: str, **_: Any) -> None:
        if not self.is_closing:
            log.warning("a worker was lost; another takes its place and its slab is done again")


def quieten() -> None:
    """Keeps the talk between Dask's processes out of the log."""
    logging.getLogger("distributed").setLevel(logging.ERROR)
    for name in ("batched", "core", "http.proxy", "nanny", "scheduler"):
        logging.getLogger(f"distributed.{name}").setLevel(logging.CRITICAL)


def settings(sized: Size) -> dict[str, Any]:
    """Dask's settings for a driver and its workers."""
    threads = {name: str(sized.threads) for name in _THREAD_VARIABLES}
    return {
        "distributed.nanny.pre-spawn-environ": threads,
        # Arrays inside a running step are nothing Dask could spill; only the last line of defence stays.
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
        "distributed.worker.memory.terminate": 0.95,
        "distributed.scheduler.allowed-failures": 2,
        "distributed.admin.system-monitor.gil.enabled": False,
        "distributed.worker.profile.enabled": False,
    }
