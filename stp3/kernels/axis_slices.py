"""The rotation axis from slices: with the right one they are sharp, orderly and nowhere negative.

The same sinogram is reconstructed with many axes at once. Three marks are given to each slice: the fourth power of
its slope (edges are steep only where all projections agree), the entropy of its grey values, and, for half turns of
a sample wholly in view, how negative it gets (Donath, Beckmann and Schreyer, J. Opt. Soc. Am. A 23:1048, 2006).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from stp3.kernels.axis_pairs import Estimate, Lines
from stp3.kernels.reconstruction import reconstruct
from stp3.kernels.threads import pieces

_TOGETHER = 32  # candidates reconstructed at once
_CUTOFF = 0.5  # of a Hann filter: noise must not decide
_RADIUS = 0.46  # of the circle that is looked at, in widths of the detector
_LEAST_OVERLAP, _LEAST_OVERLAP_HALF_TURN = 0.16, 0.4  # share of the columns, in the wide sweep
_HALF_TURN, _WHOLE_TURN = 0.9 * np.pi, 1.9 * np.pi
_NOT_STEEPEST = 0.99
_EVERY_PIXEL = 400  # columns of slices of which every pixel counts
_ROWS = 64  # of a slice that are looked at together
_GREYS = 64
_TRIMMED = 0.0002  # share of the values at each end that does not spread the greys
_AROUND, _CLOSE = np.arange(-10.0, 10.5), np.arange(-2.0, 2.1, 0.5)  # columns around a guess, and around the best
_LEAST_ERROR, _LEAST_ERROR_WHOLE_TURN = 0.1, 0.25  # columns; a trend under the peak shifts it
_TREND = 15  # candidates over which a mark changes slowly, whatever the axis
_SAME = 1.5  # columns

Slices = NDArray[np.float32]
Marks = NDArray[np.float64]


def slices_at(sinogram: Lines, theta: NDArray[np.float64], axes: NDArray[np.float64], threads: int = 1) -> Slices:
    """One smooth slice of the sinogram (angles, columns) for each axis, shape (axes, columns, columns)."""
    angles, columns = sinogram.shape
    stack = np.broadcast_to(sinogram[:, None], (angles, len(axes), columns))
    if np.ptp(theta) > _WHOLE_TURN:
        stack = stack * np.stack([weights_of_whole_turn(columns, axis) for axis in axes])
    return reconstruct(stack, theta, axes, filter="hann", cutoff=_CUTOFF, threads=threads)


def weights_of_whole_turn(columns: int, axis: float) -> NDArray[np.float32]:
    """Weights of the columns of a whole turn: a ray seen from both sides weighs 2 together, any other 2 alone."""
    overlap = min(axis, columns - 1 - axis) + 0.5
    to_the_far_side = (np.arange(columns) - axis) * (1 if axis < (columns - 1) / 2 else -1)
    return np.asarray(2 * np.clip(to_the_far_side / (2 * overlap) + 0.5, 0, 1), np.float32)


def sharpness(slices: Slices, steepest: float | None = None) -> Marks:
    """The sum of the fourth power of the slope inside the circle; high is good.

    A slope counts as `steepest` at most (default: that of 1 % of the middle slice), lest one straight edge decide.
    """
    most = steepest_of(slices) if steepest is None else steepest
    inside = _circle(slices.shape[1])[1:-1, 1:-1].astype(np.float32)
    return np.array([_sharpness(image, inside, np.float32(most * most)) for image in slices])


def _sharpness(image: Slices, inside: Slices, most: np.float32) -> float:
    """That of one slice, a few rows at a time: what the processor's cache holds is not fetched again."""
    total = 0.0
    for rows in pieces(len(inside), _ROWS):
        steep = _steepness(image[rows.start : rows.stop + 2])
        np.minimum(steep, most, out=steep)
        steep *= steep
        total += float(np.vdot(steep, inside[rows]))
    return total


def _steepness(image: Slices) -> Slices:
    """The square of the slope over two pixels, without the rim."""
    across = image[1:-1, 2:] - image[1:-1, :-2]
    down = image[2:, 1:-1] - image[:-2, 1:-1]
    across *= across
    down *= down
    across += down
    return across


