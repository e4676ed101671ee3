"""Blanks the corners that no full set of angles has seen."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stp3.steps.base import Slab, Step, StepParameters, parameter


class CircleMask(Step):
    """Sets everything outside a circle around the rotation axis to one value."""

    name = "circle_mask"
    title = "Circle mask"
    domain = "slice"

    class Parameters(StepParameters):
        ratio: float = parameter(
            1.0,
            "Diameter of the circle as a share of the slice's width. Beyond 1 the corners show up to 1.42.",
            title="Diameter",
            gt=0.0,
            le=1.5,
        )
        value: float = parameter(0.0, "What stands outside the circle.", title="Value outside", expert=True)

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """Slices with `value` wherever a pixel's centre lies outside."""
        out = slab.target()
        if out is not slab.data:
            np.copyto(out, slab.data)
        side_y, side_x = out.shape[1:]
        radius = parameters.ratio * side_x / 2
        for y in range(side_y):  # of all slices at once; what stays is not touched
            left, right = _inside(side_x, radius**2 - (y - (side_y - 1) / 2) ** 2)
            out[:, y, :left] = out[:, y, right:] = parameters.value
        return slab.with_data(out)


def _inside(side: int, half_squared: float) -> tuple[int, int]:
    """First and last-but-one pixel of a line whose centres are no further from its middle than that."""
    if half_squared < 0:
        return side, side
    middle, half = (side - 1) / 2, math.sqrt(half_squared)
    return max(math.ceil(middle - half), 0), min(math.floor(middle + half), side - 1) + 1
