"""How often values occur; the same counts with and without the compiled kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stp3.kernels.reconstruction import is_compiled

_TOGETHER = 1 << 20  # values that NumPy looks at together


def extent(values: NDArray[np.float32], threads: int = 1) -> tuple[float, float, int]:
    """The least and the greatest finite value of a flat array, and how many are finite (0: the others mean nothing)."""
    if is_compiled():
        from stp3.kernels._native import extent as compiled

        return compiled(values, threads)
    low, high, finite = np.inf, -np.inf, 0
    for start in range(0, values.size, _TOGETHER):
        part = values[start : start + _TOGETHER]
        part = part[np.isfinite(part)]
        if part.size:
            low, high, finite = min(low, float(part.min())), max(high, float(part.max())), finite + part.size
    return low, high, finite


def count_values(
    values: NDArray[np.float32], within: tuple[float, float], scale: float, bins: range, threads: int = 1
) -> NDArray[np.uint64]:
    """How many values within those bounds have floor(value * scale) equal to each of `bins`; scale is a power of 2.

    The other values are left out.
    """
    counts = np.zeros(len(bins), np.uint64)
    if is_compiled():
        from stp3.kernels._native import count_values as compiled

        compiled(values, *within, scale, bins.start, counts, threads)
        return counts
    for start in range(0, values.size, _TOGETHER):
        part = values[start : start + _TOGETHER]
        part = part[(part >= within[0]) & (part <= within[1])]
        places = np.floor(part * np.float32(scale)).astype(np.int64) - bins.start
        counts += np.bincount(places, minlength=len(bins)).astype(np.uint64)
    return counts


def count_greys(values: NDArray[Any], threads: int = 1) -> NDArray[np.uint64]:
    """How often each number occurs in a flat array of uint8 or uint16, from 0 to the type's highest."""
    counts = np.zeros(np.iinfo(values.dtype).max + 1, np.uint64)
    if is_compiled():
        from stp3.kernels._native import count_greys as compiled

        compiled(values, counts, threads)
        return counts
    for start in range(0, values.size, _TOGETHER):
        counts += np.bincount(values[start : start + _TOGETHER], minlength=len(counts)).astype(np.uint64)
    return counts
