"""Iterative reconstruction: slower than filtered back-projection, better from few, noisy or missing projections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from stp3.errors import UsageFault
from stp3.steps.base import Slab, StepParameters, parameter
from stp3.steps.by_projector import ByProjector

if TYPE_CHECKING:
    from stp3.kernels.iterative import Settings
    from stp3.kernels.projector import Projector

Real = NDArray[np.float32]

_NONE: Literal["none"] = "none"


class IterativeParameters(StepParameters):
    """What all iterative methods have."""

    iterations: int = parameter(
        100,
        "How many times the slice is corrected at most. More bring out finer detail, and noise in the end.",
        title="Iterations",
        ge=1,
        le=10_000,
    )
    stop: float = parameter(
        0.0,
        "Ends sooner, once an iteration changes the misfit to the measurement by less than this share. "
        "0 does all iterations; 0.001 is a sensible value.",
        title="Stop below",
        ge=0.0,
        lt=1.0,
        expert=True,
    )
    start: Literal["zero", "fbp"] = parameter(
        "zero",
        "What the first iteration improves: an empty slice, or filtered back-projection, which has all detail at once "
        "and all noise and streaks as well.",
        title="Start from",
        expert=True,
    )
    engine: Literal["stp3", "astra"] = parameter(
        "stp3",
        "Who projects: stp3 by fast transforms; astra by the ASTRA toolbox, which must be installed and is slow "
        "without a GPU.",
        title="Projector",
        expert=True,
    )


class LimitedParameters(IterativeParameters):
    """With limits to the values."""

    minimum: float | Literal["none"] = parameter(
        _NONE,
        "No value in the slice falls below this; 0 says that nothing amplifies the beam. None sets no limit.",
        title="Lowest value",
        unit="1/cm",
    )
    maximum: float | Literal["none"] = parameter(
        _NONE, "No value in the slice rises above this. None sets no limit.", title="Highest value", unit="1/cm"
    )


class Iterative(ByProjector):
    """What the iterative methods share; `solve` is each one's own."""

    @classmethod
    def solve(cls, projector: Projector, sinograms: Real, settings: Settings, start: Real | None, use: Any) -> Real:
        """The slices, in attenuation per pixel."""
        raise NotImplementedError

    @classmethod
    def projector(cls, parameters: Any) -> type[Projector]:
        if parameters.engine != "astra":
            return super().projector(parameters)
        from stp3.kernels.astra_projector import AstraProjector

        return AstraProjector

    @classmethod
    def memory_fixed(cls, parameters: Any, angles: int, columns: int) -> int:
        from stp3.kernels.iterative import working_bytes

        return working_bytes(angles, columns, cls.together)

    @classmethod
    def slices(cls, projector: Projector, sinograms: Real, slab: Slab, parameters: Any) -> Real:
        from stp3.kernels.iterative import Settings, back_projected

        low, high = _limits(parameters, slab.pixel_cm)
        settings = Settings(parameters.iterations, parameters.stop, low, high, slab.on_iteration)
        start = back_projected(projector, sinograms) if parameters.start == "fbp" else None
        return cls.solve(projector, sinograms, settings, start, parameters)


class Sirt(Iterative):
    """Corrects the slice by all projections at once, again and again."""

    name = "sirt"
    title = "SIRT (iterative)"
    paper = "Gilbert, J. Theor. Biol. 36:105 (1972)"
    Parameters = LimitedParameters

    @classmethod
    def solve(cls, projector: Projector, sinograms: Real, settings: Settings, start: Real | None, use: Any) -> Real:
        from stp3.kernels.iterative import sirt

        return sirt(projector, sinograms, settings, start)


class Sart(Iterative):
    """SIRT that corrects by one group of projections after another, and so needs fewer iterations."""

    name = "sart"
    title = "SART (iterative)"
    paper = "Andersen & Kak, Ultrason. Imaging 6:81 (1984)"

    class Parameters(LimitedParameters):
        iterations: int = parameter(
            10,
            "How many times every projection is used. More bring out finer detail, and noise in the end.",
            title="Iterations",
            ge=1,
            le=10_000,
        )
        subsets: int = parameter(
            10,
            "Groups into which the projections are divided, each spread over all angles. More converge faster and "
            "follow the noise sooner; never more than projections.",
            title="Groups",
            ge=1,
            le=10_000,
        )

    @classmethod
    def solve(cls, projector: Projector, sinograms: Real, settings: Settings, start: Real | None, use: Any) -> Real:
        from stp3.kernels.iterative import sirt

        return sirt(projector, sinograms, settings, start, min(use.subsets, sinograms.shape[1]))


class Cgls(Iterative):
    """The slice that fits the measurement best, by conjugate gradients: detail in few iterations, and soon noise."""

    name = "cgls"
    title = "CGLS (iterative)"
    paper = "Hestenes & Stiefel, J. Res. Natl. Bur. Stand. 49:409 (1952)"

    class Parameters(IterativeParameters):
        iterations: int = parameter(
            20,
            "How many steps at most. 10 to 30 give the detail of filtered back-projection; more give noise.",
            title="Iterations",
            ge=1,
            le=10_000,
        )

    @classmethod
    def solve(cls, projector: Projector, sinograms: Real, settings: Settings, start: Real | None, use: Any) -> Real:
        from stp3.kernels.iterative import cgls

        return cgls(projector, sinograms, settings, start)


class Em(Iterative):
    """The most likely slice for counted photons; its values never fall below zero."""

    name = "em"
    title = "EM (iterative)"
    paper = "Shepp & Vardi, IEEE Trans. Med. Imaging 1:113 (1982)"
    Parameters = IterativeParameters

    @classmethod
    def solve(cls, projector: Projector, sinograms: Real, settings: Settings, start: Real | None, use: Any) -> Real:
        from stp3.kernels.iterative import em

        return em(projector, sinograms, settings, start)


class FistaTv(Iterative):
    """The slice that fits the measurement and has few edges: clean pictures from few projections."""

    name = "fista_tv"
    title = "FISTA-TV (iterative)"
    paper = "Beck & Teboulle, IEEE Trans. Image Process. 18:2419 (2009)"

    class Parameters(LimitedParameters):
        weight: float = parameter(
            1e-4,
            "How much smoothness counts beside the measurement (lambda): 0.00001 keeps fine detail, 0.001 leaves flat "
            "areas with sharp edges. It means the same for every scan, whatever its size and units.",
            title="Smoothness",
            ge=0.0,
            le=1.0,
        )
        inner: int = parameter(
            10,
            "Steps of each denoising, which starts from where the last one ended.",
            title="Inner iterations",
            ge=1,
            le=1000,
            expert=True,
        )

    @classmethod
    def solve(cls, projector: Projector, sinograms: Real, settings: Settings, start: Real | None, use: Any) -> Real:
        from stp3.kernels.iterative import fista_tv

        return fista_tv(projector, sinograms, settings, use.weight, use.inner, start)


def _limits(use: Any, pixel: float) -> tuple[float | None, float | None]:
    """The lowest and highest value, per pixel."""
    low, high = getattr(use, "minimum", _NONE), getattr(use, "maximum", _NONE)
    if _NONE not in (low, high) and not low < high:
        raise UsageFault(f"the lowest value must be below the highest value, got {low} and {high}.")
    return None if low == _NONE else low * pixel, None if high == _NONE else high * pixel
