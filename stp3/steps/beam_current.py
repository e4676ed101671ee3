"""The beam of a storage ring fades; what the ring's current tells of it is taken out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stp3.errors import UsageFault
from stp3.kernels.threads import pieces, share
from stp3.scan import Scan
from stp3.steps.base import Slab, Step, StepParameters

_TOGETHER = 32  # frames scaled at once


class BeamCurrent(Step):
    """Each frame, flats too, as it would have been at the mean current of the projections.

    What it counted above the dark is proportional to the ring's current when it was taken.
    """

    name = "beam_current"
    title = "Ring current"
    domain = "projection"
    needs = "counts"
    Parameters = StepParameters

    @classmethod
    def settle_for(cls, parameters: Any, scan: Scan) -> Any:
        if scan.currents is None:
            raise UsageFault(
                "beam_current needs the ring current of each projection, which this scan does not state. Take the step "
                "out; flat_field follows a fading beam by the flats of before and after."
            )
        return parameters

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """Counts at the mean current of the projections, float32. Flats without a current take that of their moment."""
        if slab.currents is None:
            raise UsageFault("beam_current needs the ring current of each projection. Take the step out.")
        mean = float(slab.currents.mean())
        dark = np.zeros(slab.data.shape[1:], np.float32)
        if slab.darks is not None and len(slab.darks):
            dark = slab.darks.mean(axis=0, dtype=np.float64).astype(np.float32)
        data = slab.target()
        _scale(slab.data, dark, mean / slab.currents, data, slab.threads)
        if slab.flats is None:
            return slab.with_data(data)
        flats = np.empty_like(slab.flats)
        _scale(slab.flats, dark, mean / _flat_currents(slab), flats, slab.threads)
        return replace(slab, data=data, flats=flats)


def _flat_currents(slab: Slab) -> NDArray[np.float64]:
    if slab.flat_currents is not None:
        return slab.flat_currents
    assert slab.currents is not None  # noqa: S101
    times = slab.flat_times
    if times is None or slab.flats is None or len(times) != len(slab.flats):
        return np.full(0 if slab.flats is None else len(slab.flats), slab.currents[0])
    return np.interp(times, np.arange(len(slab.currents)), slab.currents)


def _scale(
    counts: NDArray[np.float32],
    dark: NDArray[np.float32],
    factors: NDArray[np.float64],
    out: NDArray[np.float32],
    threads: int,
) -> None:
    """Writes dark + factor * (counts - dark) of each frame into `out`, which may be `counts`."""

    def scale(some: slice) -> None:
        part = out[some]
        np.subtract(counts[some], dark, out=part)
        part *= factors[some, None, None].astype(np.float32)
        part += dark

    share(scale, pieces(len(counts), _TOGETHER), threads)
