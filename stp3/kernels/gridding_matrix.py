"""The sparse matrix that spreads the samples of a sinogram's Fourier transform over a Cartesian grid.

It depends on the angles and the width only, neither on the rotation axis nor on the filter: those who move the axis
pay for transforms and one product.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from threading import Lock
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.sparse import csc_array

from stp3.kernels.angles import density_weights
from stp3.kernels.arrays import HOST, Arrays
from stp3.kernels.threads import share
from stp3.kernels.window import Window

KERNEL = 4  # grid cells that a sample reaches, each way: 79 dB against exact back-projection
OVERSAMPLING = 1.25  # of a whole slice, with little beside it
_MOST_OVERSAMPLING = 2.0  # of a small window, which is surrounded by the rest of the sample
MARGIN = KERNEL // 2 + 1
KEPT_BYTES = 1 << 30
_LEAST_BLOCKS = 8
_BLOCK_BYTES = 1 << 27
_SAMPLE_BYTES = KERNEL * KERNEL * 8 + 12  # matrix entries (float32 and int32), pointer, phase factor
_TABLE_STEPS = 1 << 14
_BUILT_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class Sizes:
    """The lengths that follow from a scan's angles and columns and from the window, by default the whole slice."""

    angles: int
    columns: int
    part: Window | None = None

    @property
    def window(self) -> Window:
        return self.part or Window.whole(self.columns)

    @cached_property
    def padded(self) -> int:
        """Length of a padded sinogram row, even, at least twice the columns."""
        return int(2 * scipy.fft.next_fast_len(max(self.columns, 8), real=True))

    @cached_property
    def grid(self) -> tuple[int, int]:
        """Sides (v, u) of the Cartesian grid. What lies beside the window needs no room: the kernel fades it out."""
        tall, wide = (_grid_side(pixels, self.window.side) for pixels in self.window.shape)
        return tall, wide

    @property
    def shapes(self) -> tuple[float, float]:
        """The kernel's shape along v and u."""
        along_v, along_u = (
            _kernel_shape(side / max(pixels, 8)) for side, pixels in zip(self.grid, self.window.shape, strict=True)
        )
        return along_v, along_u

    @property
    def frequencies(self) -> int:
        return self.padded // 2 + 1

    @property
    def half_grid(self) -> tuple[int, int]:
        """Shape (v, u) of the upper half plane with its margins."""
        return self.grid[0] // 2 + 1 + 2 * MARGIN, self.grid[1] + 2 * MARGIN

    @property
    def matrix_bytes(self) -> int:
        return self.angles * self.frequencies * _SAMPLE_BYTES

    @property
    def is_kept(self) -> bool:
        """Whether the matrix is small enough to be kept; a larger one is built again for each use."""
        return self.matrix_bytes <= KEPT_BYTES

    @property
    def blocks(self) -> int:
        """How many blocks of angles; from the sizes alone, so that sums come out the same on every machine."""
        return min(self.angles, max(_LEAST_BLOCKS, -(-self.matrix_bytes // _BLOCK_BYTES)))


def _grid_side(pixels: int, of: int) -> int:
    """Even, with the factors 2, 3 and 5: the compiled transforms know no others."""
    wanted = min(max(pixels, 8) * _MOST_OVERSAMPLING, max(of, 8) * OVERSAMPLING)
    return int(2 * scipy.fft.next_fast_len(int(np.ceil(wanted / 2)), real=True))


def _kernel_shape(oversampling: float) -> float:
    """The kernel's shape parameter (Beatty, IEEE Trans. Med. Imaging 24:799, 2005)."""
    sigma = min(max(oversampling, OVERSAMPLING), _MOST_OVERSAMPLING)
    return float(np.pi * np.sqrt((KERNEL / sigma) ** 2 * (sigma - 0.5) ** 2 - 0.8))


@dataclass(frozen=True)
class Block:
    """Some neighbouring angles: their rows of the sinogram and where their samples fall.

    The last `mirrored` of `rows` are read from right to left, which turns them by half a turn into the upper half
    plane. `turn[angle, frequency]` is the angle's weight and the move to the window. `matrix` spreads samples over a
    box of `shape` cells whose corner lies at `corner` of the grid, both (v, u).
    """

    rows: Any
    mirrored: int
    turn: Any
    matrix: Any
    corner: tuple[int, int]
    shape: tuple[int, int]


@dataclass(frozen=True)
class BlockAngles:
    """A block before its matrix is built; `across`, `down` are the direction of each row in the slice."""

    rows: NDArray[np.intp]
    mirrored: int
    weights: NDArray[np.float64]
    across: NDArray[np.float64]
    down: NDArray[np.float64]


def split_angles(theta: NDArray[np.float64], sizes: Sizes) -> list[BlockAngles]:
    """All angles, turned into the half plane that points down in the slice, sorted and cut into blocks."""
    across, down = np.cos(theta), -np.sin(theta)
    mirrored = down < 0
    sign = np.where(mirrored, -1.0, 1.0)
    across, down = across * sign, down * sign
    weights = density_weights(theta)
    blocks = []
    for part in np.array_split(np.argsort(np.arctan2(down, across), kind="stable"), sizes.blocks):
        rows = part[np.argsort(mirrored[part], kind="stable")]
        blocks.append(BlockAngles(rows, int(mirrored[rows].sum()), weights[rows], across[rows], down[rows]))
    return blocks


def built(arrays: Arrays, angles: BlockAngles, sizes: Sizes) -> Block:
    """The block where `arrays` are."""
    block = build_block(angles, sizes)
    if arrays is HOST:
        return block
    rows, turn = (arrays.xp.asarray(part) for part in (block.rows, block.turn))
    return replace(block, rows=rows, turn=turn, matrix=arrays.matrix(block.matrix))


def build_block(angles: BlockAngles, sizes: Sizes) -> Block:
    """The block with its matrix; every sample has exactly KERNEL x KERNEL entries, so nothing is sorted."""
    line = np.arange(sizes.frequencies) / sizes.padded
    corner, shape = _box(angles, float(line[-1]), sizes)
    side_v, side_u = sizes.grid
    count = len(angles.rows) * sizes.frequencies
    data = np.empty((count, KERNEL, KERNEL), np.float32)
    indices = np.empty((count, KERNEL, KERNEL), np.int32)
    cells = (np.arange(KERNEL)[:, None] * shape[1] + np.arange(KERNEL)).astype(np.int32)
    step = max(1, _BUILT_AT_ONCE // sizes.frequencies)
    for first in range(0, len(angles.rows), step):
        some = slice(first, first + step)
        samples = slice(first * sizes.frequencies, (first + step) * sizes.frequencies)
        u, u_weights = _reach(np.outer(angles.across[some] * side_u, line).ravel() + side_u // 2, sizes.shapes[1])
        v, v_weights = _reach(np.outer(angles.down[some] * side_v, line).ravel(), sizes.shapes[0])
        start = (v - np.int32(corner[0])) * np.int32(shape[1]) + (u - np.int32(corner[1]))
        np.add(start[:, None, None], cells, out=indices[samples])
        np.multiply(v_weights[:, :, None], u_weights[:, None, :], out=data[samples])
    pointers = np.arange(count + 1, dtype=np.int32) * np.int32(KERNEL * KERNEL)
    matrix = csc_array((data.ravel(), indices.ravel(), pointers), shape=(shape[0] * shape[1], count))
    return Block(angles.rows, angles.mirrored, _turn(angles, sizes), matrix, corner, shape)


def _box(angles: BlockAngles, reach: float, sizes: Sizes) -> tuple[tuple[int, int], tuple[int, int]]:
    """Corner and shape of the cells that the block's samples touch, (v, u), in the grid with its margins."""
    side_v, side_u = sizes.grid
    ends_u = np.append(angles.across * reach * side_u, 0.0) + side_u // 2
    ends_v = np.append(angles.down * reach * side_v, 0.0)
    low = [max(int(np.floor(ends.min())) - KERNEL // 2 + MARGIN, 0) for ends in (ends_v, ends_u)]
    high = [int(np.ceil(ends.max())) + KERNEL // 2 + MARGIN for ends in (ends_v, ends_u)]
    high = [min(end, side - 1) for end, side in zip(high, sizes.half_grid, strict=True)]
    return (low[0], low[1]), (high[0] - low[0] + 1, high[1] - low[1] + 1)


def _reach(position: NDArray[np.float64], shape: float) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The first cell (margin counted in) that each sample reaches and its weights there, shape (samples, KERNEL)."""
    first = np.ceil(position - KERNEL / 2)
    entry = ((first - position + KERNEL / 2) * _TABLE_STEPS + 0.5).astype(np.int32)
    return first.astype(np.int32) + np.int32(MARGIN), _table(shape)[entry]


def _turn(angles: BlockAngles, sizes: Sizes) -> NDArray[np.complex64]:
    """Weight of each angle times the phase that moves the window's centre to the origin."""
    x, y = sizes.window.centre
    shift = angles.across * x - angles.down * y
    phase = np.outer(shift, np.arange(sizes.frequencies)) * (2 * np.pi / sizes.padded)
    return np.asarray(angles.weights[:, None] * np.exp(1j * phase), np.complex64)


@lru_cache(maxsize=8)
def _table(shape: float) -> NDArray[np.float32]:
    """Kernel weights by sub-cell position, shape (steps + 1, KERNEL)."""
    offset = np.arange(_TABLE_STEPS + 1)[:, None] / _TABLE_STEPS + np.arange(KERNEL) - KERNEL / 2
    return kaiser_bessel(offset, shape).astype(np.float32)


def kaiser_bessel(offset: NDArray[np.float64], shape: float) -> NDArray[np.float64]:
    """The kernel at a distance in cells, 1 at 0."""
    inside = np.maximum(1 - (2 * offset / KERNEL) ** 2, 0)
    kernel = np.i0(shape * np.sqrt(inside)) / np.i0(shape)
    return np.asarray(np.where(np.abs(2 * offset / KERNEL) <= 1, kernel, 0.0))


def kaiser_bessel_transform(position: NDArray[np.float64], shape: float) -> NDArray[np.float64]:
    """The kernel's Fourier transform at a position in sides of the grid (up to 0.4, where it still is positive)."""
    root = np.sqrt(shape**2 - (np.pi * KERNEL * position) ** 2)
    return np.asarray(KERNEL * np.sinh(root) / (root * np.i0(shape)))


class _Kept:
    """The matrices used last, within KEPT_BYTES; safe to use from several threads."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[str, tuple[int, list[Block]]] = OrderedDict()
        self._lock = Lock()

    def blocks(self, arrays: Arrays, theta: NDArray[np.float64], sizes: Sizes, threads: int) -> list[Block]:
        key = f"{arrays.name}:{sizes.columns}:{sizes.window}:{hashlib.sha256(theta.tobytes()).hexdigest()}"
        with self._lock:
            if key not in self._blocks:
                blocks = share(lambda part: built(arrays, part, sizes), split_angles(theta, sizes), threads)
                self._blocks[key] = sizes.matrix_bytes, blocks
                while sum(size for size, _ in self._blocks.values()) > KEPT_BYTES:
                    self._blocks.popitem(last=False)
            self._blocks.move_to_end(key)
            return self._blocks[key][1]


_kept = _Kept()


def kept_blocks(arrays: Arrays, theta: NDArray[np.float64], sizes: Sizes, threads: int) -> list[Block]:
    """All blocks of these angles, from the last use where they still are kept."""
    return _kept.blocks(arrays, theta, sizes, threads)
