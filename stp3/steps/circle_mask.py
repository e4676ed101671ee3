"""Blanks the corners that no full set of angles has seen."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stp3.kernels.window import Window
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
        window = slab.window or Window.whole(out.shape[2])
        radius = parameters.ratio * window.side / 2
        for y in range(out.shape[1]):  # of all slices at once; what stays is not touched
            left, right = _inside(window, radius**2 - (window.top + y - (window.side - 1) / 2) ** 2)
            out[:, y, :left] = out[:, y, right:] = parameters.value
        return slab.with_data(out)


def _inside(window: Window, half_squared: float) -> tuple[int, int]:
    """First and last-but-one pixel of a line of the window that are no further from the slice's middle than that."""
    if half_squared < 0:
        return window.wide, window.wide
    middle, half = (window.side - 1) / 2 - window.left, math.sqrt(half_squared)
    first = min(max(math.ceil(middle - half), 0), window.wide)
    return first, max(min(math.floor(middle + half), window.wide - 1) + 1, first)
