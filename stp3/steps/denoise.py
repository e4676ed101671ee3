"""Noise in slices."""

from __future__ import annotations

from typing import Any, Literal

from stp3.kernels.sliding_median import median_of_frames
from stp3.kernels.threads import share
from stp3.steps.base import Slab, Step, StepParameters, parameter

_ITERATIONS = 50


class Denoise(Step):
    """Smooths noise and keeps edges: by a median, or by the least total variation."""

    name = "denoise"
    title = "Remove noise"
    domain = "slice"
    paper = "Total variation: Beck & Teboulle, IEEE Trans. Image Process. 18:2419 (2009)"

    class Parameters(StepParameters):
        method: Literal["median", "total_variation"] = parameter(
            "median",
            "Median removes specks and rounds corners. Total variation makes even regions flat and keeps their edges; "
            "it suits samples of few materials.",
            title="Method",
        )
        size: Literal[3, 5, 7] = parameter(
            3, "Median only: width of the square of neighbours.", title="Neighbourhood", unit="pixels"
        )
        strength: float = parameter(
            1.0,
            "Total variation only: how much is smoothed, in units of the noise that the slice shows. 0.5 is gentle, "
            "2 leaves plain regions.",
            title="Strength",
            gt=0.0,
            le=20.0,
        )

    @classmethod
    def memory_factor(cls, parameters: Any) -> float:
        return 3.0

    @classmethod
    def memory_fixed(cls, parameters: Any, angles: int, columns: int) -> int:
        return 48 * columns * columns

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """The slices with less noise, each by itself."""
        if parameters.method == "median":
            return slab.with_data(median_of_frames(slab.data, parameters.size, slab.threads))
        from stp3.kernels.noise import noise_of
        from stp3.kernels.total_variation import Denoiser

        out = slab.target()

        def work(row: int) -> None:
            noisy = slab.data[row]
            weight = parameters.strength * noise_of(noisy)
            out[row] = Denoiser(noisy.shape, weight, _ITERATIONS, None, None)(noisy)

        share(work, range(len(out)), slab.threads)
        return slab.with_data(out)
