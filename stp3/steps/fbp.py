"""Filtered back-projection of parallel-beam scans."""

from __future__ import annotations

from typing import Any, Literal

from stp3.kernels.filters import FilterName, Pad
from stp3.kernels.reconstruction import reconstruct, working_bytes
from stp3.steps.base import Slab, Step, StepParameters, parameter

_UM_IN_A_CM = 1e4


class FilteredBackProjection(Step):
    """Slices from sinograms, by direct Fourier inversion; in 1/cm when the pixel size is known, else 1/pixel."""

    name = "fbp"
    title = "Filtered back-projection"
    domain = "reconstruction"
    paper = "O'Sullivan, IEEE Trans. Med. Imaging 4:200 (1985)"

    class Parameters(StepParameters):
        filter: FilterName = parameter(
            "shepp-logan",
            "How fine detail is weighed against noise, from sharp and noisy to smooth: ram-lak, shepp-logan, cosine, "
            "hamming, hann. None shows the plain back-projection.",
            title="Filter",
        )
        cutoff: float = parameter(
            1.0,
            "The finest detail that passes, as a share of what the pixels can hold. Lower removes noise and detail.",
            title="Cut-off",
            gt=0.0,
            le=1.0,
            expert=True,
        )
        pad: Literal["edge", "zero"] = parameter(
            "edge",
            "What is assumed beside the detector. Edge repeats the last column: right when the sample is wider than "
            "the field of view. Zero assumes air.",
            title="Beyond the edge",
            expert=True,
        )

    @classmethod
    def memory_factor(cls, parameters: Any) -> float:
        return 2.5

    @classmethod
    def memory_fixed(cls, parameters: Any, angles: int, columns: int) -> int:
        return working_bytes(angles, columns)

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """Slices (rows, columns, columns) centred on the rotation axis."""
        pad: Pad = parameters.pad
        data = reconstruct(
            slab.data,
            slab.theta,
            slab.rotation_axis,
            filter=parameters.filter,
            cutoff=parameters.cutoff,
            pad=pad,
            pixel_size=slab.pixel_size_um / _UM_IN_A_CM if slab.pixel_size_um else 1.0,
            threads=slab.threads,
        )
        return slab.with_data(data)
