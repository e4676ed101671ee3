"""Stripes in sinograms, which become rings in slices: Vo, Atwood and Drakopoulos, Opt. Express 26:28396 (2018).

This is the method in NumPy, one sinogram at a time: the second implementation of the compiled one (`stripe_removal`
chooses), and what machines without a compiler run.

A column of the detector sees much the same brightness values as its neighbours, only at other angles. Sorted by
value, neighbouring columns are therefore alike, and what differs is the detector's fault. One sort serves both the
large and the small stripes, because smoothing sorted columns keeps them sorted.

Lines are detector columns here, shape (columns, angles): what is sorted lies together in memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded when they are first used, which the compiled kernel never does
from numpy.typing import NDArray

from stp3.kernels.sliding_median import median_along_columns
from stp3.kernels.threads import pieces, share

Lines = NDArray[np.float32]

_TOGETHER = 64  # lines that a thread takes at once
_SMOOTHED_ANGLES = 11
_TRIMMED = 0.05  # share of the darkest and of the brightest values that detection leaves out
_QUANTILES = 64  # values of each sorted line that detection looks at
_ABRUPT = 0.5  # share of its height that a stripe rises within three columns
_LEAST_NOISE = 1e-6
_LEAST_VARIATION = 0.02  # of the median line's: where nothing varies (air without noise), nothing tells a dead line


@dataclass(frozen=True)
class AllStripes:
    """The paper's parameters: detection threshold and the median windows for large and small stripes, in columns.

    `dead` and `large` say whether these are looked for; a small window of 1 leaves small stripes alone.
    """

    snr: float = 3.0
    size_large: int = 51
    size_small: int = 21
    dead: bool = True
    large: bool = True

    def remove(self, sinogram: Lines, threads: int = 1) -> Lines:
        """The sinogram (angles, columns) of line integrals without dead, large and small stripes."""
        lines = np.ascontiguousarray(sinogram.T)
        if self.dead:
            lines = self.mend_dead(lines, threads)
        if self.large or self.size_small > 1:
            values, order = sort_lines(lines, threads)
            if self.large:
                values = self.mend_large(values, threads)
            values = median_along_columns(values, within(self.size_small, len(lines)), threads)
            lines = unsort_lines(values, order, threads)
        return np.ascontiguousarray(lines.T)

    def mend_dead(self, lines: Lines, threads: int = 1) -> Lines:
        """Lines that vary too little (dead) or too much (fluctuating) between angles, interpolated (algorithm 6).

        So are those with values that are no numbers.
        """
        variation = np.concatenate(share(lambda some: _variation(lines[some]), pieces(len(lines), _TOGETHER), threads))
        broken = ~np.isfinite(variation)
        variation[broken] = 0
        usual = scipy.ndimage.median_filter(variation, within(self.size_large, len(lines)), mode="reflect")
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(usual > _LEAST_VARIATION * np.median(variation), variation / usual, 1.0)
        found = scipy.ndimage.binary_dilation(detect(ratio, self.snr))
        found[:2] = found[-2:] = False
        return _interpolated(lines, found | broken)

    def mend_large(self, values: Lines, threads: int = 1) -> Lines:
        """Sorted lines whose mean stands out, replaced by the median of their neighbours (algorithm 5).

        The paper finds them by the ratio of transmissions; of line integrals that is a difference.
        """
        size = within(self.size_large, len(values))
        angles = values.shape[1]
        trim = int(_TRIMMED * angles)
        picked = np.unique(np.linspace(trim, angles - 1 - trim, min(_QUANTILES, angles)).astype(np.intp))
        some = np.ascontiguousarray(values[:, picked])
        excess = (some - median_along_columns(some, size, threads)).mean(axis=1, dtype=np.float64)
        found = np.flatnonzero(scipy.ndimage.binary_dilation(_sharp(detect(excess, self.snr), excess)))
        if not len(found):
            return values
        padded = np.pad(values, ((size // 2, size // 2), (0, 0)), mode="symmetric")
        mended = values.copy()
        mended[found] = share(lambda line: np.median(padded[line : line + size], axis=0), found, threads)
        return mended


def detect(levels: NDArray[np.float64], snr: float) -> NDArray[np.bool_]:
    """Which values stand out from the rest (algorithm 4).

    A line fitted through the middle half of the sorted values tells what the highest and lowest should be.
    """
    ranked = np.sort(levels)
    count = len(ranked)
    middle = np.arange(count // 4, count - count // 4)
    if len(middle) < 2:
        return np.zeros(count, bool)
    slope, low = np.polyfit(middle, ranked[middle], 1)
    high = low + slope * (count - 1)
    # of normal noise both measures say the same; the second is not fooled by data without any
    tails = np.quantile(ranked, (0.1, 0.9))
    noise = max(high - low, float(tails[1] - tails[0]), _LEAST_NOISE)
    found = np.zeros(count, bool)
    if ranked[-1] - high >= snr * noise:
        found |= levels > high + snr * noise / 2
    if low - ranked[0] >= snr * noise:
        found |= levels < low - snr * noise / 2
    return found


def _sharp(found: NDArray[np.bool_], excess: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Only those runs of columns that begin or end abruptly: stripes do, features of the sample swell."""
    kept = np.zeros_like(found)
    ends = np.flatnonzero(np.diff(np.concatenate([[False], found, [False]]).astype(np.int8)))
    last = len(excess) - 1
    for start, stop in ends.reshape(-1, 2):
        outside = excess[[max(start - 2, 0), min(stop + 1, last)]]
        inside = excess[[min(start + 1, stop - 1), max(stop - 2, start)]]
        kept[start:stop] = np.abs(inside - outside).max() >= _ABRUPT * np.abs(excess[start:stop]).max()
    return kept


