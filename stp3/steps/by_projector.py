"""What the reconstructions share that project slices forth and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from stp3.kernels import memory
from stp3.kernels.threads import pieces
from stp3.steps.base import Slab, Step

if TYPE_CHECKING:
    from stp3.kernels.projector import Projector

Real = NDArray[np.float32]


class ByProjector(Step):
    """A few rows at a time; `slices` is each one's own."""

    domain = "reconstruction"
    together: ClassVar[int] = 4
    """Rows that share each pass over the projector's matrix."""

    @classmethod
    def projector(cls, parameters: Any) -> type[Projector]:
        """What projects."""
        from stp3.kernels.projector import Projector

        return Projector

    @classmethod
    def slices(cls, projector: Projector, sinograms: Real, slab: Slab, parameters: Any) -> Real:
        """The slices (rows, y, x) of some sinograms (rows, angles, columns), in attenuation per pixel."""
        raise NotImplementedError

    @classmethod
    def memory_factor(cls, parameters: Any) -> float:
        return 2.5

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """Slices (rows, columns, columns) centred on the rotation axis, in 1/cm or 1/pixel. Raises UsageFault."""
        _, rows, columns = slab.data.shape
        projector, out = cls.projector(parameters), memory.empty((rows, columns, columns))
        for some in pieces(rows, cls.together):
            by = projector(slab.theta, columns, slab.axes[some], slab.threads)
            sinograms = np.ascontiguousarray(np.moveaxis(slab.data[:, some], 1, 0))
            np.divide(cls.slices(by, sinograms, slab, parameters), np.float32(slab.pixel_cm), out=out[some])
        return slab.with_data(out)
