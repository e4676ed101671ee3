"""Back-projection by filters that are computed for the scan: close to iterations, and fast once they are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stp3.kernels import memory
from stp3.kernels.threads import pieces
from stp3.steps.base import Slab, Step, StepParameters, parameter

if TYPE_CHECKING:
    from stp3.kernels.projector import Projector

Real = NDArray[np.float32]

_UM_IN_A_CM = 1e4


class _FittedFbp(Step):
    """What both share; `slices` is each one's own."""

    domain = "reconstruction"

    @classmethod
    def slices(cls, projector: Projector, sinograms: Real, parameters: Any) -> Real:
        """The slices of some rows, in attenuation per pixel."""
        raise NotImplementedError

    @classmethod
    def memory_factor(cls, parameters: Any) -> float:
        return 2.5

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """Slices (rows, columns, columns) centred on the rotation axis, in 1/cm or 1/pixel."""
        from stp3.kernels.projector import Projector

        pixel = np.float32(slab.pixel_size_um / _UM_IN_A_CM if slab.pixel_size_um else 1.0)
        _, rows, columns = slab.data.shape
        out = memory.empty((rows, columns, columns))
        for some in pieces(rows, 4):
            projector = Projector(slab.theta, columns, slab.axes[some], slab.threads)
            sinograms = np.ascontiguousarray(np.moveaxis(slab.data[:, some], 1, 0))
            np.divide(cls.slices(projector, sinograms, parameters), pixel, out=out[some])
        return slab.with_data(out)


class LeastResidualFbp(_FittedFbp):
    """Each row with the filter whose slice fits the measurement best."""

    name = "mr_fbp"
    title = "Filtered back-projection, fitted"
    paper = "Pelt & Batenburg, IEEE Trans. Image Process. 23:4750 (2014)"

    @classmethod
    def memory_fixed(cls, parameters: Any, angles: int, columns: int) -> int:
        from stp3.kernels.fitted_filters import working_bytes

        return working_bytes(angles, columns) + 4 * 4 * (columns**2 + 2 * angles * columns)

    @classmethod
    def slices(cls, projector: Projector, sinograms: Real, parameters: Any) -> Real:
        from stp3.kernels.fitted_filters import least_residual_response

        out = []
        for row, one in enumerate(sinograms):
            alone = projector.some_rows(slice(row, row + 1))
            out.append(alone.filtered_adjoint(one[None], least_residual_response(alone, one[None]))[0])
        return np.stack(out)


class SirtFbp(_FittedFbp):
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
    def slices(cls, projector: Projector, sinograms: Real, parameters: Any) -> Real:
        from stp3.kernels.fitted_filters import sirt_response

        response = sirt_response(projector.theta, projector.columns, parameters.iterations, projector.threads)
        return projector.filtered_adjoint(sinograms, response)
