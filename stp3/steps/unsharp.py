"""Sharpens what phase retrieval has smoothed too much."""

from __future__ import annotations

from typing import Any

from stp3.kernels.phase import Unsharp
from stp3.steps.base import Slab, StepParameters, parameter
from stp3.steps.projection_filter import ProjectionFilter


class UnsharpMask(ProjectionFilter):
    """Adds a share of what a blurred copy has lost."""

    name = "unsharp"
    title = "Unsharp mask"
    needs = "line integrals"

    class Parameters(StepParameters):
        sigma: float = parameter(
            1.0,
            "Width of the blur whose loss is added back: about that of the edges to be sharpened.",
            title="Sigma",
            unit="pixels",
            ge=0.5,
            le=50.0,
        )
        strength: float = parameter(
            1.0, "How much of it is added. 0 changes nothing.", title="Strength", ge=0.0, le=20.0
        )

    @classmethod
    def response(cls, parameters: Any) -> Unsharp:
        return Unsharp(parameters.sigma, parameters.strength)

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """Line integrals with sharper edges."""
        return cls.filtered(slab, parameters)
