"""A Dask cluster that somebody else runs: joined over TLS, never stopped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from distributed import Client, Security

from stp3 import __version__
from stp3.cluster.pool import Pool
from stp3.cluster.profiles import AddressProfile, Size
from stp3.cluster.quiet import quieten
from stp3.errors import Stp3Error

_JOIN_SECONDS = 10
_LONELY_SECONDS = 300.0
_LOOK_SECONDS = 5.0


@asynccontextmanager
async def open_address(profile: AddressProfile) -> AsyncIterator[Pool]:
    """The cluster at that address. Raises Stp3Error when it does not answer, or its workers have another STP3."""
    quieten()
    keys = {"tls_ca_file": profile.ca_file, "tls_client_cert": profile.cert, "tls_client_key": profile.key}
    security = Security(require_encryption=True, **{name: str(path) for name, path in keys.items()})  # type: ignore[no-untyped-call]
    client = Client(  # type: ignore[no-untyped-call]
        profile.address, security=security, asynchronous=True, set_as_default=False, timeout=_JOIN_SECONDS
    )
    try:
        await client
    except (OSError, TimeoutError) as error:
        raise Stp3Error(f"no Dask scheduler answers at {profile.address} with these keys ({error}).") from error
    async with client:
        watch = asyncio.create_task(_watch(client))
        try:
            yield Pool(client, await _size(client), watch)
        finally:
            watch.cancel()


async def _size(client: Any) -> Size:
    workers = (await client.scheduler.identity(n_workers=-1))["workers"].values()
    if not workers:
        raise Stp3Error(f"the cluster at {client.scheduler.address} has no workers. Start some, then resume the job.")
    other = {version for version in (await client.run(_version)).values() if version != __version__}
    if other:
        raise Stp3Error(
            f"its workers have STP3 {', '.join(sorted(other))}, this one is {__version__}. Install the same."
        )
    memory = min(worker["memory_limit"] or 1 << 62 for worker in workers)
    return Size(len(workers), min(worker["nthreads"] for worker in workers), memory)


def _version() -> str:
    return __version__


async def _watch(client: Any) -> None:
    """Raises Stp3Error when the cluster is gone for long."""
    seen = time.monotonic()
    while time.monotonic() - seen < _LONELY_SECONDS:
        await asyncio.sleep(_LOOK_SECONDS)
        with suppress(OSError, TimeoutError):
            if (await asyncio.wait_for(client.scheduler.identity(), _JOIN_SECONDS))["n_workers"]:
                seen = time.monotonic()
    raise Stp3Error("the cluster has no workers any more. Start some, then resume the job.")
