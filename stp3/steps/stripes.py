"""Removal of stripes, which the reconstruction would turn into rings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from stp3.steps.base import AUTO, Slab, Step, StepParameters, parameter

# Of the detector's width. The paper's 51 and 21 columns suit detectors of 2000; on narrower ones windows as wide
# as those reach across the sample and shade its rim.
_LARGE, _SMALL = 1 / 40, 1 / 100


class StripesAll(Step):
    """Removes dead, large and small stripes by sorting."""

    name = "stripes_all"
    title = "Remove rings"
    domain = "sinogram"
    paper = "Vo, Atwood & Drakopoulos, Opt. Express 26:28396 (2018)"

    class Parameters(StepParameters):
        snr: float = parameter(
            3.0,
            "How far a detector column must stand out to count as dead or as a large stripe. Lower finds fainter "
            "rings, but may take features of the sample for rings.",
            title="Detection threshold",
            ge=1.1,
            le=30.0,
        )
        size_large: Annotated[int, Field(ge=1, le=301)] | Literal["auto"] = parameter(
            AUTO,
            "Median window against large stripes, 1 to 301: over twice as wide as the widest band of rings. "
            "Auto takes a fortieth of the detector.",
            title="Large stripes",
            unit="columns",
        )
        size_small: Annotated[int, Field(ge=1, le=101)] | Literal["auto"] = parameter(
            AUTO,
            "Median window against small stripes, 1 to 101: over twice as wide as the ring lines. Wider removes wider "
            "rings and blurs along them; 1 leaves small stripes alone. Auto takes a hundredth of the detector.",
            title="Small stripes",
            unit="columns",
        )

    @classmethod
    def settle(cls, parameters: Any, columns: int) -> Any:
        auto = {"size_large": max(int(columns * _LARGE) | 1, 5), "size_small": max(int(columns * _SMALL) | 1, 3)}
        return parameters.model_copy(
            update={name: size for name, size in auto.items() if getattr(parameters, name) == AUTO}
        )

    @classmethod
    def memory_factor(cls, parameters: Any) -> float:
        return 2.0

    @classmethod
    def memory_fixed(cls, parameters: Any, angles: int, columns: int) -> int:
        from stp3.kernels.stripe_removal import working_bytes

        return working_bytes(angles, columns)

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """The sinograms without stripes, each row by itself."""
        from stp3.kernels.stripe_removal import remove_stripes
        from stp3.kernels.stripes import AllStripes  # brings SciPy, which reading a recipe should not cost

        parameters = cls.settle(parameters, slab.data.shape[2])
        method = AllStripes(parameters.snr, parameters.size_large, parameters.size_small)
        return slab.with_data(remove_stripes(slab.data, method, slab.target(), slab.threads))
