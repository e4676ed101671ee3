"""The sparse matrix that spreads the samples of a sinogram's Fourier transform over a Cartesian grid.

It depends on the angles and the width only, neither on the rotation axis nor on the filter: those who move the axis
pay for transforms and one product.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import lru_cache
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from stp3.kernels import grid_sizes
from stp3.kernels.angles import density_weights
from stp3.kernels.arrays import HOST, Arrays
from stp3.kernels.grid_sizes import KERNEL, MARGIN, Sizes
from stp3.kernels.threads import share

_TABLE_STEPS = 1 << 14
_BUILT_AT_ONCE = 1 << 14


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
    """The matrices used last, within `grid_sizes.KEPT_BYTES`; safe to use from several threads."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[str, tuple[int, list[Block]]] = OrderedDict()
        self._lock = Lock()

    def blocks(self, arrays: Arrays, theta: NDArray[np.float64], sizes: Sizes, threads: int) -> list[Block]:
        key = f"{arrays.name}:{sizes.columns}:{sizes.window}:{hashlib.sha256(theta.tobytes()).hexdigest()}"
        with self._lock:
            if key not in self._blocks:
                blocks = share(lambda part: built(arrays, part, sizes), split_angles(theta, sizes), threads)
                self._blocks[key] = sizes.matrix_bytes, blocks
                while sum(size for size, _ in self._blocks.values()) > grid_sizes.KEPT_BYTES:
                    self._blocks.popitem(last=False)
            self._blocks.move_to_end(key)
            return self._blocks[key][1]


_kept = _Kept()


def kept_blocks(arrays: Arrays, theta: NDArray[np.float64], sizes: Sizes, threads: int) -> list[Block]:
    """All blocks of these angles, from the last use where they still are kept."""
    return _kept.blocks(arrays, theta, sizes, threads)
