"""Removal of stripes, which the reconstruction would turn into rings, by sorting the columns of the sinogram."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from stp3.steps.base import AUTO, Slab, Step, StepParameters, parameter

# Of the detector's width. The paper's 51 and 21 columns suit detectors of 2000; on narrower ones windows as wide
# as those reach across the sample and shade its rim.
_LARGE, _SMALL = 1 / 40, 1 / 100

Large = Annotated[int, Field(ge=1, le=301)] | Literal["auto"]
Small = Annotated[int, Field(ge=1, le=101)] | Literal["auto"]


def _snr() -> Any:
    return parameter(
        3.0,
        "How far a detector column must stand out to count as dead or as a large stripe. Lower finds fainter rings, "
        "but may take features of the sample for rings.",
        title="Detection threshold",
        ge=1.1,
        le=30.0,
    )


def _size_large() -> Any:
    return parameter(
        AUTO,
        "Median window against large stripes, 1 to 301: over twice as wide as the widest band of rings. Auto takes a "
        "fortieth of the detector.",
        title="Large stripes",
        unit="columns",
    )


def size_small() -> Any:
    """The median window against small stripes, as a parameter."""
    return parameter(
        AUTO,
        "Median window against small stripes, 1 to 101: over twice as wide as the ring lines. Wider removes wider "
        "rings and blurs along them; 1 leaves small stripes alone. Auto takes a hundredth of the detector.",
        title="Small stripes",
        unit="columns",
    )


class StripeStep(Step):
    """A step that removes stripes, each row by itself, by a method of `stp3.kernels.stripes` or `stripe_trends`."""

    domain = "sinogram"
    paper = "Vo, Atwood & Drakopoulos, Opt. Express 26:28396 (2018)"
    shares: ClassVar[dict[str, tuple[float, int]]] = {"size_large": (_LARGE, 5), "size_small": (_SMALL, 3)}
    """What "auto" is of the detector's width, and at least."""

    @classmethod
    def method(cls, parameters: Any) -> Any:
        """The method of settled parameters. It brings SciPy, which reading a recipe should not cost."""
        raise NotImplementedError

    @classmethod
    def settle(cls, parameters: Any, columns: int) -> Any:
        auto = {
            name: max(int(columns * share) | 1, least)
            for name, (share, least) in cls.shares.items()
            if getattr(parameters, name, None) == AUTO
        }
        return type(parameters)(**(parameters.model_dump() | auto))

    @classmethod
    def memory_fixed(cls, parameters: Any, angles: int, columns: int) -> int:
        from stp3.kernels.stripe_removal import working_bytes

        return working_bytes(angles, columns)

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """The sinograms without stripes, each row by itself."""
        from stp3.kernels.stripe_removal import remove_stripes

        method = cls.method(cls.settle(parameters, slab.data.shape[2]))
        return slab.with_data(remove_stripes(slab.data, method, slab.target(), slab.threads))


class BySorting(StripeStep):
    """The methods of the paper, alone or together."""

    fixed: ClassVar[dict[str, Any]] = {}
    """What is left out: settings of `AllStripes` that are no parameters."""

    @classmethod
    def method(cls, parameters: Any) -> Any:
        from stp3.kernels.stripes import AllStripes

        return AllStripes(**parameters.model_dump(), **cls.fixed)


class StripesAll(BySorting):
    """Removes dead, large and small stripes by sorting."""

    name = "stripes_all"
    title = "Remove rings"

    class Parameters(StepParameters):
        snr: float = _snr()
        size_large: Large = _size_large()
        size_small: Small = size_small()


class StripesSorting(BySorting):
    """Removes small stripes: the sorted values of neighbouring columns should be alike (algorithm 3)."""

    name = "stripes_sorting"
    title = "Remove rings: fine ones"
    fixed: ClassVar[dict[str, Any]] = {"dead": False, "large": False}

    class Parameters(StepParameters):
        size_small: Small = size_small()


class StripesLarge(BySorting):
    """Finds bands of columns too bright or too dark and takes their values from the neighbours (algorithm 5)."""

    name = "stripes_large"
    title = "Remove rings: broad bands"
    fixed: ClassVar[dict[str, Any]] = {"size_small": 1, "dead": False}

    class Parameters(StepParameters):
        snr: float = _snr()
        size_large: Large = _size_large()


class StripesDead(BySorting):
    """Finds columns that do not answer or that flicker and draws them between their neighbours (algorithm 6)."""

    name = "stripes_dead"
    title = "Remove rings: dead columns"
    fixed: ClassVar[dict[str, Any]] = {"size_small": 1, "large": False}

    class Parameters(StepParameters):
        snr: float = _snr()
        size_large: Large = _size_large()
