"""Double flat field: what all projections have in common is the detector's."""

from __future__ import annotations

from typing import Any

import numpy as np

from stp3.kernels.threads import share
from stp3.steps.base import Slab, Step, StepParameters, parameter


class DoubleFlat(Step):
    """Divides by the fine structure of the mean over all angles, which the sample's turning has smoothed."""

    name = "double_flat"
    title = "Double flat field"
    domain = "projection"
    needs = "transmission"

    class Parameters(StepParameters):
        sigma: float = parameter(
            10.0,
            "Structures of the mean that are wider than this along a row stay, because they are the sample's. Smaller "
            "values keep more of the sample, larger ones take wider rings.",
            title="Width",
            unit="columns",
            ge=0.5,
            le=500.0,
        )

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """Transmission, each row by itself; columns whose mean is not above zero stay as they are."""
        from scipy.ndimage import gaussian_filter1d

        out = slab.target()

        def work(row: int) -> None:
            mean = slab.data[:, row].mean(axis=0, dtype=np.float64)
            smooth = gaussian_filter1d(mean, parameters.sigma, mode="nearest")
            gain = np.divide(smooth, mean, out=np.ones_like(mean), where=(mean > 0) & (smooth > 0))
            np.multiply(slab.data[:, row], gain.astype(np.float32), out=out[:, row])

        share(work, range(slab.data.shape[1]), slab.threads)
        return slab.with_data(out)
