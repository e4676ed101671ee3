"""Flat field correction: counts become transmission."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stp3.kernels.counts import Beam, air_levels
from stp3.steps.base import Slab, Step, StepParameters, parameter
from stp3.steps.one_pass import correct_slab, joined

Frame = NDArray[np.float32]
_MIDDLE: Literal["middle"] = "middle"
_SAME_ANGLE = 1e-6  # degrees
_APART = 1.5  # flats further apart than this, in projections, belong to different groups


class FlatField(Step):
    """(I - D) / (F - D): what the sample lets through, 1 where there is none."""

    name = "flat_field"
    title = "Flat field"
    domain = "projection"
    needs = "counts"
    gives = "transmission"
    takes_counts = True

    class Parameters(StepParameters):
        flats: Literal["interpolate", "all", "before", "after", "halves"] = parameter(
            "interpolate",
            "Which open-beam frames to divide by. Interpolate follows a beam that changes during the scan: each "
            "projection gets the flat of its moment, between those taken before, during and after. All uses one "
            "mean of everything. Halves suits a beam that jumped once: those before the scan up to the split angle, "
            "those after it from there on. Where a scan has flats at one time only, those are used.",
            title="Flats",
        )
        split: Annotated[float, Field(ge=0.0)] | Literal["middle"] = parameter(
            _MIDDLE,
            "With halves: how far the sample has turned, from the first projection on, when the flats taken after the "
            "scan take over. Middle: half of all the way.",
            title="Split angle",
            unit="°",
            expert=True,
        )
        average: Literal["mean", "median"] = parameter(
            "mean",
            "How frames taken together become one. The median ignores a frame in which something went wrong; "
            "the mean has less noise.",
            title="Average of frames",
            expert=True,
        )
        air_left: int = parameter(
            0,
            "Columns at the left that see no sample at any angle. When given, every line of every projection is "
            "rescaled so that these are open beam: for a beam that flickers.",
            title="Air at the left",
            unit="columns",
            ge=0,
            expert=True,
        )
        air_right: int = parameter(
            0,
            "The same at the right. With both, a straight line between the two sides is divided by.",
            title="Air at the right",
            unit="columns",
            ge=0,
            expert=True,
        )

    @classmethod
    def apply(cls, slab: Slab, parameters: Parameters) -> Slab:
        """Transmission; pixels without signal in the flats, and values that are not numbers, become 1.

        A scan without flats is taken to hold transmission already.
        """
        return cls.apply_joined(slab, [(cls.name, parameters)])

    @classmethod
    def joins(cls, uses: Sequence[tuple[str, Any]]) -> int:
        """Zingers and the logarithm, when they follow, are done while the values are at hand."""
        return joined(uses)

    @classmethod
    def apply_joined(cls, slab: Slab, uses: Sequence[tuple[str, Any]]) -> Slab:
        """Transmission, or line integrals where the logarithm is among the steps."""
        parameters = uses[0][1]
        beam = _beam(slab, parameters)
        air = air_levels(slab.data, beam, parameters.air_left, parameters.air_right, slab.threads)
        return correct_slab(slab, uses, beam, air)


def _beam(slab: Slab, parameters: FlatField.Parameters) -> Beam | None:
    """What the projections are divided by; None where the scan has no flats."""
    if slab.flats is None or len(slab.flats) == 0:
        return None
    dark = np.zeros(slab.flats.shape[1:], np.float32)
    if slab.darks is not None and len(slab.darks):
        dark = _average(slab.darks, parameters.average)
    if parameters.flats == "halves" and (sides := _sides(slab)):
        before, after = (_average(slab.flats[side], parameters.average) for side in sides)
        return Beam.jumping(dark, before, after, _turned_past(slab.theta, parameters.split))
    times, flats = _flats(slab, parameters)
    return Beam.drifting(dark, np.stack(flats), times, len(slab.data))


def _sides(slab: Slab) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
    """Which flats were taken before the scan and which after it; None where there are not both."""
    times = slab.flat_times
    if slab.flats is None or times is None or len(times) != len(slab.flats):
        return None
    before, after = times < 0, times > len(slab.data) - 1
    return (before, after) if before.any() and after.any() else None


def _turned_past(theta: NDArray[np.float64], split: float | Literal["middle"]) -> NDArray[np.bool_]:
    """Which projections were taken when the sample had turned as far as that, in degrees."""
    turned = np.rad2deg(np.abs(np.unwrap(theta) - theta[0]))
    return np.asarray(turned >= (turned.max() / 2 if split == _MIDDLE else split) - _SAME_ANGLE)


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
    groups = flats_together(times)
    moments = np.array([times[group].mean() for group in groups])
    return moments, [_average(slab.flats[group], parameters.average) for group in groups]


def flats_together(times: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    """The numbers of the flats that were taken together, group by group in the order of time."""
    order = np.argsort(times, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(times[order]) > _APART) + 1)
