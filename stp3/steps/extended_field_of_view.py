"""A sample almost twice as wide as the detector, from a whole turn about an axis near one of its sides."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from stp3.errors import UsageFault
from stp3.steps.base import AUTO, Slab, Step, StepParameters, parameter


class ExtendedFieldOfView(Step):
    """Joins projections half a turn apart to wide ones, as if the detector reached as far on both sides of the axis."""

    name = "extended_field_of_view"
    title = "Half acquisition"
    domain = "sinogram"

    class Parameters(StepParameters):
        side: Literal["auto", "left", "right"] = parameter(
            AUTO,
            "The side of the detector that the rotation axis is near, where projections overlap. Auto follows from "
            "the rotation axis.",
            title="Side of the overlap",
        )
        overlap: Annotated[float, Field(gt=1.0)] | Literal["auto"] = parameter(
            AUTO,
            "How many columns are seen from both sides of the sample. Auto follows from the rotation axis; entered "
            "together with the side, it tells where the axis is.",
            title="Overlap",
            unit="columns",
        )
        blend: Literal["linear", "average"] = parameter(
            "linear",
            "How two projections become one where they overlap. Linear fades from one to the other and leaves no "
            "seam; average takes the mean of both, with less noise.",
            title="Blend",
            expert=True,
        )
        normalise: bool = parameter(
            False,
            "Shifts the two projections to the same mean where they overlap. It helps when the beam changed between "
            "them; it harms with a small overlap and much noise.",
            title="Match levels",
            expert=True,
        )

    @classmethod
    def tells_axis(cls, parameters: Any, columns: int) -> float | None:
        if AUTO in (parameters.side, parameters.overlap):
            return None
        near = float(parameters.overlap - 1) / 2
        return near if parameters.side == "left" else columns - 1 - near

    @classmethod
    def settle_at(cls, parameters: Any, columns: int, axis: float) -> Any:
        found = {
            "side": "left" if axis < (columns - 1) / 2 else "right",
            "overlap": 2 * min(axis, columns - 1 - axis) + 1,
        }
        return parameters.model_copy(update={key: found[key] for key in found if getattr(parameters, key) == AUTO})

    @classmethod
    def columns(cls, parameters: Any, columns: int) -> int:
        from stp3.kernels.half_acquisition import added_columns

        if parameters.overlap == AUTO:
            return columns
        if not 1 < parameters.overlap <= columns:
            raise UsageFault(
                f"extended_field_of_view.overlap must be above 1 and at most {columns} (the columns there are), got "
                f"{parameters.overlap:g}. Enter another one, or auto."
            )
        return columns + added_columns(columns, parameters.overlap)

    @classmethod
    def slice_shape(cls, parameters: Any, shape: tuple[int, int]) -> tuple[int, int]:
        wide = cls.columns(parameters, shape[1])
        return wide, wide

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """Wide sinograms of half a turn. Raises UsageFault for less than a whole turn, and while it says "auto"."""
        from stp3.kernels.half_acquisition import extend

        columns = slab.data.shape[2]
        if AUTO in (parameters.side, parameters.overlap):
            raise UsageFault(
                'extended_field_of_view still says "auto". Resolve the recipe to a plan, or enter side and overlap.'
            )
        data, theta, shift = extend(
            slab.data,
            slab.theta,
            slab.axes,
            side=parameters.side,
            added=cls.columns(parameters, columns) - columns,
            blend=parameters.blend,
            normalise=parameters.normalise,
            threads=slab.threads,
        )
        return slab.with_data(data, theta=theta, rotation_axis=slab.rotation_axis + shift, flats=None, darks=None)
