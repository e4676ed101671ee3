"""From transmission to the line integral of attenuation."""

from __future__ import annotations

from typing import Any

import numpy as np

from stp3.kernels.threads import pieces, share
from stp3.steps.base import Slab, Step, StepParameters, parameter

_TOGETHER = 32


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
        out = slab.target()

        def take(some: slice) -> None:
            part = out[some]
            np.fmax(slab.data[some], np.float32(parameters.floor), out=part)
            np.log(part, out=part)
            np.negative(part, out=part)

        share(take, pieces(len(out), _TOGETHER), slab.threads)
        return slab.with_data(out)
