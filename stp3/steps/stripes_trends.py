"""Removal of stripes by what varies slowly from angle to angle."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from stp3.steps.base import AUTO, StepParameters, parameter
from stp3.steps.stripes import Small, StripeStep, size_small


class StripesFiltering(StripeStep):
    """Sorts and smooths only what varies slowly from angle to angle, and leaves fine detail as it is (algorithm 2)."""

    name = "stripes_filtering"
    title = "Remove rings: spare fine detail"

    class Parameters(StepParameters):
        cutoff: float = parameter(
            3.0,
            "How fast the brightness of a ring may change around it, in waves over the whole scan. Higher removes "
            "rings that change faster, and takes longer.",
            title="Cut-off",
            unit="cycles",
            ge=0.5,
            le=50.0,
        )
        size_small: Small = size_small()

    @classmethod
    def method(cls, parameters: Any) -> Any:
        from stp3.kernels.stripe_trends import Filtering

        return Filtering(parameters.cutoff, parameters.size_small)


class StripesFitting(StripeStep):
    """Fits a smooth curve to each column and levels the curves of neighbouring columns (algorithm 1)."""

    name = "stripes_fitting"
    title = "Remove rings: smooth samples"
    shares: ClassVar[dict[str, tuple[float, int]]] = {"width": (1 / 100, 1)}

    class Parameters(StepParameters):
        order: int = parameter(
            2,
            "Of the polynomial: 0 fits a constant, 1 a straight line, 2 a parabola. Higher follows rings whose "
            "brightness drifts.",
            title="Order",
            ge=0,
            le=10,
        )
        width: Annotated[float, Field(ge=0.5, le=200)] | Literal["auto"] = parameter(
            AUTO,
            "How many neighbours a column is levelled with, 0.5 to 200. Wider removes wider rings, but also features "
            "of the sample. Auto takes a hundredth of the detector.",
            title="Width",
            unit="columns",
        )

    @classmethod
    def method(cls, parameters: Any) -> Any:
        from stp3.kernels.stripe_trends import Fitting

        return Fitting(parameters.order, parameters.width)
