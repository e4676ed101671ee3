"""Back-projection by filters that are computed for the scan: close to iterations, and fast once they are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stp3.steps.base import Slab, StepParameters, parameter
from stp3.steps.by_projector import ByProjector

if TYPE_CHECKING:
    from stp3.kernels.projector import Projector

Real = NDArray[np.float32]


class LeastResidualFbp(ByProjector):
    """Each row with the filter whose slice fits the measurement best."""

    name = "mr_fbp"
    title = "Filtered back-projection, fitted"
    paper = "Pelt & Batenburg, IEEE Trans. Image Process. 23:4750 (2014)"

    @classmethod
    def memory_fixed(cls, parameters: Any, angles: int, columns: int) -> int:
        from stp3.kernels.fitted_filters import working_bytes

        return working_bytes(angles, columns) + 4 * 4 * (columns**2 + 2 * angles * columns)

    @classmethod
    def slices(cls, projector: Projector, sinograms: Real, slab: Slab, parameters: Any) -> Real:
        from stp3.kernels.fitted_filters import least_residual_response

        out = []
        for row, one in enumerate(sinograms):
            alone = projector.some_rows(slice(row, row + 1))
            out.append(alone.filtered_adjoint(one[None], least_residual_response(alone, one[None]))[0])
        return np.stack(out)


class SirtFbp(ByProjector):
    """What SIRT gives after some iterations, by filters that are computed once for all rows."""

    name = "sirt_fbp"
    title = "Filtered back-projection, like SIRT"
    paper = "Pelt & Batenburg, Proc. Fully3D (2015) 158"

    class Parameters(StepParameters):
        iterations: int = parameter(
            100,
            "The iterations of SIRT that the filter stands for. More bring out finer detail and noise. The filter is "
            "computed before the first slice, which takes longer than a row by SIRT, and then kept.",
            title="Iterations",
            ge=1,
            le=10_000,
        )

    @classmethod
    def memory_fixed(cls, parameters: Any, angles: int, columns: int) -> int:
        from stp3.kernels.fitted_filters import sirt_working_bytes
        from stp3.kernels.projector import working_bytes

        return max(sirt_working_bytes(angles, columns), working_bytes(angles, columns, 4) + 32 * angles * columns)

    @classmethod
    def slices(cls, projector: Projector, sinograms: Real, slab: Slab, parameters: Any) -> Real:
        from stp3.kernels.fitted_filters import sirt_response

        response = sirt_response(projector.theta, projector.columns, parameters.iterations, projector.threads)
        return projector.filtered_adjoint(sinograms, response)
