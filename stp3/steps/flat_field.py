"""Flat field correction: counts become transmission."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stp3.kernels.threads import pieces, share
from stp3.steps.base import Slab, Step, StepParameters, parameter

Frame = NDArray[np.float32]
_TOGETHER = 32  # projections that a thread corrects at once
_APART = 1.5  # flats further apart than this, in projections, belong to different groups


class FlatField(Step):
    """(I - D) / (F - D): what the sample lets through, 1 where there is none."""

    name = "flat_field"
    title = "Flat field"
    domain = "projection"
    gives = "transmission"

    class Parameters(StepParameters):
        flats: Literal["interpolate", "all", "before", "after"] = parameter(
            "interpolate",
            "Which open-beam frames to divide by. Interpolate follows a beam that changes during the scan: each "
            "projection gets the flat of its moment, between those taken before, during and after. All uses one "
            "mean of everything. Where a scan has flats at one time only, those are used.",
            title="Flats",
        )
        average: Literal["mean", "median"] = parameter(
            "mean",
            "How frames taken together become one. The median ignores a frame in which something went wrong; "
            "the mean has less noise.",
            title="Average of frames",
            expert=True,
        )

    @classmethod
    def apply(cls, slab: Slab, parameters: Parameters) -> Slab:
        """Transmission; pixels without signal in the flats, and values that are not numbers, become 1.

        A scan without flats is taken to hold transmission already.
        """
        if slab.flats is None or len(slab.flats) == 0:
            return slab.with_data(np.nan_to_num(slab.data, nan=1.0, posinf=1.0, neginf=1.0))
        dark = _average(slab.darks, parameters.average) if slab.darks is not None and len(slab.darks) else np.float32(0)
        times, flats = _flats(slab, parameters)
        out = np.empty_like(slab.data)

        def correct(some: slice) -> None:
            if len(flats) == 1:
                gain = _gain(flats[0], dark)[None]
            else:
                gain = _gain(_at(np.arange(some.start, some.stop, dtype=np.float64), times, flats), dark)
            part = out[some]
            np.subtract(slab.data[some], dark, out=part)
            np.multiply(part, gain, out=part)
            part[~np.isfinite(part)] = 1

        share(correct, pieces(len(out), _TOGETHER), slab.threads)
        return slab.with_data(out)


def _average(frames: Frame, how: str) -> Frame:
    """One frame of a stack, in float32; sums run in float64."""
    average = np.median(frames, axis=0) if how == "median" else np.mean(frames, axis=0, dtype=np.float64)
    return np.asarray(average, np.float32)


def _flats(slab: Slab, parameters: FlatField.Parameters) -> tuple[NDArray[np.float64], list[Frame]]:
    """Moments (in projection numbers) and the flat of each."""
    assert slab.flats is not None  # noqa: S101
    times = slab.flat_times
    chosen = np.ones(len(slab.flats), bool)
    if times is not None and len(times) == len(slab.flats):
        sides = {"before": times < 0, "after": times > len(slab.data) - 1}
        side = sides.get(parameters.flats, chosen)
        chosen = side if side.any() else chosen
    if parameters.flats != "interpolate" or times is None or len(times) != len(slab.flats):
        return np.zeros(1), [_average(slab.flats[chosen], parameters.average)]
    order = np.argsort(times, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(times[order]) > _APART) + 1)
    moments = np.array([times[group].mean() for group in groups])
    return moments, [_average(slab.flats[group], parameters.average) for group in groups]


def _at(moments: NDArray[np.float64], times: NDArray[np.float64], flats: list[Frame]) -> Frame:
    """The flat of each moment, shape (moments, rows, columns): linear in time, constant outside."""
    later = np.clip(np.searchsorted(times, moments), 1, len(times) - 1)
    share_later = np.clip((moments - times[later - 1]) / (times[later] - times[later - 1]), 0, 1).astype(np.float32)
    stack = np.stack(flats)
    weight = share_later[:, None, None]
    return stack[later - 1] * (1 - weight) + stack[later] * weight


def _gain(flat: Frame, dark: Frame | np.float32) -> Frame:
    """1 / (flat - dark); not a number where the flat is not brighter than the dark."""
    bright = flat - dark
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(bright > 0, 1 / bright, np.float32(np.nan))
