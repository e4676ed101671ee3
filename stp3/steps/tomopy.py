"""Reconstruction by TomoPy's algorithms, for those who compare or know them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from stp3.kernels import memory
from stp3.kernels.threads import share
from stp3.steps.base import Slab, Step, StepParameters, parameter


class TomoPy(Step):
    """Slices by an algorithm of TomoPy, which must be installed; in 1/cm when the pixel size is known, else 1/pixel."""

    name = "tomopy"
    title = "TomoPy"
    domain = "reconstruction"
    paper = "Gursoy, De Carlo, Xiao & Jacobsen, J. Synchrotron Rad. 21:1188 (2014)"

    class Parameters(StepParameters):
        algorithm: Literal[
            "gridrec", "art", "bart", "grad", "mlem", "osem", "ospml_hybrid", "ospml_quad", "pml_hybrid", "pml_quad",
            "sirt", "tikh", "tv",
        ] = parameter(
            "gridrec",
            "TomoPy's own name. gridrec is direct and fast, its values a tenth too high; all others are iterative and "
            "slow.",
            title="Algorithm",
        )  # fmt: skip
        filter: Literal["none", "shepp", "cosine", "hann", "hamming", "ramlak", "parzen", "butterworth"] = parameter(
            "shepp", "Gridrec: how fine detail is weighed against noise.", title="Filter"
        )
        pad: Literal["edge", "zero"] = parameter(
            "edge",
            "Gridrec: what is assumed beside the detector. Edge repeats the last column, zero assumes air.",
            title="Beyond the edge",
            expert=True,
        )
        iterations: int = parameter(
            50, "Iterative algorithms: how many times the slice is corrected.", title="Iterations", ge=1, le=10_000
        )
        blocks: int = parameter(
            1,
            "Of bart, osem and ospml: groups of projections that correct the slice one after another.",
            title="Blocks",
            ge=1,
            le=10_000,
            expert=True,
        )
        penalty: float = parameter(
            0.1,
            "Of tv, tikh, pml and ospml: how much smoothness counts beside the measurement (reg_par).",
            title="Regularisation",
            ge=0.0,
            expert=True,
        )

    @classmethod
    def memory_factor(cls, parameters: Any) -> float:
        return 2.5

    @classmethod
    def memory_fixed(cls, parameters: Any, angles: int, columns: int) -> int:
        from stp3.kernels.tomopy_algorithms import working_bytes

        return working_bytes(angles, columns)

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """Slices (rows, columns, columns) centred on the rotation axis. Raises UsageFault and Stp3Error."""
        from stp3.kernels.tomopy_algorithms import options, slice_of, tomopy

        tomopy()  # says at once that it is missing; and a package is imported by one thread
        _, rows, columns = slab.data.shape
        pixel = np.float32(slab.pixel_cm)
        use = parameters
        more = options(use.algorithm, use.filter, use.iterations, use.blocks, use.penalty)
        out = memory.empty((rows, columns, columns))

        def one(row: int) -> None:
            axis = float(slab.axes[row])
            slice_ = slice_of(slab.data[:, row], slab.theta, axis, use.algorithm, use.pad, **more)
            np.divide(slice_, pixel, out=out[row])

        share(one, range(rows), slab.threads)
        return slab.with_data(out)
