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

from stp3.errors import UsageFault
from stp3.kernels import memory
from stp3.kernels.reconstruction import is_compiled
from stp3.kernels.threads import pieces, share

Frequencies = NDArray[np.float64]
Response = Callable[[Frequencies, Frequencies], Frequencies]
"""The factor at angular frequencies (along the columns, along the rows) in radians a pixel; real, even, hashable."""

MOST_REACH = 4096
_TOGETHER = 4
_BINS = 256
_MOST_LANES = 16  # of a vector of the compiled kernel
_TAIL = 5e-5  # of the response's maximum: what rows further away may add to a pixel ...
_ALTERNATING = 1e-4  # ... and add in power, where they change sign from row to row, as noise may and pictures do not
_EACH = 0.1  # of both, for a single frequency along the columns


@dataclass(frozen=True)
class Kernels:
    """For each frequency along the columns, continued to `padded`, the kernel across the rows.

    taps[n, k] is the weight of the rows n above and n below, shape (reach + 1, padded // 2 + 1 or a few zeros more),
    float32; of frequency k only the first lengths[k] differ from zero.
    """

    padded: int
    taps: NDArray[np.float32]
    lengths: NDArray[np.int32]

    @property
    def reach(self) -> int:
        return len(self.taps) - 1


@lru_cache(maxsize=64)
def reach_of(response: Response) -> int:
    """How many rows on either side matter to a pixel, at most the response's `limit` if it has one."""
    most = min(getattr(response, "limit", MOST_REACH), MOST_REACH)
    return min(_natural_reach(response, most), most)


def _natural_reach(response: Response, most: int) -> int:
    count = 64
    while True:
        values = response(np.zeros(1), _frequencies(8 * count))
        kernel = np.fft.irfft(values)[None, : 4 * count]
        length = int(_lengths(kernel, float(np.abs(values).max()))[0])
        if length <= count or count >= most:
            return length - 1
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
    padded = _padded(columns, reach)
    across = _frequencies(padded)
    taps = np.zeros((reach + 1, -(-len(across) // _MOST_LANES) * _MOST_LANES), np.float32)
    lengths = np.ones(len(across), np.int32)
    along = _frequencies(2 * next_fast_len(4 * reach + 32, real=True))
    most = _EACH * float(np.abs(response(np.zeros(1), along)).max())
    fade = _fade(reach) if reach == getattr(response, "limit", None) else None
    for some in pieces(len(across), _BINS):
        kernel = np.fft.irfft(response(across[some, None], along[None]))[:, : len(along)]
        lengths[some] = np.minimum(_lengths(kernel, most), reach + 1)
        kernel = kernel[:, : reach + 1]
        if fade is None:
            total = response(across[some, None], np.zeros((1, 1)))[:, 0]
            taps[:, some] = _cut(kernel, lengths[some], total).T
        else:
            taps[:, some] = np.where(np.arange(reach + 1) < lengths[some, None], kernel * fade, 0).T
    return Kernels(padded, taps, lengths)


def _fade(reach: int) -> Frequencies:
    """Weights of a kernel that ends because it must: 1 over its first half, falling to 0 over the second."""
    place = np.clip(2 * np.arange(reach + 1) / (reach + 1) - 1, 0, 1)
    return np.asarray(np.cos(np.pi / 2 * place) ** 2)


def _cut(kernel: Frequencies, lengths: NDArray[np.int32], total: Frequencies) -> Frequencies:
    """One-sided kernels of those lengths; what is missing from their total counts to their last row."""
    kernel = np.where(np.arange(kernel.shape[1]) < lengths[:, None], kernel, 0)
    missing = total - (2 * kernel.sum(axis=1) - kernel[:, 0])
    kernel[np.arange(len(kernel)), lengths - 1] += np.where(lengths > 1, missing / 2, missing)
    return kernel


def _padded(columns: int, reach: int) -> int:
    return int(2 * next_fast_len(-(-(columns + 2 * reach) // 2), real=True))


def _frequencies(length: int) -> Frequencies:
    return 2 * np.pi * np.arange(length // 2 + 1) / length


def filtered(
    projections: NDArray[np.float32], response: Response, out: NDArray[np.float32], threads: int = 1, first: int = 0
) -> NDArray[np.float32]:
    """`out` with the filtered rows from `first` on, shape (angles, rows, columns); they may be the projections' own.

    With and without the compiled kernel they agree to 1e-5 of the range.
    """
    kernels = kernels_of(response, projections.shape[2], reach_of(response))
    (filter_compiled if is_compiled() else filter_by_scipy)(projections, kernels, out, threads, first)
    return out


def working_bytes(columns: int, reach: int) -> int:
    """Memory beside the projections: of each thread the spectra of the rows that 64 rows of the result need."""
    padded, threads = _padded(columns, reach), len(os.sched_getaffinity(0))
    if not is_compiled():
        return 40 * _TOGETHER * (64 + 2 * reach) * padded * threads
    from stp3.kernels._native import filter_room

    return int(4 * threads * filter_room(1, 64 + 2 * reach, padded, reach) + 4 * (reach + 1) * padded)


def filter_compiled(
    projections: NDArray[np.float32],
    kernels: Kernels,
    out: NDArray[np.float32],
    threads: int = 1,
    first: int = 0,
    instructions: str = "",
) -> None:
    """Writes the filtered rows into `out`. Raises UsageFault for arguments that do not fit together."""
    from stp3.kernels._native import filter_projections, filter_room

    try:
        floats = filter_room(len(projections), projections.shape[1], kernels.padded, kernels.reach, instructions)
        room = memory.empty((min(threads, len(projections)), floats))
        padded, taps, lengths = kernels.padded, kernels.taps, kernels.lengths
        filter_projections(projections, first, out, padded, taps, lengths, room, instructions)
    except ValueError as error:
        raise UsageFault(str(error)) from error


def filter_by_scipy(
    projections: NDArray[np.float32], kernels: Kernels, out: NDArray[np.float32], threads: int = 1, first: int = 0
) -> None:
    """The same without a compiler."""
    rows = np.arange(first, first + out.shape[1])

    def work(some: slice) -> None:
        spectra = rfft(_continued(projections[some], kernels.padded), axis=2)
        out[some] = irfft(_across_rows(spectra, kernels, rows), kernels.padded, axis=2)[:, :, : out.shape[2]]

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


def _across_rows(spectra: NDArray[np.complex64], kernels: Kernels, rows: NDArray[np.intp]) -> NDArray[np.complex64]:
    taps, bottom = kernels.taps[:, : spectra.shape[2]], spectra.shape[1] - 1
    out: NDArray[np.complex64] = spectra[:, rows] * taps[0]
    for distance in range(1, kernels.reach + 1):
        reaching = np.flatnonzero(kernels.lengths > distance)
        if not reaching.size:
            break
        low = np.s_[: reaching[-1] + 1]
        above, below = np.maximum(rows - distance, 0), np.minimum(rows + distance, bottom)
        both = spectra[:, above, low] + spectra[:, below, low]
        out[:, :, low] += both * taps[distance, low]
    return out
