"""Daubechies' wavelets db1, db2, ...: filters from their definition, and one level of the transform as sparse matrices.

Daubechies, Ten Lectures on Wavelets (1992). The number is that of vanishing moments.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import comb, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Filter = NDArray[np.float64]


@dataclass(frozen=True)
class Bands:
    """One level for signals of one length: into (coarse, fine), shape (about half, length), and back, transposed."""

    to_coarse: Any
    to_fine: Any
    from_coarse: Any
    from_fine: Any


@cache
def bands(moments: int, length: int) -> Bands:
    """The transform of signals that are mirrored at their ends, edge values repeated."""
    low = scaling_filter(moments)
    high = low[::-1] * (-1.0) ** np.arange(len(low))
    into = [_into(taps, length) for taps in (low, high)]
    back = [_back(taps, length) for taps in (low, high)]
    return Bands(into[0], into[1], back[0], back[1])


def _into(taps: Filter, length: int) -> Any:
    count = (length + len(taps) - 1) // 2
    source = 2 * np.arange(count)[:, None] + 2 - len(taps) + np.arange(len(taps))
    mirrored = np.mod(source, 2 * length)
    mirrored = np.where(mirrored < length, mirrored, 2 * length - 1 - mirrored)
    lines = np.repeat(np.arange(count), len(taps))
    entries = (np.tile(taps, count), (lines, mirrored.ravel()))
    return sparse.csr_matrix(entries, (count, length), dtype=np.float32)


def _back(taps: Filter, length: int) -> Any:
    count = (length + len(taps) - 1) // 2
    target = 2 * np.arange(count)[:, None] + 2 - len(taps) + np.arange(len(taps))
    inside = (target >= 0) & (target < length)
    lines = np.broadcast_to(np.arange(count)[:, None], target.shape)
    weights = np.broadcast_to(taps, target.shape)
    return sparse.csr_matrix((weights[inside], (target[inside], lines[inside])), (length, count), dtype=np.float32)


@cache
def scaling_filter(moments: int) -> Filter:
    """The 2 * moments taps of the wavelet, their squares summing to 1.

    Their polynomial is (1 + z)^moments times the roots inside the unit circle of what makes shifts orthogonal.
    """
    halves = [comb(moments - 1 + k, k) for k in range(moments)]  # in powers of (1 - cos w) / 2
    cosines = 1 - 2 * np.roots(halves[::-1]).astype(complex)
    roots = cosines - np.sqrt(cosines**2 - 1)
    roots = np.where(np.abs(roots) < 1, roots, 1 / roots)
    taps = np.real(np.poly(np.concatenate([np.full(moments, -1.0), roots])))
    return np.asarray(taps * (sqrt(2) / taps.sum()))
