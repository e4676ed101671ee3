"""A preview: the engine on one row, with its stages kept so that a change costs only what follows it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stp3.engine import run_slab
from stp3.errors import UsageFault
from stp3.measured import Measured, measure
from stp3.plan import Plan, found_axis, part_of, with_rotation_axis
from stp3.recipe import Recipe
from stp3.scan import Scan
from stp3.steps.base import Slab

_KEPT_BYTES = 1 << 30


class Preview:
    """Slices of one scan, quickly, again and again."""

    def __init__(self, scan: Scan, threads: int = 1) -> None:
        self.scan = scan
        self.threads = threads
        self.stages = _Recent(_KEPT_BYTES)
        self._axis: dict[str, float] | None = None
        self._measured: Measured = {}

    def resolve(self, recipe: Recipe, row: int) -> Plan:
        """The plan of that detector row, in float32; the rotation axis is searched, and steps measure, once a scan."""
        recipe = recipe.settled(self.scan)
        scan = part_of(self.scan, recipe)
        place = _row_of_part(scan, self.scan.check_row(row))
        resolved = with_rotation_axis(recipe, scan, self._find_axis)
        resolved, measured = measure(resolved, scan, self.threads, self._measured)
        return Plan(scan, resolved.without("output"), range(place, place + 1), 1, measured)

    def _find_axis(self, scan: Scan) -> dict[str, float]:
        if self._axis is None:
            self._axis = found_axis(scan, self.threads)
        return self._axis

    def slice(self, recipe: Recipe, row: int, on_step: Callable[[str], None] | None = None) -> NDArray[np.float32]:
        """The slice of that detector row, shape (y, x), float32: what a job stores, before it is made 8 or 16 bit."""
        plan = self.resolve(recipe, row)
        data = run_slab(plan, plan.rows, threads=self.threads, stages=self.stages, on_step=on_step)
        return np.asarray(data[0], np.float32)


def _row_of_part(scan: Scan, row: int) -> int:
    """Where a detector row is in a cropped or binned scan. Raises UsageFault."""
    place = (row - scan.row_start) // scan.binning
    if not 0 <= place < scan.rows:
        last = scan.row_start + scan.rows * scan.binning - 1
        raise UsageFault(f"row {row} is cropped away; rows {scan.row_start} to {last} are left. Choose one of them.")
    return place


class _Recent(OrderedDict[str, Slab]):
    """The stages used last, within a number of bytes."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__()
        self.limit_bytes = limit_bytes

    def __getitem__(self, key: str) -> Slab:
        self.move_to_end(key)
        return super().__getitem__(key)

    def __setitem__(self, key: str, slab: Slab) -> None:
        super().__setitem__(key, slab)
        self.move_to_end(key)
        while len(self) > 1 and sum(kept.data.nbytes for kept in self.values()) > self.limit_bytes:
            self.popitem(last=False)
