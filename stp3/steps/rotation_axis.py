"""Where the sample turned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from stp3.errors import UsageFault
from stp3.steps.base import AUTO, Slab, Step, StepParameters, parameter

if TYPE_CHECKING:
    from stp3.scan import Scan


class RotationAxis(Step):
    """Tells the steps after it which detector column the rotation axis falls on, in every row."""

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
        tilt: float | Literal["auto"] = parameter(
            AUTO,
            "How far the camera is turned against the axis; above 0 the axis moves to higher columns down the rows. "
            "Auto takes what is found together with the column, and 0 with a column entered by hand.",
            title="Tilt",
            unit="degrees",
            expert=True,
        )
        row: float | Literal["auto"] = parameter(
            AUTO,
            "The detector row on which the axis falls on that column; it matters with a tilt only. Auto is the middle "
            "row of those that are used.",
            title="In row",
            unit="rows",
            expert=True,
        )

    @classmethod
    def settle_for(cls, parameters: Any, scan: Scan) -> Any:
        found = {} if parameters.row != AUTO else {"row": scan.row_on_detector((scan.rows - 1) / 2)}
        if parameters.column != AUTO and parameters.tilt == AUTO:
            found["tilt"] = 0.0
        return parameters.model_copy(update=found)

    @classmethod
    def memory_factor(cls, parameters: Any) -> float:
        return 1.0

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """The same data with the axis set. Raises UsageFault while it still says "auto"."""
        tilt = 0.0 if parameters.tilt == AUTO else parameters.tilt
        if parameters.column == AUTO or (tilt and parameters.row == AUTO):
            name = "column" if parameters.column == AUTO else "row"
            raise UsageFault(f'rotation_axis.{name} is still "auto". Resolve the recipe to a plan, or enter a {name}.')
        column = slab.from_detector(parameters.column)
        if not tilt:
            return slab.with_data(slab.data, rotation_axis=column, axis_slope=0.0)
        row, slope = slab.row_from_detector(parameters.row), float(np.tan(np.deg2rad(tilt)))
        return slab.with_data(slab.data, rotation_axis=column, axis_row=row, axis_slope=slope)