def sort_lines(lines: Lines, threads: int = 1) -> tuple[Lines, NDArray[np.int32]]:
    """Each line in ascending order, and the angle that each value came from.

    Values and angles are sorted together as 64-bit integers, which leaves no tie to the sorting algorithm.
    """
    values, order = np.empty_like(lines), np.empty(lines.shape, np.int32)
    angle = np.arange(lines.shape[1], dtype=np.int64)

    def work(some: slice) -> None:
        keys = _flipped(lines[some].view(np.int32)).astype(np.int64)
        keys <<= 32
        keys |= angle
        keys.sort(axis=1)
        values[some] = _flipped((keys >> 32).astype(np.int32)).view(np.float32)
        order[some] = keys & 0xFFFFFFFF

    share(work, pieces(len(lines), _TOGETHER), threads)
    return values, order


def unsort_lines(values: Lines, order: NDArray[np.int32], threads: int = 1) -> Lines:
    """Each value back at its angle."""
    lines = np.empty_like(values)

    def work(some: slice) -> None:
        start = np.arange(some.start, some.stop, dtype=np.intp) * values.shape[1]
        lines.reshape(-1)[order[some] + start[:, None]] = values[some]

    share(work, pieces(len(lines), _TOGETHER), threads)
    return lines


def _flipped(bits: NDArray[np.int32]) -> NDArray[np.int32]:
    """Float bits as integers of the same order, and back."""
    return bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))


def _variation(lines: Lines) -> NDArray[np.float64]:
    """Sum over the angles of how far each value is from the mean of its neighbours in angle."""
    smooth = scipy.ndimage.uniform_filter1d(lines, _SMOOTHED_ANGLES, axis=1, mode="reflect")
    return np.asarray(np.abs(lines - smooth).sum(axis=1, dtype=np.float64))


def _interpolated(lines: Lines, missing: NDArray[np.bool_]) -> Lines:
    """The lines with missing ones drawn straight between the nearest good ones."""
    good = np.flatnonzero(~missing)
    if len(good) in (0, len(lines)):
        return lines
    holes = np.flatnonzero(missing)
    right = np.searchsorted(good, holes)
    before, after = good[np.maximum(right - 1, 0)], good[np.minimum(right, len(good) - 1)]
    weight = np.where(before < after, (holes - before) / np.maximum(after - before, 1), 0).astype(np.float32)[:, None]
    mended = lines.copy()
    mended[holes] = lines[before] * (1 - weight) + lines[after] * weight
    return mended


def within(size: int, count: int) -> int:
    """The window, odd and no wider than there are lines."""
    return min(size | 1, count - 1 + count % 2)
