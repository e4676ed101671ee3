"""How slices are stored."""

from __future__ import annotations

from typing import Any, Literal

from stp3.errors import UsageFault
from stp3.kernels.grey import to_grey
from stp3.steps.base import AUTO, Slab, Step, StepParameters, parameter


class Output(Step):
    """32-bit numbers as they are, or 16 or 8 bit with one grey range for the whole volume."""

    name = "output"
    title = "Output"
    domain = "slice"

    class Parameters(StepParameters):
        dtype: Literal["float32", "uint16", "uint8"] = parameter(
            "float32",
            "float32 keeps the measured values; uint16 and uint8 take half and a quarter of the room.",
            title="Number format",
        )
        low: float | Literal["auto"] = parameter(
            AUTO, "The value that becomes 0 in uint16 and uint8. Auto measures it on a few slices.", title="Black"
        )
        high: float | Literal["auto"] = parameter(
            AUTO,
            "The value that becomes the highest number in uint16 and uint8. Auto measures it on a few slices.",
            title="White",
        )
        low_tail_percent: float = parameter(
            0.30,
            "The share of pixels that auto leaves below black.",
            title="Tail below",
            unit="%",
            ge=0.0,
            lt=50.0,
            expert=True,
        )
        high_tail_percent: float = parameter(
            0.05,
            "The share of pixels that auto leaves above white.",
            title="Tail above",
            unit="%",
            ge=0.0,
            lt=50.0,
            expert=True,
        )

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """Slices in the number format, rounded to the nearest and clipped. Raises UsageFault."""
        if parameters.dtype == "float32":
            return slab
        if AUTO in (parameters.low, parameters.high):
            raise UsageFault('output.low or output.high is still "auto". Resolve the recipe to a plan, or enter both.')
        if not parameters.low < parameters.high:
            raise UsageFault(f"output.low must be below output.high, got {parameters.low} and {parameters.high}.")
        return slab.with_data(to_grey(slab.data, parameters.dtype, parameters.low, parameters.high, slab.threads))
