"""Stripes that change slowly with the angle: found in a few weighted means of each sinogram and subtracted.

Many methods of stripe removal change a sinogram by (synthesis) x (what is stripe in (analysis) x sinogram), with
`analysis` a few lines of weights over the angles, and a filter along the columns between them. Written like this they
cost two products of small matrices a sinogram, and give the same numbers as their usual form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import median_filter, uniform_filter1d

from stp3.kernels import memory
from stp3.kernels.reconstruction import is_compiled
from stp3.kernels.threads import pieces, share
from stp3.kernels.wavelets import bands

Array = NDArray[np.float32]
Profiles = NDArray[np.float32]  # (weights, rows, columns)

_NOTHING = 1e-7  # a share of a value that float32 does not hold
_BUTTERWORTH_ORDER = 4
_AIR = 0.02  # of the sinogram's highest mean
_TOGETHER = 32


@dataclass(frozen=True)
class SlowStripes:
    """`analysis` (profiles, angles) weighs angles, `stripes_of` tells what of the profiles (profiles, rows, columns)
    is stripe, `synthesis` (angles, profiles) spreads it over the angles again.
    """

    analysis: Array
    synthesis: Array
    stripes_of: Callable[[Profiles], Profiles]

    def remove(self, data: Array, out: Array, threads: int = 1) -> None:
        """Writes the slab (angles, rows, columns) without stripes into `out`, which may be `data`."""
        found = weighted_sums(self.analysis, data, threads)
        subtract_weighted(data, self.synthesis, self.stripes_of(found), out, threads)


def weighted_sums(weights: Array, data: Array, threads: int = 1) -> Profiles:
    """Sums over the angles of weights[i, angle] * data[angle, row, column]."""
    sums = memory.empty((len(weights), *data.shape[1:]))
    if is_compiled():
        from stp3.kernels import _native

        _native.weighted_sums(weights, _side_by_side(data), sums, threads)
        return sums
    for row in range(data.shape[1]):
        np.matmul(weights, data[:, row], out=sums[:, row])
    return sums


def subtract_weighted(data: Array, weights: Array, profiles: Profiles, out: Array, threads: int = 1) -> None:
    """Writes data less the sums over i of weights[angle, i] * profiles[i, row, column] into `out`."""
    if is_compiled():
        from stp3.kernels import _native

        _native.subtract_weighted(_side_by_side(data), weights, _side_by_side(profiles), out, threads)
        return
    for row in range(data.shape[1]):
        np.subtract(data[:, row], weights @ profiles[:, row], out=out[:, row])


def _side_by_side(data: Array) -> Array:
    return data if data.strides[-1] == data.itemsize else np.ascontiguousarray(data)


def without_ratio(data: Array, width: int, out: Array, threads: int = 1) -> None:
    """Boin & Haibel, Opt. Express 14:12071 (2006): each column times the ratio that its mean lacks to the mean over
    `width` columns; written into `out`, which may be `data`. Columns of air, whose ratio says nothing, stay.
    """
    means = weighted_sums(mean_of_angles(len(data))[0], data, threads)[0]
    smooth = uniform_filter1d(means, width | 1, axis=1, mode="nearest")
    least = _AIR * means.max(axis=1, keepdims=True)
    ratio = np.where((means > least) & (smooth > least), smooth / np.where(means > least, means, 1), 1)
    gain = ratio.astype(np.float32)
    share(lambda some: np.multiply(data[some], gain, out=out[some]), pieces(len(data), _TOGETHER), threads)


def mean_of_angles(angles: int) -> tuple[Array, Array]:
    """Analysis and synthesis of stripes that are the same at all angles."""
    return np.full((1, angles), 1 / angles, np.float32), np.ones((angles, 1), np.float32)


def means_of_blocks(angles: int, blocks: int) -> tuple[Array, Array]:
    """Analysis and synthesis of stripes that change between blocks of angles, linearly from middle to middle."""
    edges = np.linspace(0, angles, min(blocks, angles) + 1).astype(np.intp)
    middles = (edges[:-1] + edges[1:] - 1) / 2
    analysis = np.zeros((len(middles), angles), np.float32)
    for line, (start, stop) in enumerate(pairwise(edges)):
        analysis[line, start:stop] = 1 / (stop - start)
    hats = [np.interp(np.arange(angles), middles, hat) for hat in np.eye(len(middles))]
    return analysis, np.ascontiguousarray(np.transpose(hats), np.float32)


def waves(angles: int, frequencies: int) -> NDArray[np.float64]:
    """The lowest real Fourier waves over the angles, 0 first, orthonormal: shape (angles, up to 2 frequencies - 1)."""
    turns = np.arange(1, min(frequencies, (angles + 1) // 2))
    phase = 2 * np.pi * np.outer(np.arange(angles), turns) / angles
    pairs = np.stack([np.cos(phase), np.sin(phase)], axis=2).reshape(angles, -1) * np.sqrt(2)
    return np.asarray(np.concatenate([np.ones((angles, 1)), pairs], axis=1) / np.sqrt(angles))


def pass_along_columns(profiles: Profiles, kept: NDArray[np.float64]) -> Profiles:
    """The profiles with each spatial frequency k / (2 columns) multiplied by kept[k]; mirrored at the ends."""
    spectrum = fft.dct(profiles, axis=-1)
    spectrum *= kept.astype(np.float32)
    return np.asarray(fft.idct(spectrum, axis=-1))


def rivers(angles: int, width: int) -> SlowStripes:
    """The mean over all angles, less its median over `width` columns (M. Rivers, GSECARS tomography software)."""
    return SlowStripes(
        *mean_of_angles(angles), lambda found: found - median_filter(found, (1, 1, width | 1), mode="nearest")
    )


def titarenko(angles: int, columns: int, alpha: float, blocks: int) -> SlowStripes:
    """V. Titarenko, J. Synchrotron Rad. 23:1447 (2016): the least stripes q that leave neighbouring columns alike.

    The sum of squares of the steps between columns of (mean - q) plus alpha q^2 is least where a frequency whose
    steps have the power p = 2 - 2 cos w keeps the share p / (p + alpha) in q.
    """
    power = 2 - 2 * np.cos(np.pi * np.arange(columns) / columns)
    return SlowStripes(
        *means_of_blocks(angles, blocks), lambda found: pass_along_columns(found, power / (power + alpha))
    )


def raven(angles: int, columns: int, rows: int, cutoff: float) -> SlowStripes:
    """C. Raven, Rev. Sci. Instrum. 69:2978 (1998): of the `rows` lowest frequencies over the angles a Butterworth
    low-pass along the columns is kept; `cutoff` is a share of the highest frequency there is.
    """
    kept = waves(angles, rows).astype(np.float32)
    with np.errstate(over="ignore"):
        smooth = 1 / (1 + (np.arange(columns) / (columns * cutoff)) ** (2 * _BUTTERWORTH_ORDER))
    return SlowStripes(np.ascontiguousarray(kept.T), kept, lambda found: pass_along_columns(found, 1 - smooth))


@lru_cache(maxsize=8)
def wavelet_fft(angles: int, columns: int, moments: int, levels: int, sigma: float) -> SlowStripes:
    """Munch et al., Opt. Express 17:8567 (2009): dbN bands that are fine along columns and coarse along angles, with
    their lowest frequencies over the angles damped by 1 - exp(-k^2 / 2 sigma^2).

    What is damped is a few waves in each band, and the transform is linear: it is enough to carry those waves.
    """
    across, down = _Chain(moments, columns, levels), _Chain(moments, angles, levels)
    analysis, synthesis, counts = [], [], []
    for level in range(levels):
        length = down.into[level].shape[0]
        kept = waves(length, int(sigma * np.sqrt(-2 * np.log(_NOTHING))) + 2)
        turns = (np.arange(kept.shape[1]) + 1) // 2
        damped = kept * np.exp(-(turns**2) / (2 * sigma**2))
        analysis.append(down.coarse_transposed(kept, level))
        synthesis.append(down.from_coarse(damped, level))
        counts.append(kept.shape[1])

    def stripes_of(profiles: Profiles) -> Profiles:
        parts = np.split(profiles, np.cumsum(counts)[:-1])
        fine = [across.fine(part.reshape(-1, columns).T, level).T for level, part in enumerate(parts)]
        return np.ascontiguousarray(np.concatenate(fine).reshape(profiles.shape), np.float32)

    return SlowStripes(
        np.ascontiguousarray(np.concatenate(analysis, axis=1).T, np.float32),
        np.ascontiguousarray(np.concatenate(synthesis, axis=1), np.float32),
        stripes_of,
    )


class _Chain:
    """The levels of a wavelet transform of signals of one length."""

    def __init__(self, moments: int, length: int, levels: int) -> None:
        self.levels = []
        for _ in range(levels):
            self.levels.append(bands(moments, length))
            length = self.levels[-1].to_coarse.shape[0]
        self.into: Sequence[Any] = [level.to_coarse for level in self.levels]

    def coarse_transposed(self, values: Any, level: int) -> Any:
        """The transposed of going down to the coarse band of that level."""
        for into in reversed(self.into[: level + 1]):
            values = into.T @ values
        return values

    def from_coarse(self, values: Any, level: int) -> Any:
        """What a coarse band of that level stands for."""
        for one in reversed(self.levels[: level + 1]):
            values = one.from_coarse @ values
        return values

    def fine(self, values: Any, level: int) -> Any:
        """The part of signals (length, n) that lies in the fine band of that level."""
        for into in self.into[:level]:
            values = into @ values
        values = self.levels[level].from_fine @ (self.levels[level].to_fine @ values)
        return self.from_coarse(values, level - 1) if level else values
