"""Beam hardening: thick parts absorb less of a white beam than their thickness says."""

from __future__ import annotations

from typing import Any

import numpy as np

from stp3.kernels.threads import pieces, share
from stp3.steps.base import Slab, Step, StepParameters, parameter

_TOGETHER = 32


class BeamHardening(Step):
    """Straightens line integrals by a polynomial, against cupping and dark bands between dense parts."""

    name = "beam_hardening"
    title = "Beam hardening"
    domain = "sinogram"
    needs = "line integrals"
    paper = "Herman, Phys. Med. Biol. 24:81 (1979)"

    class Parameters(StepParameters):
        quadratic: float = parameter(
            0.0,
            "What is added for each line integral squared. Raise it from 0 until the middle of a uniform part is as "
            "bright as its rim; a few hundredths are usual.",
            title="Quadratic",
            ge=-10.0,
            le=10.0,
        )
        cubic: float = parameter(0.0, "The same for the third power.", title="Cubic", ge=-10.0, le=10.0, expert=True)

    @classmethod
    def memory_factor(cls, parameters: Any) -> float:
        return 1.0

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """p + quadratic p² + cubic p³ of each line integral p."""
        out = slab.target()
        quadratic, cubic = np.float32(parameters.quadratic), np.float32(parameters.cubic)

        def straighten(some: slice) -> None:
            data = slab.data[some]
            factor = data * cubic
            factor += quadratic
            factor *= data
            factor += np.float32(1)
            np.multiply(data, factor, out=out[some])

        share(straighten, pieces(len(out), _TOGETHER), slab.threads)
        return slab.with_data(out)
