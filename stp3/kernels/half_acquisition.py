"""Half acquisition: a whole turn about an axis near one side of the detector, made into half a turn of a wide one.

What a projection misses on the near side, the one half a turn later shows mirrored about the axis. Both show the
columns near the axis, where one fades into the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stp3.errors import UsageFault
from stp3.kernels import memory
from stp3.kernels.threads import share

Side = Literal["left", "right"]
Blend = Literal["linear", "average"]
Lines = NDArray[np.float32]

_WHOLE_TURN = 1.97 * np.pi
_TAPS = 4  # columns on either side that the polynomial goes through
_EXACT = 1e-6  # share of the step between angles within which two are the same


@dataclass(frozen=True)
class Partners:
    """The projections of the first half turn, and of each the two around half a turn later, the second's weight."""

    first: NDArray[np.intp]
    before: NDArray[np.intp]
    after: NDArray[np.intp]
    share: Lines


def added_columns(columns: int, overlap: float) -> int:
    """By how many columns the detector grows when so many are seen from both sides."""
    return int(np.floor(columns - overlap + 1e-6))


def extend(
    data: Lines,
    theta: NDArray[np.float64],
    axes: NDArray[np.float64],
    *,
    side: Side,
    added: int,
    blend: Blend = "linear",
    normalise: bool = False,
    threads: int = 1,
) -> tuple[Lines, NDArray[np.float64], float]:
    """Sinograms of half a turn, shape (angles, rows, columns + added), their angles, and by how much the axis moved.

    `data` are (angles, rows, columns) of a whole turn, `axes` the column of the axis in each row, near that `side`.
    Raises UsageFault when the angles are not a whole turn.
    """
    partners = opposite(theta)
    columns, shift = data.shape[2], added if side == "left" else 0
    out = memory.empty((len(partners.first), data.shape[1], columns + added))

    def row(number: int) -> None:
        lines, axis = data[:, number], float(axes[number])
        wide = np.arange(columns + added) - shift
        weight = _weight(wide, axis, columns, side, blend)
        there = _mirrored(_turned(lines, partners), 2 * axis - wide)
        here = lines[partners.first][:, np.clip(wide, 0, columns - 1)]
        if normalise:
            seen = (weight > 0) & (weight < 1)
            apart = (here[:, seen].mean(axis=1) - there[:, seen].mean(axis=1))[:, None] / 2 if seen.any() else 0
            here, there = here - apart, there + apart
        out[:, number] = there + weight * (here - there)

    share(row, range(data.shape[1]), threads)
    return out, theta[partners.first], float(shift)


def opposite(theta: NDArray[np.float64]) -> Partners:
    """Which projections face each other. Raises UsageFault when the angles are not a whole turn."""
    turned = np.abs(np.unwrap(theta) - theta[0])
    step = float(turned.max()) / max(len(theta) - 1, 1)
    if turned.max() + step < _WHOLE_TURN:
        raise UsageFault(
            f"half acquisition needs projections over 360 degrees, these cover {np.rad2deg(turned.max()):.1f}. "
            "Switch extended_field_of_view off."
        )
    order = np.argsort(turned, kind="stable")
    order = order[turned[order] < 2 * np.pi - _EXACT * step]
    first = order[turned[order] < np.pi - _EXACT * step]
    around = np.append(turned[order], turned[order[0]] + 2 * np.pi)
    wanted = turned[first] + np.pi
    after = np.clip(np.searchsorted(around, wanted), 1, len(order))
    weight = (wanted - around[after - 1]) / (around[after] - around[after - 1])
    weight = np.where(np.abs(weight - np.rint(weight)) < _EXACT, np.rint(weight), np.clip(weight, 0, 1))
    return Partners(first, order[after - 1], order[after % len(order)], weight.astype(np.float32))


def _turned(lines: Lines, partners: Partners) -> Lines:
    """The lines half a turn after those of the first half turn."""
    weight = partners.share[:, None]
    if np.all((weight == 0) | (weight == 1)):
        return lines[np.where(partners.share == 1, partners.after, partners.before)]
    return np.asarray(lines[partners.before] * (1 - weight) + lines[partners.after] * weight)


def _mirrored(lines: Lines, places: NDArray[np.float64]) -> Lines:
    """The lines at places a column apart between their columns, by polynomials; the last column goes on beyond."""
    whole = np.floor(places + 1e-9).astype(np.intp)
    part = float(places[0] - whole[0])  # the same everywhere
    if abs(part) < _EXACT:
        return lines[:, np.clip(whole, 0, lines.shape[1] - 1)]
    offsets = np.arange(1 - _TAPS, 1 + _TAPS)
    weights = [np.prod([(part - other) / (one - other) for other in offsets if other != one]) for one in offsets]
    out = np.zeros((len(lines), len(places)), np.float32)
    for offset, weight in zip(offsets, weights, strict=True):
        out += np.float32(weight) * lines[:, np.clip(whole + offset, 0, lines.shape[1] - 1)]
    return out


def _weight(wide: NDArray[np.intp], axis: float, columns: int, side: Side, blend: Blend) -> Lines:
    """The share of the projection itself at each of its columns, which go on beyond the detector."""
    half = (axis if side == "left" else columns - 1 - axis) + 0.5
    inward = (wide - axis) * (1 if side == "left" else -1)
    weight = np.clip(inward / (2 * half) + 0.5, 0, 1)
    if blend == "average":
        weight = np.where(np.abs(inward) < half - _TAPS, 0.5, np.rint(weight))  # at its end a polynomial lacks columns
    return np.where((wide >= 0) & (wide < columns), weight, 0).astype(np.float32)
