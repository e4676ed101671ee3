"""Removal of stripes, which the reconstruction would turn into rings."""

from __future__ import annotations

from typing import Any

import numpy as np

from stp3.kernels.stripes import AllStripes
from stp3.kernels.threads import share
from stp3.steps.base import Parameters, Slab, Step, parameter


class StripesAll(Step):
    """Removes dead, large and small stripes by sorting."""

    name = "stripes_all"
    title = "Remove rings"
    domain = "sinogram"
    paper = "Vo, Atwood & Drakopoulos, Opt. Express 26:28396 (2018)"

    class Parameters(Parameters):
        snr: float = parameter(
            3.0,
            "How far a detector column must stand out to count as dead or as a large stripe. Lower finds fainter "
            "rings, but may take features of the sample for rings.",
            title="Detection threshold",
            ge=1.1,
            le=30.0,
        )
        size_large: int = parameter(
            51,
            "Median window against large stripes: over twice as wide as the widest band of rings.",
            title="Large stripes",
            unit="columns",
            ge=1,
            le=301,
        )
        size_small: int = parameter(
            21,
            "Median window against small stripes: over twice as wide as the ring lines. Wider removes wider rings and "
            "blurs along them; 1 leaves small stripes alone.",
            title="Small stripes",
            unit="columns",
            ge=1,
            le=101,
        )

    @classmethod
    def memory_factor(cls, parameters: Any) -> float:
        return 2.0

    @classmethod
    def memory_fixed(cls, parameters: Any, angles: int, columns: int) -> int:
        return 40 * angles * columns

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """The sinograms without stripes, each row by itself."""
        method = AllStripes(parameters.snr, parameters.size_large, parameters.size_small)
        out = np.empty_like(slab.data)
        rows = slab.data.shape[1]

        def remove(row: int) -> None:
            out[:, row] = method.remove(slab.data[:, row], 1 if rows > 1 else slab.threads)

        share(remove, range(rows), slab.threads)
        return slab.with_data(out)
