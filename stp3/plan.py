"""A plan: a recipe resolved against a scan and a memory budget; nothing in it is left to be found."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np

from stp3.errors import ScanFault, UsageFault
from stp3.measured import Measured, measure
from stp3.recipe import Recipe, StepUse
from stp3.scan import Scan
from stp3.steps.base import AUTO, ScanStep

_SAMPLED_ROWS = 5
_MAX_SLAB_ROWS = 64
_LEAST_SLABS = 6  # so that even in a short run reading, computing and writing overlap
PROCESS_BYTES = 160 << 20
"""Python, the libraries and their threads."""
_LANES = 16  # slices that the compiled kernel reconstructs together at best


@dataclass(frozen=True)
class Plan:
    """What the engine runs.

    `scan` is the part of the measured one that the recipe takes; `rows` count in it.
    `recipe` has a number wherever the user's said "auto", and `measured` holds what its steps measured in the whole
    scan: a plan made again from both measures nothing.
    """

    scan: Scan
    recipe: Recipe
    rows: range
    slab_rows: int
    measured: Measured = field(default_factory=dict)

    @property
    def parts(self) -> tuple[StepUse, ...]:
        """The steps that made `scan` out of what was measured."""
        return tuple(use for use in self.recipe.running if issubclass(use.step, ScanStep))

    @property
    def steps(self) -> tuple[StepUse, ...]:
        """The steps that slabs go through."""
        return tuple(use for use in self.recipe.running if not issubclass(use.step, ScanStep))

    @cached_property
    def passes(self) -> tuple[tuple[StepUse, ...], ...]:
        """The steps, those together that go through the slab's memory in one pass."""
        passes, left = [], list(self.steps)
        while left:
            count = left[0].step.joins([(use.name, use.parameters) for use in left])
            passes.append(tuple(left[:count]))
            left = left[count:]
        return tuple(passes)

    @property
    def halo(self) -> int:
        """Rows that the steps together need above and below."""
        return sum(use.step.halo(use.parameters) for use in self.steps)

    @property
    def columns(self) -> int:
        """Columns of the sinograms that are reconstructed."""
        columns = self.scan.columns
        for use in self.steps:
            columns = use.step.columns(use.parameters, columns)
        return columns

    @property
    def slice_shape(self) -> tuple[int, int]:
        """Rows and columns of a slice. Raises UsageFault when a step does not suit the size of the scan."""
        shape = self.scan.columns, self.scan.columns
        for use in self.steps:
            shape = use.step.slice_shape(use.parameters, shape)
        return shape

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """What a slice of the volume is stored as."""
        outputs = [use.parameters for use in self.steps if use.name == "output"]
        return np.dtype(getattr(outputs[0], "dtype", "float32") if outputs else "float32")

    def slabs(self) -> Iterator[range]:
        """The rows of each slab, in order."""
        for start in range(self.rows.start, self.rows.stop, self.slab_rows):
            yield range(start, min(start + self.slab_rows, self.rows.stop))


def resolve(
    recipe: Recipe, scan: Scan, *, rows: range | None = None, memory_bytes: int | None = None, threads: int = 1
) -> Plan:
    """The plan for all rows, or for `rows` of the detector, of a scan within a memory budget (default: a quarter of
    what is free).

    The budget is for all that the process holds at its peak.
    Measures what needs the whole scan: the rotation axis, what steps ask for, and the grey range.
    Raises UsageFault or ScanFault.
    """
    recipe, rows = recipe.settled(scan), check_rows(scan, rows)
    scan = part_of(scan, recipe)
    chosen = rows_of_part(scan, rows)
    recipe = with_rotation_axis(recipe, scan, partial(found_axis, threads=threads))
    budget = memory_bytes if memory_bytes is not None else free_memory_bytes() // 4
    recipe, measured = measure(recipe, scan, threads)
    plan = Plan(scan, recipe, chosen, 1, measured)
    plan = replace(plan, recipe=with_grey_range(plan, threads))
    return replace(plan, slab_rows=slab_height(plan, budget))


def part_of(scan: Scan, recipe: Recipe) -> Scan:
    """The part of the scan that the recipe takes: cropped, binned, fewer angles. Raises UsageFault."""
    for use in recipe.running:
        if issubclass(use.step, ScanStep):
            scan = use.step.part(scan, use.parameters)
    return scan


def check_rows(scan: Scan, rows: range | None) -> range:
    """Those rows when the scan has them, all rows for None. Raises UsageFault."""
    if rows is None:
        return range(scan.rows)
    if not (0 <= rows.start < rows.stop <= scan.rows and rows.step == 1):
        raise UsageFault(
            f"rows must lie within 0:{scan.rows} (the scan has {scan.rows} rows), got {rows.start}:{rows.stop}."
        )
    return rows


