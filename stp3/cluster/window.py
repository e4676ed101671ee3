"""Runs tasks on a cluster through a bounded window: a new one goes in when one comes out, and is forgotten at once.

Dask keeps results on workers and recomputes them when a worker dies, so no finished future is kept.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

from distributed import as_completed
from distributed.scheduler import KilledWorker

from stp3.cluster.pool import Pool
from stp3.errors import ScanFault, Stp3Error, UsageFault
from stp3.run import IN_FLIGHT

_ATTEMPTS = 3
_FINAL = (UsageFault, ScanFault)  # trying again would say the same
Item = TypeVar("Item", bound=Hashable)
log = logging.getLogger("stp3.driver")


async def run_window(
    pool: Pool,
    name: str,
    items: Iterable[Item],
    call: Callable[[Item], tuple[Any, ...]],
    done: Callable[[Item, Any], None],
) -> None:
    """Runs `call(item)` = (function, arguments...) on the workers for all items; `done(item, result)` hears of each.

    A task that fails is tried three times. Raises its last error.
    """
    waiting, running, attempts = deque(items), dict[str, Item](), Counter[Item]()
    finished = as_completed(loop=pool.client.loop)  # type: ignore[no-untyped-call]

    def submit(item: Item) -> None:
        attempts[item] += 1
        function, *arguments = call(item)
        future = pool.client.submit(function, *arguments, key=f"{name}-{hash(item)}-{attempts[item]}", pure=False)
        running[future.key] = item
        finished.add(future)  # type: ignore[no-untyped-call]

    while waiting and len(running) < (IN_FLIGHT + 1) * pool.size.workers:
        submit(waiting.popleft())
    async for future in finished:
        item = running.pop(future.key)
        if future.status == "error":
            error = await future.exception()
            _give_up_or_log(error, item, attempts[item])
            waiting.appendleft(item)
        else:
            done(item, await future)
        future.release()
        if waiting:
            submit(waiting.popleft())


async def run_one(pool: Pool, function: Callable[..., Any], *arguments: Any) -> Any:
    """The result of one task. Raises its error."""
    future = pool.client.submit(function, *arguments, pure=False)
    try:
        return await future
    except KilledWorker as error:
        raise _killed(function.__name__) from error
    finally:
        future.release()


def _give_up_or_log(error: BaseException, item: object, attempt: int) -> None:
    if isinstance(error, KilledWorker):
        raise _killed(_named(item)) from error
    if isinstance(error, _FINAL) or attempt >= _ATTEMPTS:
        raise error
    log.warning("%s failed (attempt %d of %d), trying again: %s", _named(item), attempt, _ATTEMPTS, error)


def _named(item: object) -> str:
    return f"rows {item.start}:{item.stop}" if isinstance(item, range) else str(item)


def _killed(what: str) -> Stp3Error:
    return Stp3Error(
        f"the worker died three times while it worked on {what}: most likely its memory was not enough "
        "(or the scan crashes the library that reads it). Give the workers more memory or look into driver.log."
    )
