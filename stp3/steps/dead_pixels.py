"""Dead pixels: repaired before they spread."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stp3.kernels import dead_pixels as kernel
from stp3.kernels import memory
from stp3.steps.base import Slab, Step, StepParameters, parameter


class DeadPixels(Step):
    """Pixels that measure nothing get the mean of their neighbours, in projections and open-beam frames alike."""

    name = "dead_pixels"
    title = "Repair dead pixels"
    domain = "projection"
    takes_counts = True
    needs = "counts"

    class Parameters(StepParameters):
        zeros: bool = parameter(
            True,
            "Whether zero and negative values are dead. Switch off for detectors that count single photons, where "
            "zero is a measurement, and for data that are corrected already.",
            title="Zeros are dead",
        )
        stuck: bool = parameter(
            True, "Whether a pixel is dead that shows the same value in every projection.", title="Find stuck pixels"
        )

    @classmethod
    def halo(cls, parameters: Any) -> int:
        return 1

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """The slab in its own type without dead pixels: put it before the flat field, whose frames it mends as well.

        How many values that were goes to the log "stp3".
        """
        dead = kernel.find(slab.data, positive=parameters.zeros, stuck=parameters.stuck, threads=slab.threads)
        data, count = _mended(slab.data, dead, slab.threads)
        if count:
            logging.getLogger("stp3").info(
                "dead_pixels: %d values (%.3g %%) of %d pixels repaired in rows %d to %d.",
                count, 100 * count / data.size, int(dead.somewhere.sum()), slab.rows[0], slab.rows[-1],
            )  # fmt: skip
        flats = _mended_frames(slab.flats, dead, parameters.zeros, slab.threads)
        return slab.with_data(data, flats=flats, darks=_mended_frames(slab.darks, dead, False, slab.threads))


def _mended(frames: NDArray[Any], dead: kernel.Dead, threads: int) -> tuple[NDArray[Any], int]:
    if not dead.somewhere.any():
        return frames, 0
    out = memory.empty(frames.shape, frames.dtype)
    np.copyto(out, frames)
    return out, kernel.fill(frames, dead, out, threads)


def _mended_frames(
    frames: NDArray[np.float32] | None, dead: kernel.Dead, positive: bool, threads: int
) -> NDArray[np.float32] | None:
    """Flats or darks with the pixels filled that are dead in all projections, or here."""
    if frames is None or len(frames) == 0:
        return frames
    here = kernel.find(frames, positive=positive, stuck=False, threads=threads)
    throughout = here.throughout | dead.throughout
    return _mended(frames, kernel.Dead(throughout, here.somewhere | throughout, positive), threads)[0]
