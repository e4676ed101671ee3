"""One way to a cluster whatever its kind: `open_cluster` gives a client and the number of slots."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stp3.cluster.profiles import Profile, Size


@dataclass(frozen=True)
class Pool:
    """A running cluster: an asynchronous Dask client, what each of its workers has, and a task that ends with a
    Stp3Error when the cluster is beyond help."""

    client: Any
    size: Size
    watch: asyncio.Task[None]

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
async def open_cluster(profile: Profile, private: Path) -> AsyncIterator[Pool]:
    """A cluster for one job, gone with all its processes when the context ends.

    `private` is a folder of this job alone (0700) for keys and scratch files.
    """
    match profile.kind:
        case "local":
            from stp3.cluster.local import open_local as open_kind
    async with open_kind(profile, private) as pool:
        yield pool
