"""Projections as a straight, upright detector without distortion would have seen them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stp3.errors import UsageFault
from stp3.steps.base import AUTO, Slab, Step, StepParameters, parameter

if TYPE_CHECKING:
    from stp3.kernels.warp import Places
    from stp3.scan import Scan

Auto = Literal["auto"]
_MOST_REACH = 512  # rows; more is no fault of a detector but of a number


class _Placed(StepParameters):
    """What follows from the scan."""

    centre_row: float | Auto = parameter(
        AUTO, "The row that stays where it is. Auto takes the middle of the detector.", title="Centre row", expert=True
    )
    reach: Annotated[int, Field(ge=0, le=_MOST_REACH)] | Auto = parameter(
        AUTO,
        "Rows above and below that a row is made of. Auto follows from the other parameters and the detector.",
        title="Reach",
        unit="rows",
        expert=True,
    )


class _Warped(Step):
    """A step that reads pixels at other places, the same in all projections."""

    domain = "projection"
    needs = "transmission"

    @classmethod
    def places(cls, parameters: Any, rows: NDArray[np.intp], columns: int) -> tuple[Places, Places]:
        """Row and column that each pixel of those rows is read from."""
        raise NotImplementedError

    @classmethod
    def settle_for(cls, parameters: Any, scan: Scan) -> Any:
        found = {} if parameters.centre_row != AUTO else {"centre_row": (scan.rows - 1) / 2}
        settled = parameters.model_copy(update=found)
        if settled.reach != AUTO:
            return settled
        rows = np.arange(scan.rows)
        reach = int(np.abs(cls.places(settled, rows, scan.columns)[0] - rows[:, None]).max()) + 1
        if reach > _MOST_REACH:
            raise UsageFault(
                f"{cls.name} would move pixels by {reach - 1} rows; at most {_MOST_REACH - 1} are allowed. "
                "Check its numbers."
            )
        return settled.model_copy(update={"reach": reach})

    @classmethod
    def halo(cls, parameters: Any) -> int:
        return int(_settled(cls.name, parameters).reach)

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """The projections, straight between four neighbours; beyond the detector its edge is repeated."""
        from stp3.kernels import memory
        from stp3.kernels.warp import Warp

        rows = np.asarray(slab.rows)
        down, across = cls.places(_settled(cls.name, parameters), rows, slab.data.shape[2])
        out = memory.empty(slab.data.shape)
        Warp.reading(down, across, slab.rows.start).apply(slab.data, out, slab.threads)
        return replace(slab, data=out)


def _settled(name: str, parameters: Any) -> Any:
    if AUTO in (parameters.centre_row, parameters.reach):
        raise UsageFault(f"{name}.centre_row and {name}.reach must be numbers: resolve the recipe to a plan.")
    return parameters


class RotateDetector(_Warped):
    """Turns the projections until the rotation axis stands upright."""

    name = "rotate_detector"
    title = "Turn the detector upright"

    class Parameters(_Placed):
        angle: float = parameter(
            0.0,
            "By how much the projections are turned, counter-clockwise, so that the rotation axis stands upright. A "
            "rotation axis whose column differs from row to row shows that the camera stood askew.",
            title="Angle",
            unit="degrees",
            ge=-15.0,
            le=15.0,
        )

    @classmethod
    def places(cls, parameters: Any, rows: NDArray[np.intp], columns: int) -> tuple[Places, Places]:
        from stp3.kernels.warp import turned

        return turned(rows, columns, parameters.centre_row, np.deg2rad(parameters.angle))


class Distortion(_Warped):
    """Undoes the radial distortion of the detector's optics."""

    name = "distortion"
    title = "Lens distortion"
    paper = "Vo, Atwood & Drakopoulos, Opt. Express 23:32859 (2015)"

    class Parameters(_Placed):
        centre_column: float | Auto = parameter(
            AUTO, "The column about which the picture is distorted. Auto takes the middle.", title="Centre column"
        )
        k0: float = parameter(1.0, "Scale: 1 leaves it.", title="k0", gt=0.5, lt=2.0)
        k1: float = parameter(0.0, "Backward coefficient of the radius in pixels.", title="k1", unit="1/pixel")
        k2: float = parameter(0.0, "The same of its square.", title="k2", unit="1/pixel²")
        k3: float = parameter(0.0, "The same of its third power.", title="k3", unit="1/pixel³")
        k4: float = parameter(0.0, "The same of its fourth power.", title="k4", unit="1/pixel⁴")

    @classmethod
    def places(cls, parameters: Any, rows: NDArray[np.intp], columns: int) -> tuple[Places, Places]:
        from stp3.kernels.warp import distorted

        centre = (columns - 1) / 2 if parameters.centre_column == AUTO else parameters.centre_column
        coefficients = tuple(getattr(parameters, f"k{power}") for power in range(5))
        return distorted(rows, columns, parameters.centre_row, centre, coefficients)
