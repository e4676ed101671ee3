"""One way to a cluster whatever its kind: `open_cluster` gives a client and the number of slots."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stp3.cluster.profiles import AddressProfile, AnyProfile, Size, SlurmProfile


@dataclass(frozen=True)
class Pool:
    """A running cluster: an asynchronous Dask client, what each of its workers has, and a task that ends with a
    Stp3Error when the cluster is beyond help. `waiting` tells in words why no worker is there yet, "" when one is."""

    client: Any
    size: Size
    watch: asyncio.Task[None]
    waiting: Callable[[], str] = lambda: ""

    async def guard(self, work: Coroutine[Any, Any, None]) -> None:
        """Does the work unless the cluster fails first. Raises what the work or the cluster raises."""
        task = asyncio.create_task(work)
        try:
            await asyncio.wait([task, self.watch], return_when=asyncio.FIRST_COMPLETED)
            await (task if task.done() else self.watch)
        finally:
            task.cancel()
            await asyncio.wait([task])


@asynccontextmanager
async def open_cluster(profile: AnyProfile, private: Path) -> AsyncIterator[Pool]:
    """A cluster for one job, gone with all its processes when the context ends.

    `private` is a folder of this job alone (0700) for keys and scratch files; on SLURM it lies in the job's run
    directory, which all nodes see, and which is the working folder.
    """
    opened: AbstractAsyncContextManager[Pool]
    if isinstance(profile, SlurmProfile):
        from stp3.cluster.slurm_pool import open_slurm

        opened = open_slurm(profile, private)
    elif isinstance(profile, AddressProfile):
        from stp3.cluster.address_pool import open_address

        opened = open_address(profile)
    else:
        from stp3.cluster.local import open_local

        opened = open_local(profile, private)
    async with opened as pool:
        yield pool