def rows_of_part(scan: Scan, rows: range) -> range:
    """The rows of a cropped and binned scan that lie within those of the detector. Raises UsageFault."""
    start = max(-((scan.row_start - rows.start) // scan.binning), 0)
    stop = min((rows.stop - scan.row_start) // scan.binning, scan.rows)
    if start >= stop:
        last = scan.row_start + scan.rows * scan.binning - 1
        raise UsageFault(
            f"of the rows {rows.start} to {rows.stop - 1} the recipe leaves none: it keeps rows {scan.row_start} to "
            f"{last}" + (f", {scan.binning} of which become one" if scan.binning > 1 else "") + ". Choose among them."
        )
    return range(start, stop)


def with_rotation_axis(recipe: Recipe, scan: Scan, find: Callable[[Scan], dict[str, float]]) -> Recipe:
    """The recipe with its rotation axis where it says "auto": as another step tells it, else as `find` does.

    Raises UsageFault, and what `find` raises.
    """
    uses = [use for use in recipe.running if use.name == "rotation_axis"]
    if not uses:
        raise UsageFault("the recipe has no rotation_axis step. Add one before the reconstruction.")
    entered = uses[0].parameters.model_dump()
    if entered["column"] == AUTO:
        found = told_axis(recipe, scan) or find(scan)
        kept = [name for name in found if name != "tilt" or entered["tilt"] == AUTO]
        recipe = recipe.with_values({f"rotation_axis.{name}": found[name] for name in kept})
        entered = recipe.use("rotation_axis").parameters.model_dump()
    first, last = scan.on_detector(0), scan.on_detector(scan.columns - 1)
    if not first <= entered["column"] <= last:
        raise UsageFault(
            f"rotation_axis must be between {first:g} and {last:g} (the scan has {scan.columns} columns), "
            f'got {entered["column"]}. Use "find rotation axis" or enter a column.'
        )
    return recipe.settled_at(scan.columns, scan.from_detector(entered["column"]))


def told_axis(recipe: Recipe, scan: Scan) -> dict[str, float] | None:
    """The rotation axis where another step says it as well."""
    for use in recipe.running:
        column = use.step.tells_axis(use.parameters, scan.columns)
        if column is not None:
            return {"column": scan.on_detector(column), "row": scan.row_on_detector((scan.rows - 1) / 2), "tilt": 0.0}
    return None


def found_axis(scan: Scan, threads: int = 1) -> dict[str, float]:
    """Column, row and tilt of the rotation axis, in pixels of the detector and degrees.

    Raises ScanFault when they cannot be trusted.
    """
    from stp3.axis import find_rotation_axis

    report = find_rotation_axis(scan, threads=threads)
    if report.verdict == "red":
        methods = (
            ", ".join(f"{name} {scan.on_detector(value):.2f}" for name, value in report.methods.items())
            or "no method found any"
        )
        raise ScanFault(
            f"the rotation axis found cannot be trusted ({methods}; spread {report.spread:.1f} columns). "
            "Look at slices and enter a column: rotation_axis.column."
        )
    return report.on_detector(scan)


def with_grey_range(plan: Plan, threads: int) -> Recipe:
    """The recipe with the grey range of integer slices measured on a few rows where it says "auto"."""
    from stp3.engine import run_slab

    outputs = [use.parameters.model_dump() for use in plan.steps if use.name == "output"]
    if not outputs or outputs[0]["dtype"] == "float32" or AUTO not in (outputs[0]["low"], outputs[0]["high"]):
        return plan.recipe
    bare = replace(plan, recipe=plan.recipe.without("output"))
    sampled = sorted({int(row) for row in np.linspace(plan.rows.start, plan.rows.stop - 1, _SAMPLED_ROWS + 2)[1:-1]})
    values = np.concatenate([run_slab(bare, range(row, row + 1), threads=threads).ravel() for row in sampled])
    tails = outputs[0]["low_tail_percent"], 100 - outputs[0]["high_tail_percent"]
    low, high = (float(value) for value in np.percentile(values, tails))
    if not low < high:
        raise ScanFault(
            f"the sampled slices hold one value only ({low:g}): there is nothing to see. Look at a preview."
        )
    found = {"output.low": low, "output.high": high}
    return plan.recipe.with_values({key: value for key, value in found.items() if outputs[0][key[7:]] == AUTO})


def slab_height(plan: Plan, memory_bytes: int) -> int:
    """Rows of a slab such that all slabs in flight stay inside the budget. Raises UsageFault."""
    fixed, a_row = _fixed_bytes(plan), _bytes_a_row(plan)
    held = int((memory_bytes - fixed) // a_row)
    height = held - 2 * plan.halo if held < plan.scan.rows else plan.scan.rows
    if height < 1:
        need = fixed + a_row * min(1 + 2 * plan.halo, plan.scan.rows)
        raise UsageFault(
            f"one row needs {need / 2**20:.0f} MiB, the budget is {memory_bytes / 2**20:.0f} MiB. "
            "Give the job more memory or bin the scan."
        )
    if _LANES <= height < len(plan.rows):
        height -= height % _LANES
    shared = math.ceil(len(plan.rows) / _LEAST_SLABS / _LANES) * _LANES
    return min(height, max(min(shared, _MAX_SLAB_ROWS), 4 * plan.halo), len(plan.rows))


def _fixed_bytes(plan: Plan) -> int:
    """What this process needs whatever the slab's height: itself, and what its hungriest step holds."""
    angles, columns = plan.scan.angles, plan.columns
    return PROCESS_BYTES + max(use.step.memory_fixed(use.parameters, angles, columns) for use in plan.steps)


def _bytes_a_row(plan: Plan) -> float:
    """Memory for each row of a slab: counts of the slab that is read and of the one that is computed, what its
    hungriest step holds, and slices of both that one and the one that is written.
    """
    scan = plan.scan
    counts = scan.angles * scan.columns * scan.projections.dtype.itemsize
    row_bytes = 4 * max(scan.angles, plan.columns) * plan.columns  # a slice may be larger than its sinogram
    slices = math.prod(plan.slice_shape) * plan.dtype.itemsize
    return 2 * counts + max(use.step.memory_factor(use.parameters) for use in plan.steps) * row_bytes + 2 * slices


def free_memory_bytes() -> int:
    """Memory that can be taken without swapping (Linux: MemAvailable)."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            fields = dict(line.split(":", 1) for line in file)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
