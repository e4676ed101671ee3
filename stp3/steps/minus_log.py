"""From transmission to the line integral of attenuation."""

from __future__ import annotations

from typing import Any

from stp3.steps.base import Slab, Step, StepParameters, parameter
from stp3.steps.one_pass import correct_slab


class MinusLog(Step):
    """-ln of the transmission (Beer and Lambert)."""

    name = "minus_log"
    title = "Minus logarithm"
    domain = "projection"
    needs = "transmission"
    gives = "line integrals"

    class Parameters(StepParameters):
        floor: float = parameter(
            1e-3,
            "The least transmission: darker pixels count as this. It keeps pixels that saw no light from becoming "
            "infinite; 0.001 stands for an attenuation of 6.9.",
            title="Floor",
            gt=0.0,
            le=1.0,
            expert=True,
        )

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """Line integrals, without a unit; at most -ln(floor)."""
        return correct_slab(slab, [(cls.name, parameters)])
