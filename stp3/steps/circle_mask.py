"""Blanks the corners that no full set of angles has seen."""

from __future__ import annotations

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
        side_y, side_x = slab.data.shape[1:]
        y, x = np.ogrid[:side_y, :side_x]
        radius = parameters.ratio * side_x / 2
        inside = (x - (side_x - 1) / 2) ** 2 + (y - (side_y - 1) / 2) ** 2 <= radius**2
        return slab.with_data(np.where(inside, slab.data, np.float32(parameters.value)))
