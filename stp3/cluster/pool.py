"""One way to a cluster whatever its kind: `open_cluster` gives a client and the number of slots."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stp3.cluster.profiles import Profile, Size


@dataclass(frozen=True)
class Pool:
    """A running cluster: an asynchronous Dask client, and what each of its workers has."""

    client: Any
    size: Size


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
