"""A filmstrip to choose the rotation axis by eye: slices at many axes, with the whole recipe applied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stp3.engine import go_on, reach
from stp3.errors import UsageFault
from stp3.plan import Plan
from stp3.preview import Preview
from stp3.recipe import Recipe
from stp3.scan import Scan
from stp3.steps.base import Slab

_EVEN = 1e-6  # columns


def axis_sweep(
    preview: Preview | Scan,
    recipe: Recipe,
    row: int,
    columns: Sequence[float],
    on_step: Callable[[str], None] | None = None,
) -> NDArray[np.float32]:
    """The slices of a detector row with the rotation axis on each of those columns, shape (columns, y, x), float32.

    They are columns of the whole detector, as `rotation_axis.column`. What comes before the axis is done once, and
    kept by a `Preview`; evenly spaced columns are reconstructed together. What follows from the axis, as the overlap
    of a half acquisition, follows from the middle one. `on_step` hears the name of each step before it runs; it may
    raise to stop. Raises UsageFault.
    """
    if len(columns) == 0:
        raise UsageFault("an axis sweep needs at least one column, got none.")
    preview = Preview(preview) if isinstance(preview, Scan) else preview
    chosen = [recipe.with_values({"rotation_axis.column": float(column)}) for column in columns]
    plans = [preview.resolve(one, row) for one in chosen]
    middle = len(plans) // 2
    before, after = _around_axis(plans[middle])
    spaces = np.diff(columns) if len(columns) > 1 else np.zeros(1)
    if np.ptp(spaces) > _EVEN or after.halo:
        return np.stack([preview.slice(one, row, on_step=on_step) for one in chosen])
    slab = reach(before, before.rows, threads=preview.threads, stages=preview.stages, on_step=on_step)
    slab = _as_rows(slab, len(columns), middle, float(spaces[0]) / slab.binning)
    return np.asarray(go_on(after, slab, on_step).data, np.float32)


def _around_axis(plan: Plan) -> tuple[Plan, Plan]:
    """The plan up to the rotation axis, and from there on."""
    place = [use.name for use in plan.recipe.uses].index("rotation_axis") + 1
    uses = plan.recipe.uses
    return replace(plan, recipe=Recipe(uses[:place])), replace(plan, recipe=Recipe(uses[place:]))


def _as_rows(slab: Slab, count: int, middle: int, space: float) -> Slab:
    """The one row of the slab so many times, the axis moving by `space` from one to the next; `middle` keeps its."""
    angles, _, columns = slab.data.shape
    return replace(
        slab,
        data=np.broadcast_to(slab.data, (angles, count, columns)),
        rows=range(count),
        rotation_axis=float(slab.axes[0]),
        axis_row=float(middle),
        axis_slope=space,
        flats=None,
        darks=None,
        scan_rows=None,
    )
