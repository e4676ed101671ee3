"""A preview: the engine on one row, with its stages kept so that a change costs only what follows it."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, MutableMapping
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from stp3.engine import OnIteration, reach
from stp3.errors import UsageFault
from stp3.measured import Measured, measure
from stp3.plan import Plan, found_axis, part_of, with_rotation_axis
from stp3.recipe import Recipe, StepUse
from stp3.scan import Scan
from stp3.steps.base import ScanStep, Slab
from stp3.steps.scan_parts import Angles, Bin

_KEPT_BYTES = 1 << 30
_COARSE_COLUMNS, _COARSE_ANGLES = 512, 300


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

    def coarse(self, recipe: Recipe, row: int) -> tuple[NDArray[np.float32], int] | None:
        """A first impression of the same slice: from fewer angles of a binned scan, and how much it was binned.

        None where it would be no quicker or would not show the same.
        """
        full = self.resolve(recipe, row)
        size = math.ceil(full.scan.columns / _COARSE_COLUMNS)
        if size == 1 or full.measured:
            return None
        every = min(size, max(full.scan.angles // _COARSE_ANGLES, 1))
        try:
            plan = self.resolve(_coarser(recipe, every, size), row)
            missed = np.subtract(full.slice_shape, np.multiply(plan.slice_shape, size))
        except UsageFault:  # too few rows, or a parameter that suits the whole width only
            return None
        if np.abs(missed).max() >= 2 * size:
            return None
        return np.asarray(self._reach(plan).data[0], np.float32), size

    def _find_axis(self, scan: Scan) -> dict[str, float]:
        if self._axis is None:
            self._axis = found_axis(scan, self.threads)
        return self._axis

    def slice(self, recipe: Recipe, row: int, on_step: Callable[[str], None] | None = None) -> NDArray[np.float32]:
        """The slice of that detector row, shape (y, x), float32: what a job stores, before it is made 8 or 16 bit."""
        return np.asarray(self.slab(recipe, row, on_step).data[0], np.float32)

    def slab(
        self,
        recipe: Recipe,
        row: int,
        on_step: Callable[[str], None] | None = None,
        on_iteration: OnIteration | None = None,
    ) -> Slab:
        """The slab of that one row after all steps: the slice and what else is known of it. See `run_slab`."""
        return self._reach(self.resolve(recipe, row), on_step, on_iteration)

    def _reach(
        self, plan: Plan, on_step: Callable[[str], None] | None = None, on_iteration: OnIteration | None = None
    ) -> Slab:
        return reach(
            plan, plan.rows, threads=self.threads, stages=self.stages, on_step=on_step, on_iteration=on_iteration
        )


def _coarser(recipe: Recipe, every: int, size: int) -> Recipe:
    """The recipe with fewer angles and larger pixels, after the parts of the scan that it takes itself."""
    place = max((at + 1 for at, use in enumerate(recipe.uses) if issubclass(use.step, ScanStep)), default=0)
    parts = StepUse("angles", Angles.Parameters(every=every)), StepUse("bin", Bin.Parameters(size=size))
    return Recipe((*recipe.uses[:place], *parts, *recipe.uses[place:]))


def _row_of_part(scan: Scan, row: int) -> int:
    """Where a detector row is in a cropped or binned scan. Raises UsageFault."""
    place = (row - scan.row_start) // scan.binning
    if not 0 <= place < scan.rows:
        last = scan.row_start + scan.rows * scan.binning - 1
        raise UsageFault(f"row {row} is cropped away; rows {scan.row_start} to {last} are left. Choose one of them.")
    return place


class _Recent(MutableMapping[str, Slab]):
    """The stages used last, within a number of bytes; several threads may use it."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._kept: OrderedDict[str, Slab] = OrderedDict()
        self._lock = Lock()

    def __getitem__(self, key: str) -> Slab:
        with self._lock:
            self._kept.move_to_end(key)
            return self._kept[key]

    def __setitem__(self, key: str, slab: Slab) -> None:
        with self._lock:
            self._kept[key] = slab
            self._kept.move_to_end(key)
            while len(self._kept) > 1 and sum(one.data.nbytes for one in self._kept.values()) > self.limit_bytes:
                self._kept.popitem(last=False)

    def __delitem__(self, key: str) -> None:
        with self._lock:
            del self._kept[key]

    def __iter__(self) -> Iterator[str]:
        with self._lock:
            return iter(list(self._kept))

    def __len__(self) -> int:
        return len(self._kept)
