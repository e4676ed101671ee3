"""Fourier filters over projections, for slabs that hold few of their rows.

A response that is real and even is applied along the columns as a product of spectra and, for each frequency there,
across the rows as a short symmetric kernel: the response transformed back along the other axis. So a row needs no more
than `reach` neighbours on either side, and its bits depend on nothing else: not on the slab's height, nor on where it
lies in the slab. High frequencies along the columns have short kernels, so that this costs less than a transform.

Beyond the detector, columns and rows go on with those at its edge.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from stp3.kernels.threads import pieces, share

Frequencies = NDArray[np.float64]
Response = Callable[[Frequencies, Frequencies], Frequencies]
"""The factor at angular frequencies (along the columns, along the rows) in radians a pixel; real, even, hashable."""

MOST_REACH = 4096
_TOGETHER = 4
_BINS = 256
_TAIL = 5e-5  # of the response's maximum: what rows further away may add to a pixel ...
_ALTERNATING = 1e-4  # ... and add in power, where they change sign from row to row, as noise may and pictures do not
_EACH = 0.1  # of both, for a single frequency along the columns


@dataclass(frozen=True)
class Kernels:
    """For each frequency along the columns, continued to `padded`, the kernel across the rows.

    taps[k, n] is the weight of the rows n above and n below, shape (padded // 2 + 1, reach + 1), float32; of
    frequency k only the first lengths[k] differ from zero.
    """

    padded: int
    taps: NDArray[np.float32]
    lengths: NDArray[np.int32]

    @property
    def reach(self) -> int:
        return int(self.taps.shape[1]) - 1


@lru_cache(maxsize=32)
def reach_of(response: Response, most: int = MOST_REACH) -> int:
    """How many rows on either side matter to a pixel, at most `most`."""
    count = 64
    while True:
        values = response(np.zeros(1), _frequencies(8 * count))
        kernel = np.fft.irfft(values)[None, : 4 * count]
        length = int(_lengths(kernel, float(np.abs(values).max()))[0])
        if length <= count or count >= most:
            return int(min(length - 1, most))
        count *= 2


def _lengths(kernel: Frequencies, most: float) -> NDArray[np.intp]:
    """How much of one-sided kernels (frequencies, rows) matters in a picture of which `most` is the largest part."""
    smooth = np.abs(kernel[:, :-2] + 2 * kernel[:, 1:-1] + kernel[:, 2:]) / 2
    power = 2 * kernel[:, 1:-1] ** 2
    matters = (_sums_from(smooth) > _TAIL * most) | (_sums_from(power) > (_ALTERNATING * most) ** 2)
    return np.asarray(matters.sum(axis=1) + 1)  # both sums fall


def _sums_from(values: Frequencies) -> Frequencies:
    return np.asarray(np.cumsum(values[:, ::-1], axis=1)[:, ::-1])


@lru_cache(maxsize=8)
def kernels_of(response: Response, columns: int, reach: int) -> Kernels:
    """The kernels of a response for a detector of that width. What they leave out counts to their last row."""
    padded = 2 * next_fast_len(-(-(columns + 2 * reach) // 2), real=True)
    across = _frequencies(padded)
    taps = np.zeros((len(across), reach + 1), np.float32)
    lengths = np.ones(len(across), np.int32)
    along = _frequencies(2 * next_fast_len(4 * reach + 32, real=True))
    most = _EACH * float(np.abs(response(np.zeros(1), along)).max())
    for some in pieces(len(across), _BINS):
        kernel = np.fft.irfft(response(across[some, None], along[None]))[:, : len(along)]
        lengths[some] = np.minimum(_lengths(kernel, most), reach + 1)
        total = response(across[some, None], np.zeros((1, 1)))[:, 0]
        taps[some] = _cut(kernel[:, : reach + 1], lengths[some], total)
    return Kernels(padded, taps, lengths)


def _cut(kernel: Frequencies, lengths: NDArray[np.int32], total: Frequencies) -> Frequencies:
    """One-sided kernels of those lengths; what is missing from their total counts to their last row."""
    kernel = np.where(np.arange(kernel.shape[1]) < lengths[:, None], kernel, 0)
    missing = total - (2 * kernel.sum(axis=1) - kernel[:, 0])
    kernel[np.arange(len(kernel)), lengths - 1] += np.where(lengths > 1, missing / 2, missing)
    return kernel


def _frequencies(length: int) -> Frequencies:
    return 2 * np.pi * np.arange(length // 2 + 1) / length


def filtered(
    projections: NDArray[np.float32], response: Response, out: NDArray[np.float32], threads: int = 1
) -> NDArray[np.float32]:
    """`out` with the filtered projections, shape (angles, rows, columns); it may be the same array."""
    kernels = kernels_of(response, projections.shape[2], reach_of(response))
    filter_projections(projections, kernels, out, threads)
    return out


def working_bytes(columns: int, reach: int) -> int:
    """Memory beside the projections, for slabs of 64 rows."""
    return 40 * _TOGETHER * (64 + 2 * reach) * (columns + 2 * reach) * len(os.sched_getaffinity(0))


def filter_projections(
    projections: NDArray[np.float32], kernels: Kernels, out: NDArray[np.float32], threads: int = 1
) -> None:
    """Writes the filtered projections, shape (angles, rows, columns), into `out`, which may be the same array."""

    def work(some: slice) -> None:
        spectra = rfft(_continued(projections[some], kernels.padded), axis=2)
        out[some] = irfft(_across_rows(spectra, kernels), kernels.padded, axis=2)[:, :, : out.shape[2]]

    share(work, pieces(len(projections), _TOGETHER), threads)


def _continued(lines: NDArray[np.float32], padded: int) -> NDArray[np.float32]:
    """Lines continued to the right with their last value, and around the end to the left with their first."""
    columns = lines.shape[2]
    wide = np.empty((*lines.shape[:2], padded), np.float32)
    middle = (columns + padded) // 2
    wide[:, :, :columns] = lines
    wide[:, :, columns:middle] = lines[:, :, -1:]
    wide[:, :, middle:] = lines[:, :, :1]
    return wide


def _across_rows(spectra: NDArray[np.complex64], kernels: Kernels) -> NDArray[np.complex64]:
    rows = np.arange(spectra.shape[1])
    out = spectra * kernels.taps[:, 0]
    for distance in range(1, kernels.reach + 1):
        reaching = np.flatnonzero(kernels.lengths > distance)
        if not reaching.size:
            break
        low = np.s_[: reaching[-1] + 1]
        above, below = np.maximum(rows - distance, 0), np.minimum(rows + distance, rows[-1])
        both = spectra[:, above, low] + spectra[:, below, low]
        out[:, :, low] += both * kernels.taps[low, distance]
    return out
