"""Pre-flight of the angles: their order, gaps and range, and whether they are degrees."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from stp3.preflight import Finding

_GAP = 1.6  # steps of the usual width: a projection is missing there
_TOLERANCE_DEG = 1.0


def findings(theta: NDArray[np.float64]) -> Iterator[Finding]:
    """What the angles of the projections (radians) tell."""
    degrees = np.rad2deg(theta)
    if len(degrees) < 2:
        yield Finding("red", "angles.count", f"The scan has {len(degrees)} projection(s). At least two are needed.")
        return
    if not np.ptp(degrees):
        yield Finding(
            "red", "angles.none",
            f"All {len(degrees)} projections have the same angle, {degrees[0]:g} degrees: the angles were not "
            "recorded. Write them into the file, or measure again.",
        )  # fmt: skip
        return
    steps = np.diff(degrees)
    yield from _unit(degrees)
    yield from _order(degrees, steps)
    yield from _gaps(degrees, steps)
    yield from _range(degrees, steps)


def _unit(degrees: NDArray[np.float64]) -> Iterator[Finding]:
    span = float(np.ptp(degrees))
    for turns, name in ((np.pi, "half a turn"), (2 * np.pi, "a turn")):
        if abs(span - turns) < 0.05 * turns and len(degrees) > 20:
            yield Finding(
                "red", "angles.unit",
                f"The angles span {span:.4g} degrees, which is {name} in radians: their unit is wrong in the file. "
                'Set the attribute units of the angles to "rad".',
            )  # fmt: skip
    for meant in (180, 360):
        if abs(np.deg2rad(span) - meant) < 0.05 * meant:
            yield Finding(
                "red", "angles.unit",
                f"The angles span {span:.0f} degrees; read as degrees they would be {np.deg2rad(span):.4g}: their unit "
                'is wrong in the file. Set the attribute units of the angles to "deg".',
            )  # fmt: skip


def _order(degrees: NDArray[np.float64], steps: NDArray[np.float64]) -> Iterator[Finding]:
    if repeated := len(degrees) - len(np.unique(degrees)):
        where = int(np.flatnonzero(steps == 0)[0]) + 1 if (steps == 0).any() else None
        first = f", the first at projection {where}" if where is not None else ""
        yield Finding(
            "amber", "angles.repeated",
            f"{repeated} of {len(degrees)} angles occur more than once{first}. Did the stage stand still?",
        )  # fmt: skip
    backwards = min((steps > 0).sum(), (steps < 0).sum())
    if backwards:
        yield Finding(
            "amber", "angles.order",
            f"The angles go back {backwards} times; each projection is used at its own angle.",
        )  # fmt: skip


def _gaps(degrees: NDArray[np.float64], steps: NDArray[np.float64]) -> Iterator[Finding]:
    widths = np.diff(np.unique(degrees))
    usual = float(np.median(widths))
    if not (wide := widths > _GAP * usual).any():
        return
    largest = float(widths.max())
    lost = int(np.rint(widths[wide] / usual - 1).sum())
    at = int(np.argmax(np.abs(steps)))
    yield Finding(
        "amber", "angles.gaps",
        f"{int(wide.sum())} gaps in the angles, the largest of {largest:.3g} degrees (the usual step is {usual:.3g}) "
        f"near projection {at}: about {lost} projections are missing. Expect streaks.",
    )  # fmt: skip


def _range(degrees: NDArray[np.float64], steps: NDArray[np.float64]) -> Iterator[Finding]:
    span = float(np.ptp(degrees))
    usual = float(np.median(np.abs(steps[steps != 0])))
    slack = max(1.5 * usual, _TOLERANCE_DEG)
    about = f"{len(degrees)} angles over {span + usual if span + usual <= 360 + slack else span:.4g} degrees"
    for turn in (180, 360):
        if abs(span - turn) <= slack:
            yield Finding("green", "angles.range", f"{len(degrees)} angles over {turn} degrees.")
            return
    if span < 180:
        text = f"{about}: less than half a turn. Shapes come out drawn in the directions that are missing."
        yield Finding("amber", "angles.range", text)
    elif span < 360:
        text = f"{about}: neither half a turn nor a whole one. Some directions are measured twice and weigh more."
        yield Finding("amber", "angles.range", text)
    else:
        yield Finding("amber", "angles.range", f"{about} ({span / 360:.3g} turns): more than one turn.")
