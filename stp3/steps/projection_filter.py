"""What steps share that filter each projection, rows and columns together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stp3.steps.base import Slab, Step

if TYPE_CHECKING:
    from stp3.kernels.projection_filter import Response


class ProjectionFilter(Step):
    """A step that multiplies the spectrum of each projection with a response; rows need the neighbours it mixes."""

    domain = "projection"

    @classmethod
    def response(cls, parameters: Any) -> Response:
        """What the spectrum is multiplied with. Raises UsageFault for parameters that are not settled."""
        raise NotImplementedError

    @classmethod
    def halo(cls, parameters: Any) -> int:
        from stp3.kernels.projection_filter import reach_of

        return reach_of(cls.response(parameters))

    @classmethod
    def memory_factor(cls, parameters: Any) -> float:
        return 2.0

    @classmethod
    def memory_fixed(cls, parameters: Any, angles: int, columns: int) -> int:
        from stp3.kernels.projection_filter import working_bytes

        return working_bytes(columns, cls.halo(parameters))

    @classmethod
    def filtered(cls, slab: Slab, parameters: Any) -> Slab:
        """The slab with filtered data; rows that lack neighbours are left out where the scan has them."""
        from stp3.kernels.projection_filter import filtered

        response = cls.response(parameters)
        rows = slab.complete(cls.halo(parameters))
        first = rows.start - slab.rows.start
        out = slab.target()[:, first : first + len(rows)]
        return slab.with_rows(rows, filtered(slab.data, response, out, slab.threads, first))
