"""The rotation axis from projections half a turn apart: one is the mirror image of the other.

No scan measures exact partners only. Pairs that miss half a turn by a small gap are sorted by that gap; over it the
mirror line moves evenly (by the height of the sample's centre of mass), so that the correlations of all gaps are
stacked along straight lines, and the line that stacks best is read at gap 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from stp3.kernels.stripe_removal import remove_stripes
from stp3.kernels.stripes import AllStripes

Lines = NDArray[np.float32]

_WIDEST_GAP_STEPS, _WIDEST_GAP_RAD = 3.5, np.deg2rad(1.0)
_MOST_PAIRS = 480
_EXACT, _ENOUGH_EXACT = 0.05, 24  # steps that an exact partner may miss half a turn by, and how many need no others
_BLURS = (1.0, 2.0, 4.0, 8.0, 16.0)
_LEAST_OVERLAP = 0.08  # share of the columns that both projections must show
_STEEPEST = 0.3  # distance of the centre of mass from the axis, in widths of the detector
_FINER = 4  # times that the search is repeated around the best, more finely
_ANGLES_FOR_STRIPES = 300
_WHOLE_TURN = 1.9 * np.pi


@dataclass(frozen=True)
class Estimate:
    """A rotation axis in columns, how clearly it stood out, and the error it has even so, in columns."""

    column: float
    clarity: float
    least_error: float = 0.0


@dataclass(frozen=True)
class Pairs:
    """Numbers of the projections of each pair, and by how many radians it misses half a turn."""

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    gap: NDArray[np.float64]

    @cached_property
    def groups(self) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """The different gaps, and which of them each pair has."""
        step = max(float(np.abs(self.gap).max()) / 12, 1e-9)
        values, group = np.unique(np.round(self.gap / step), return_inverse=True)
        means = np.bincount(group, self.gap) / np.bincount(group)
        return means[: len(values)], group


def opposite_pairs(theta: NDArray[np.float64]) -> Pairs:
    """Pairs about half a turn apart, an even choice of them when there are very many."""
    turned = np.mod(theta, 2 * np.pi)
    order = np.argsort(turned, kind="stable")
    steps = np.diff(turned[order])
    step = float(np.median(steps[steps > 1e-9])) if np.any(steps > 1e-9) else np.pi
    widest = max(_WIDEST_GAP_STEPS * step, _WIDEST_GAP_RAD)
    around = np.concatenate([turned[order], turned[order] + 2 * np.pi])
    start, stop = (np.searchsorted(around, turned + np.pi + end) for end in (-widest, widest))
    first = np.repeat(np.arange(len(theta)), stop - start)
    offset = np.arange(len(first)) - np.repeat(np.cumsum(stop - start) - (stop - start), stop - start)
    second = order[(np.repeat(start, stop - start) + offset) % len(theta)]
    gap = np.mod(theta[second] - theta[first], 2 * np.pi) - np.pi
    once = first < second  # every pair is found from both sides
    exact = once & (np.abs(gap) < _EXACT * step)
    wanted = exact if exact.sum() >= _ENOUGH_EXACT else once
    first, second = first[wanted], second[wanted]
    if len(first) > _MOST_PAIRS:
        picked = np.linspace(0, len(first) - 1, _MOST_PAIRS).astype(np.intp)
        first, second = first[picked], second[picked]
    return Pairs(first, second, np.mod(theta[second] - theta[first], 2 * np.pi) - np.pi)


def axis_by_pairs(sinogram: Lines, theta: NDArray[np.float64]) -> Estimate | None:
    """The axis of one sinogram (angles, columns) of line integrals; None when no two projections face each other."""
    pairs = opposite_pairs(theta)
    if not len(pairs.gap):
        return None
    used, places = np.unique(np.concatenate([pairs.first, pairs.second]), return_inverse=True)
    half = len(pairs.gap)
    pairs = Pairs(places[:half], places[half:], pairs.gap)
    lines = _without_stripes(sinogram, theta, used)
    best: Estimate | None = None
    for blur in _BLURS:
        found = _stacked(_correlations(lines, pairs, blur), pairs, sinogram.shape[1], blur)
        if best is None or found.clarity > best.clarity:
            best = found
    return best


def _without_stripes(sinogram: Lines, theta: NDArray[np.float64], used: NDArray[np.intp]) -> Lines:
    """The used projections of the sinogram, without what stays in its column.

    Stripes are told from the sample with a sample of all angles. Over a whole turn the mean, too, is the same on
    both sides of the axis and can go.
    """
    step = max(1, len(theta) // _ANGLES_FOR_STRIPES)
    kept = np.union1d(used, np.arange(0, len(theta), step))
    taken = np.ascontiguousarray(sinogram[kept])[:, None]
    clean = remove_stripes(taken, stripes_of(sinogram.shape[1]), taken)[:, 0]
    if np.ptp(theta) > _WHOLE_TURN:
        clean -= clean.mean(axis=0)
    return clean[np.searchsorted(kept, used)]


def stripes_of(columns: int) -> AllStripes:
    """Stripe removal with windows that leave features of the sample alone on small detectors."""
    return AllStripes(size_large=min(51, columns // 10 | 1), size_small=min(21, columns // 25 | 1))


def _correlations(lines: Lines, pairs: Pairs, blur: float) -> NDArray[np.float64]:
    """For each gap and each sum of two columns (twice the axis): correlation of first and mirrored second.

    Correlated are slopes, over the columns both have, normalised there to -1..1 (Padfield, IEEE Trans. Image
    Process. 21:2706, 2012, without the means).
    """
    columns = lines.shape[1]
    slope = gaussian_filter1d(lines, blur, axis=1, order=1, truncate=3.0)
    rim = int(3 * blur) + 1
    slope[:, :rim] = slope[:, columns - rim :] = 0
    padded = scipy.fft.next_fast_len(2 * columns, real=True)
    spectrum = scipy.fft.rfft(slope, padded, axis=1)
    energy = scipy.fft.rfft(slope * slope, padded, axis=1) * scipy.fft.rfft(np.ones(columns, np.float32), padded)
    gaps, group = pairs.groups
    out = np.empty((len(gaps), 2 * columns - 1))
    least = 0.02 * float((slope * slope).sum(axis=1).mean())
    for number in range(len(gaps)):
        first, second = pairs.first[group == number], pairs.second[group == number]
        product, one, other = scipy.fft.irfft(
            np.stack(
                [
                    -(spectrum[first] * spectrum[second]).sum(axis=0),
                    energy[first].sum(axis=0),
                    energy[second].sum(axis=0),
                ]
            ),
            padded,
            axis=1,
        )[:, : 2 * columns - 1]
        floor = least * len(first) + 1e-15  # its square must not vanish in float32
        out[number] = product / np.sqrt(np.maximum(one, floor) * np.maximum(other, floor))
    return out


def _stacked(correlations: NDArray[np.float64], pairs: Pairs, columns: int, blur: float) -> Estimate:
    """The axis whose line through the correlations of all gaps stacks best."""
    gaps, group = pairs.groups
    weight = np.sqrt(np.bincount(group))
    weight /= weight.sum()
    sums = np.arange(2 * columns - 1)
    overlap = (np.minimum(sums, 2 * (columns - 1) - sums) + 1) / columns
    step = 2 * blur / max(float(np.abs(gaps).max()), 1e-9)
    best, top, slope = np.zeros(len(sums)) - np.inf, 0, 0.0
    for tried in _slopes(columns, step, len(gaps)):
        lines = [np.interp(sums + 2 * tried * gap, sums, line) for gap, line in zip(gaps, correlations, strict=True)]
        fisher = np.arctanh(np.clip(weight @ np.stack(lines), -0.999, 0.999)) * np.sqrt(overlap)
        likely = np.where(overlap >= _LEAST_OVERLAP, fisher, -1.0)
        if likely.max() > best[top]:
            best, top, slope = likely, int(np.argmax(likely)), tried
    # how well the peak can be located: its height over the noise, times how narrow it is
    noise = float(np.std(best[overlap >= _LEAST_OVERLAP])) + 1e-9
    clarity = float(best[top]) / noise / 5 * (columns / 256 / blur) ** 0.5
    curves = [CubicSpline(sums, line) for line in correlations]
    return Estimate(_refined(curves, gaps, weight, (top, slope, step if len(gaps) > 1 else 0.0), blur) / 2, clarity)


def _slopes(columns: int, step: float, gaps: int) -> NDArray[np.float64]:
    reach = _STEEPEST * columns
    return np.arange(-reach, reach + step, step) if gaps > 1 else np.zeros(1)


def _refined(
    curves: list[CubicSpline],
    gaps: NDArray[np.float64],
    weight: NDArray[np.float64],
    start: tuple[float, float, float],
    blur: float,
) -> float:
    """The sum of two columns at gap 0 where the stack is highest near `start` (sum, slope, step of slope)."""
    total, slope, step = start
    spacing = blur / 2
    for _ in range(_FINER):
        around = total + spacing * np.arange(-4, 5)
        slopes = slope + step * np.linspace(-1, 1, 7)
        stacks = np.array(
            [
                weight @ [line(around + 2 * tried * gap) for gap, line in zip(gaps, curves, strict=True)]
                for tried in slopes
            ]
        )
        row, top = np.unravel_index(int(np.argmax(stacks)), stacks.shape)
        total, slope = float(around[top]) + spacing * _vertex(stacks[row], int(top)), float(slopes[row])
        spacing, step = spacing / 3, step / 2.5
    return total


def _vertex(values: NDArray[np.float64], top: int) -> float:
    """How far beside the highest sample a parabola through it and its neighbours peaks."""
    if not 0 < top < len(values) - 1:
        return 0.0
    before, here, after = (float(value) for value in values[top - 1 : top + 2])
    bend = before - 2 * here + after
    return 0.0 if bend >= 0 else float(np.clip((before - after) / bend / 2, -1, 1))
