"""Stripes found by windows that slide over one sinogram, shape (angles, columns)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter, uniform_filter1d

from stp3.kernels.sliding_median import median_along_columns

Sinogram = NDArray[np.float32]

_NETWORK_SIZE = 25  # up to here whole arrays of minima and maxima are faster than a sorted window


def oimoen(sinogram: Sinogram, across: int, along: int) -> Sinogram:
    """The stripes by two medians: what exceeds the median over `across` columns, in the median over `along` angles.

    Oimoen, 14th Int. Conf. on Applied Geologic Remote Sensing (2000), which removed the stripes of elevation maps.
    """
    excess = sinogram - _medians(np.ascontiguousarray(sinogram.T), across).T
    return _medians(excess, along)


def _medians(lines: Sinogram, size: int) -> Sinogram:
    """Medians over `size` neighbours along the first axis, which is mirrored at both ends."""
    window = min(size | 1, len(lines) - 1 + len(lines) % 2)
    if window <= _NETWORK_SIZE:
        return median_along_columns(np.ascontiguousarray(lines), window)
    out = np.empty(lines.shape[::-1], np.float32)
    for line, values in enumerate(np.ascontiguousarray(lines.T)):
        median_filter(values, window, output=out[line], mode="reflect")
    return out.T


def sijbers_postnov(sinogram: Sinogram, window: int, threshold: float) -> NDArray[np.float64]:
    """The stripe in each column (columns,): Sijbers & Postnov, Phys. Med. Biol. 49:N247 (2004).

    Of each column those angles count at which the window around it is even: of a variance up to `threshold` times
    the column's median. The stripe is the median there of how far the column is from the window's mean, and what
    its neighbours do not share.
    """
    size = min(window | 1, sinogram.shape[1] - 1 + sinogram.shape[1] % 2)
    excess = sinogram - uniform_filter1d(sinogram, size, axis=1, mode="nearest")
    variance = np.ascontiguousarray(uniform_filter1d(excess * excess, size, axis=1, mode="nearest").T)
    limit = threshold * np.median(variance, axis=1, keepdims=True)
    lines = np.where(variance <= limit, excess.T, np.float32(np.inf))
    lines.sort(axis=1)
    counts = np.isfinite(lines).sum(axis=1)
    column = np.arange(len(lines))
    middle = (lines[column, np.maximum(counts - 1, 0) // 2] + lines[column, counts // 2 * (counts > 0)]) / 2
    template = np.where(counts > 0, middle, 0.0)
    return np.asarray(template - median_filter(template, size, mode="nearest"), np.float64)
