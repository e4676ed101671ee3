"""Rings that are left in slices."""

from __future__ import annotations

from typing import Any

import numpy as np

from stp3.kernels.threads import share
from stp3.steps.base import Slab, Step, StepParameters, parameter


class RingFilter(Step):
    """Damps what is narrow along the radius and long around the rotation axis."""

    name = "ring_filter"
    title = "Ring filter"
    domain = "slice"
    paper = "Homomorphic filter, Oppenheim, Schafer & Stockham, Proc. IEEE 56:1264 (1968), in polar coordinates"

    class Parameters(StepParameters):
        cutoff: float = parameter(
            0.8,
            "How fast a ring may change around the axis, in waves a turn. Higher also damps arcs, and features of the "
            "sample that run along them.",
            title="Cut-off",
            unit="waves a turn",
            gt=0.0,
            le=20.0,
        )
        alpha: float = parameter(
            0.2, "The share of the rings that stays: 0 removes them, 1 leaves them.", title="What stays", ge=0.0, le=1.0
        )

    @classmethod
    def memory_fixed(cls, parameters: Any, angles: int, columns: int) -> int:
        return 64 * columns * columns  # of each thread's slice: itself, and its polar image of twice the radii

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """The slices with weaker rings, each by itself."""
        from stp3.kernels.ring_filter import without_rings

        out = slab.target()

        def work(row: int) -> None:
            out[row] = without_rings(slab.data[row], parameters.cutoff, parameters.alpha)

        share(work, range(len(out)), slab.threads)
        return slab.with_data(np.asarray(out))
