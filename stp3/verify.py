"""Whether the files of a volume are still what was written: every checksum, many files at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from stp3.durable import Unit

_AT_ONCE = 4  # one thread checks several GB/s: more would only make the disk jump
_LOOK_SECONDS = 0.25


@dataclass(frozen=True)
class Damage:
    """A file of a volume, or a part of one, that is no longer what was written, and what is wrong with it."""

    unit: Unit
    reason: str

    def __str__(self) -> str:
        where = (
            "" if self.unit.offset is None else f" (bytes {self.unit.offset} to {self.unit.offset + self.unit.bytes})"
        )
        return f"{self.unit.path}{where} {self.reason}"


def check_units(
    folder: Path, units: Sequence[Unit], on_progress: Callable[[int, int], None] | None = None
) -> list[Damage]:
    """Those that are damaged or missing. `on_progress(bytes_read, bytes_total)` may raise to stop."""
    read: list[int] = []  # appended to by all threads
    total = sum(unit.bytes for unit in units)
    pool = ThreadPoolExecutor(min(_AT_ONCE, len(os.sched_getaffinity(0)) + 1))
    try:
        futures = [pool.submit(unit.damage, folder, read.append) for unit in units]
        waiting = set(futures)
        done_bytes = 0
        while waiting:
            _, waiting = wait(waiting, _LOOK_SECONDS)
            count = len(read)
            done_bytes += sum(read[:count])
            del read[:count]
            if on_progress:
                on_progress(done_bytes, total)
        found = [future.result() for future in futures]
    finally:
        pool.shutdown(cancel_futures=True)
    return [Damage(unit, reason) for unit, reason in zip(units, found, strict=True) if reason]
