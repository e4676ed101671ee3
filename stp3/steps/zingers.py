"""Zingers: pixels struck by stray X-rays in single projections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stp3.kernels.reconstruction import is_compiled
from stp3.steps.base import Slab, Step, StepParameters, parameter
from stp3.steps.one_pass import correct_slab, joined


class Zingers(Step):
    """Replaces pixels that stand out from their neighbours by the median of these."""

    name = "zingers"
    title = "Remove zingers"
    domain = "projection"
    needs = "transmission"

    class Parameters(StepParameters):
        size: int = parameter(
            3,
            "Width of the square of neighbours. 3 removes single pixels; 5 or 7 remove spots of a few pixels.",
            title="Neighbourhood",
            unit="pixels",
            ge=3,
            le=7,
            multiple_of=1,
            expert=True,
        )
        threshold: float = parameter(
            0.2,
            "How far a pixel may stand above or below the median of its neighbours, as a share of the open beam. "
            "Lower catches fainter zingers, but eats into noise and fine edges.",
            title="Threshold",
            ge=0.0,
            le=10.0,
        )

    @classmethod
    def halo(cls, parameters: Any) -> int:
        return int(parameters.size) // 2

    @classmethod
    def memory_factor(cls, parameters: Any) -> float:
        return 2.0 if is_compiled() else 3.0

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """The projections with outliers replaced; an even size counts as the next odd one."""
        return correct_slab(slab, [(cls.name, parameters)])

    @classmethod
    def joins(cls, uses: Sequence[tuple[str, Any]]) -> int:
        """The logarithm, when it follows, is taken while the values are at hand."""
        return joined(uses)

    @classmethod
    def apply_joined(cls, slab: Slab, uses: Sequence[tuple[str, Any]]) -> Slab:
        """The projections after both."""
        return correct_slab(slab, uses)
