"""Where the sample turned."""

from __future__ import annotations

from typing import Any, Literal

from stp3.errors import UsageFault
from stp3.steps.base import AUTO, Slab, Step, StepParameters, parameter


class RotationAxis(Step):
    """Tells the steps after it which detector column the rotation axis falls on."""

    name = "rotation_axis"
    title = "Rotation axis"
    domain = "sinogram"

    class Parameters(StepParameters):
        column: float | Literal["auto"] = parameter(
            AUTO,
            "The detector column on which the rotation axis falls (centre of rotation), counted from 0 at the centre "
            "of the first pixel of the whole detector, cropped or not; fractions count. Auto finds it. A wrong axis "
            "turns small things into crescents.",
            title="Column",
            unit="columns",
        )

    @classmethod
    def memory_factor(cls, parameters: Any) -> float:
        return 1.0

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """The same data with the axis set. Raises UsageFault while it still says "auto"."""
        if parameters.column == AUTO:
            raise UsageFault('rotation_axis.column is still "auto". Resolve the recipe to a plan, or enter a column.')
        return slab.with_data(slab.data, rotation_axis=slab.from_detector(parameters.column))