def steepest_of(slices: Slices) -> float:
    """The slope that 1 % of the middle slice exceeds inside the circle, per two pixels."""
    middle = slices[len(slices) // 2]
    step = 1 + len(middle) // _EVERY_PIXEL
    steep = _steepness(middle)[::step, ::step][_circle(len(middle))[1:-1, 1:-1][::step, ::step]]
    return float(np.sqrt(np.quantile(steep, _NOT_STEEPEST)))


def order(slices: Slices) -> Marks:
    """Minus the entropy of the grey values inside the circle; high is good. Large slices are thinned out."""
    step = 1 + slices.shape[1] // _EVERY_PIXEL
    values = slices[:, ::step, ::step][:, _circle(slices.shape[1])[::step, ::step]]
    low, high = np.quantile(values[len(values) // 2], (_TRIMMED, 1 - _TRIMMED))
    values *= np.float32((_GREYS - 1) / max(float(high - low), 1e-30))
    values -= np.float32(low * (_GREYS - 1) / max(float(high - low), 1e-30))
    greys = np.clip(values, 0, _GREYS - 1, out=values).astype(np.uint8)
    shares = np.stack([np.bincount(one, minlength=_GREYS) for one in greys]) / values.shape[1]
    return np.asarray((shares * np.log(np.maximum(shares, 1e-30))).sum(axis=1))


def positivity(slices: Slices) -> Marks:
    """The sum of what is below 0 inside the circle; high (near 0) is good. Large slices are thinned out."""
    step = 1 + slices.shape[1] // _EVERY_PIXEL
    inside = _circle(slices.shape[1])[::step].astype(np.float32)
    return np.array([float(np.vdot(np.minimum(image[::step], 0), inside)) for image in slices])


_MARKS: Mapping[str, Callable[[Slices], Marks]] = {"sharpness": sharpness, "entropy": order, "negativity": positivity}


def wide_sweep(sinogram: Lines, theta: NDArray[np.float64], threads: int = 1, most: int = 3) -> list[float]:
    """The axes that stand out anywhere on the detector by sharpness, best first; meant for binned sinograms."""
    columns = sinogram.shape[1]
    least = _LEAST_OVERLAP if np.ptp(theta) > _WHOLE_TURN else _LEAST_OVERLAP_HALF_TURN
    axes = np.arange(least * columns / 2, columns * (1 - least / 2) - 1)
    steepest = steepest_of(slices_at(sinogram, theta, axes[[len(axes) // 2]], threads))
    parts = pieces(len(axes), _TOGETHER)
    marks = np.concatenate([sharpness(slices_at(sinogram, theta, axes[part], threads), steepest) for part in parts])
    above = marks - median_filter(marks, min(_TREND, len(marks)), mode="nearest")
    found: list[float] = []
    for _ in range(most):
        best = int(np.argmax(above))
        found.append(float(axes[best]))
        above[max(best - _TREND // 2, 0) : best + _TREND // 2 + 1] = -np.inf
    return found


def axis_by_slices(
    sinogram: Lines, theta: NDArray[np.float64], guesses: Sequence[float], in_view: bool, threads: int = 1
) -> dict[str, Estimate]:
    """The best axis within 10 columns of one of the guesses, by each mark; nothing from less than half a turn.

    Believed is the guess around which sharpness and entropy agree best. `in_view` says that no part of the sample is
    ever cut off: only then, and over half a turn, does negativity mean something.
    """
    if np.ptp(theta) < _HALF_TURN:
        return {}
    means_something = in_view and np.ptp(theta) < _WHOLE_TURN
    names = [name for name in _MARKS if name != "negativity" or means_something]
    near = []
    for guess in guesses:
        axes = guess + _AROUND
        slices = slices_at(sinogram, theta, axes, threads)
        near.append({name: Estimate(*_peak(axes, _MARKS[name](slices))) for name in names})
    return closer(sinogram, theta, max(near, key=agreement), threads) if near else {}


def closer(
    sinogram: Lines, theta: NDArray[np.float64], found: dict[str, Estimate], threads: int = 1
) -> dict[str, Estimate]:
    """What was found, looked at again within 2 columns of the sharpest; marks that do not peak there stay."""
    axes = found["sharpness"].column + _CLOSE
    slices = slices_at(sinogram, theta, axes, threads)
    error = _LEAST_ERROR if np.ptp(theta) < _WHOLE_TURN else _LEAST_ERROR_WHOLE_TURN
    out = {}
    for name, before in found.items():
        column, clear = _peak(axes, _MARKS[name](slices))
        out[name] = replace(before, column=column if clear > 0 else before.column, least_error=error)
    return out


def agreement(found: Mapping[str, Estimate]) -> float:
    """Between 0 and 1: how clearly sharpness and entropy peak in the same place."""
    if not found:
        return 0.0
    sharp, orderly = found["sharpness"], found["entropy"]
    apart = abs(sharp.column - orderly.column) > _SAME
    return 0.1 * sharp.clarity if apart else sharp.clarity * orderly.clarity


def _peak(axes: NDArray[np.float64], marks: Marks) -> tuple[float, float]:
    """The top of the marks over their trend, by a parabola, and its height as a share of their range."""
    ends = np.interp(axes, axes[[0, -1]], marks[[0, -1]])
    above, height = marks - ends, float(np.ptp(marks)) + 1e-30
    top = int(np.argmax(above))
    if not 1 < top < len(marks) - 2:
        return float(axes[top]), 0.0
    around = slice(top - 2, top + 3)
    bend, slope, _ = np.polyfit(axes[around] - axes[top], above[around] / height, 2)
    offset = -slope / (2 * bend) if bend < 0 else 0.0
    return float(axes[top] + np.clip(offset, axes[0] - axes[1], axes[1] - axes[0])), float(above[top]) / height


@lru_cache(maxsize=4)
def _circle(size: int) -> NDArray[np.bool_]:
    along = np.arange(size) - (size - 1) / 2
    return np.asarray(along**2 + along[:, None] ** 2 < (_RADIUS * size) ** 2)
