"""Removal of stripes by windows that slide over the sinogram."""

from __future__ import annotations

from typing import Any

import numpy as np

from stp3.kernels.threads import share
from stp3.steps.base import Slab, Step, StepParameters, parameter


class _Windows(Step):
    """A step that looks at one sinogram after the other."""

    domain = "sinogram"

    @classmethod
    def stripes(cls, sinogram: Any, parameters: Any) -> Any:
        """What is to be subtracted from a sinogram (angles, columns)."""
        raise NotImplementedError

    @classmethod
    def memory_fixed(cls, parameters: Any, angles: int, columns: int) -> int:
        return 40 * angles * columns

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """The sinograms without stripes, each row by itself."""
        out = slab.target()

        def remove(row: int) -> None:
            sinogram = slab.data[:, row]
            found = np.asarray(cls.stripes(sinogram, parameters), np.float32)
            np.subtract(sinogram, found, out=out[:, row])

        share(remove, range(slab.data.shape[1]), slab.threads)
        return slab.with_data(out)


class StripesOimoen(_Windows):
    """Removes what a median across columns shows as narrow and a median over the angles as long."""

    name = "stripes_oimoen"
    title = "Remove rings: two medians"
    paper = "Oimoen, 14th Int. Conf. on Applied Geologic Remote Sensing (2000)"

    class Parameters(StepParameters):
        across: int = parameter(
            31,
            "Columns that the first median looks at: over twice as wide as the rings. Even numbers count as the next "
            "odd one.",
            title="Median across",
            unit="columns",
            ge=3,
            le=999,
        )
        along: int = parameter(
            31,
            "Angles that the second median looks at. Longer spares more of the sample and takes only stripes that "
            "last as long.",
            title="Median along",
            unit="angles",
            ge=3,
            le=999,
        )

    @classmethod
    def stripes(cls, sinogram: Any, parameters: Any) -> Any:
        from stp3.kernels.window_stripes import oimoen

        return oimoen(sinogram, parameters.across, parameters.along)


class StripesSijbersPostnov(_Windows):
    """Learns each stripe where a sliding window sees nothing else, and subtracts it everywhere."""

    name = "stripes_sijbers_postnov"
    title = "Remove rings: sliding window"
    paper = "Sijbers & Postnov, Phys. Med. Biol. 49:N247 (2004)"

    class Parameters(StepParameters):
        window: int = parameter(
            51,
            "Columns of the sliding window: over twice as wide as the widest ring. Even numbers count as the next "
            "odd one.",
            title="Window",
            unit="columns",
            ge=3,
            le=999,
        )
        threshold: float = parameter(
            1.0,
            "At which angles a window counts as even: those of a variance up to this times the column's median. "
            "Lower learns from fewer, emptier places; 1 takes the better half of the angles.",
            title="Threshold",
            gt=0.0,
            le=100.0,
        )

    @classmethod
    def stripes(cls, sinogram: Any, parameters: Any) -> Any:
        from stp3.kernels.window_stripes import sijbers_postnov

        return sijbers_postnov(sinogram, parameters.window, parameters.threshold)
