"""Pre-flight of room: the volume against the disk and the quota, one row against the memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from stp3 import config
from stp3.errors import UsageFault
from stp3.plan import Plan, free_memory_bytes, slab_height
from stp3.preflight import Finding
from stp3.quota import quota_left
from stp3.recipe import Recipe
from stp3.scan import Scan

_TIGHT = 1.2  # a volume that leaves less than a fifth of itself free


def findings(scan: Scan, recipe: Recipe, rows: range, folder: Path | None) -> Iterator[Finding]:
    """Whether a volume of those rows fits; `folder` is where it would go (None: where jobs are kept)."""
    plan = Plan(scan, recipe, rows, 1)
    yield from _memory(plan)
    y, x = plan.slice_shape
    yield from _disk(len(rows) * y * x * plan.dtype.itemsize, folder or config.jobs_folder())


def _memory(plan: Plan) -> Iterator[Finding]:
    free = free_memory_bytes()
    try:
        height = slab_height(plan, free)
    except UsageFault as fault:
        yield Finding("red", "memory", f"The memory of this machine is too small: {fault}")
        return
    text = f"{_size(free)} of memory are free, enough for {height} rows at a time."
    yield Finding("green", "memory", text)


def _disk(needed: int, folder: Path) -> Iterator[Finding]:
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    room, what = shutil.disk_usage(folder).free, "the disk"
    if (left := quota_left(folder)) is not None and left < room:
        room, what = left, "your quota"
    about = f"The volume takes {_size(needed)} in {folder}, {what} has {_size(room)} left"
    if not os.access(folder, os.W_OK):
        yield Finding("red", "disk", f"{folder} cannot be written to. Choose another folder for the volume.")
    elif needed > room:
        yield Finding("red", "disk", f"{about}. Free space, choose another folder, fewer rows or integer slices.")
    elif needed * _TIGHT > room:
        yield Finding("amber", "disk", f"{about}: just enough.")
    else:
        yield Finding("green", "disk", f"{about}.")


def _size(count: float) -> str:
    """Such as 1.5 GB."""
    return f"{count / 1e9:.3g} GB" if count >= 1e9 else f"{count / 1e6:.3g} MB"
