"""Zingers: pixels struck by stray X-rays in single projections."""

from __future__ import annotations

from typing import Any

import numpy as np

from stp3.kernels.sliding_median import median_of_frames
from stp3.kernels.threads import pieces, share
from stp3.steps.base import Slab, Step, StepParameters, parameter

_TOGETHER = 32


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
        return 3.0

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """The projections with outliers replaced; an even size counts as the next odd one."""
        medians = median_of_frames(slab.data, parameters.size | 1, slab.threads)

        def choose(some: slice) -> None:
            data, out = slab.data[some], medians[some]
            keep = np.abs(data - out) <= parameters.threshold
            np.copyto(out, data, where=keep)

        share(choose, pieces(len(medians), _TOGETHER), slab.threads)
        return slab.with_data(medians)
