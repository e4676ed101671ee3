"""Filtered back-projection by direct Fourier inversion: transforms, one sparse product, one inverse transform.

The samples of the filtered projections' transforms are spread over a Cartesian grid with a Kaiser-Bessel kernel
(O'Sullivan, IEEE Trans. Med. Imaging 4:200, 1985). SciPy does all the work, or CuPy on a GPU; no compiler is needed.

On the processor a row comes out the same, bit for bit, alone or among others and with any number of threads: the work
is cut into pieces by the sizes alone, and sums run over the pieces in a fixed order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stp3.kernels.arrays import HOST, Arrays
from stp3.kernels.filters import FilterName, Pad, filter_response
from stp3.kernels.grid_sizes import MARGIN, Sizes
from stp3.kernels.gridding_matrix import (
    Block,
    BlockAngles,
    built,
    kaiser_bessel_transform,
    kept_blocks,
    split_angles,
)
from stp3.kernels.threads import pieces, share
from stp3.kernels.window import Window

_TOGETHER = 8  # rows that share one pass over the matrix
_TOGETHER_BYTES = 1 << 27
_WAVE = 8  # blocks whose boxes are held at once

# for some of the lanes (real and imaginary part of each row): the sums at the cells of the block's box
Sums = tuple[slice, Any]
Box = tuple[Block, list[Sums]]


def reconstruct(
    projections: NDArray[np.float32],
    theta: NDArray[np.float64],
    rotation_axis: float | NDArray[np.float64],
    *,
    filter: FilterName = "ram-lak",
    cutoff: float = 1.0,
    pad: Pad = "edge",
    pixel_size: float = 1.0,
    window: Window | None = None,
    threads: int = 1,
    arrays: Arrays = HOST,
) -> NDArray[np.float32]:
    """The slices, shape (rows, *window.shape), in attenuation per unit of `pixel_size`.

    `projections` (angles, rows, columns) hold line integrals, `theta` is in radians, `rotation_axis` may be one column
    for each row. The slices are centred on the rotation axis: slice column = x + (columns - 1) / 2, slice row =
    (columns - 1) / 2 - y, where the point (x, y) falls on detector column `rotation_axis + x cos(theta) + y
    sin(theta)`. `window` is the part of them that is wanted, by default all. `arrays` tells where it is computed.
    """
    angles, rows, columns = projections.shape
    sizes = Sizes(angles, columns, window)
    axes = np.broadcast_to(np.asarray(rotation_axis, np.float64), (rows,))
    response = filter_response(filter, sizes.padded, cutoff) / (sizes.padded * pixel_size)
    response[[0, -1]] /= 2  # the inverse transform counts every frequency twice, but these exist once
    slices = np.empty((rows, *sizes.window.shape), np.float32)
    for some in pieces(rows, rows_together(sizes)):
        lines = arrays.xp.asarray(projections[:, some])
        spread = partial(_spread, arrays, lines, axes[some], arrays.xp.asarray(response), pad, sizes)
        grids = arrays.xp.zeros((*sizes.half_grid, some.stop - some.start), np.complex64)
        for wave in _waves(arrays, theta, sizes, threads):
            _add(arrays, grids, share(spread, wave, threads), threads)
        _fold(arrays, grids, sizes)
        for row, out in enumerate(slices[some]):
            _invert(arrays, grids[:, :, row], out, sizes, threads)
    return slices


def rows_together(sizes: Sizes) -> int:
    """How many rows are reconstructed in one pass."""
    height, width = sizes.half_grid
    return max(1, min(_TOGETHER, _TOGETHER_BYTES // (8 * height * width)))


def working_bytes(angles: int, columns: int, window: Window | None = None) -> int:
    """Peak memory beside projections and slices: the matrix, the grids, and the boxes and samples in flight."""
    sizes = Sizes(angles, columns, window)
    height, width = sizes.half_grid
    matrix = min(sizes.matrix_bytes, 2 * _WAVE * sizes.matrix_bytes // sizes.blocks)
    samples = _WAVE * 8 * angles * sizes.frequencies // sizes.blocks
    boxes = 3 * 8 * height * width
    return int(matrix + rows_together(sizes) * (3 * samples + boxes + 8 * height * width))


def _waves(
    arrays: Arrays, theta: NDArray[np.float64], sizes: Sizes, threads: int
) -> Iterator[Sequence[Block | BlockAngles]]:
    if sizes.is_kept:
        yield kept_blocks(arrays, theta, sizes, threads)
        return
    blocks = split_angles(theta, sizes)
    for some in pieces(len(blocks), _WAVE):
        yield blocks[some]


def _spread(
    arrays: Arrays,
    projections: Any,
    axes: NDArray[np.float64],
    response: Any,
    pad: Pad,
    sizes: Sizes,
    part: Block | BlockAngles,
) -> Box:
    """The block's filtered samples on its box of the grid."""
    block = part if isinstance(part, Block) else built(arrays, part, sizes)
    xp, rows = arrays.xp, projections.shape[1]
    turn = 2j * np.pi / sizes.padded * xp.arange(sizes.frequencies)
    first_mirrored = len(block.rows) - block.mirrored
    samples = xp.empty((len(block.rows), sizes.frequencies, rows), np.complex64)
    for row in range(rows):
        lines = _padded(xp, projections[block.rows, row], block, pad, sizes)
        spectrum = arrays.fft.rfft(lines, axis=1, overwrite_x=True)
        for half, column in (
            (spectrum[:first_mirrored], axes[row]),
            (spectrum[first_mirrored:], sizes.columns - 1 - axes[row]),
        ):
            half *= (response * xp.exp(turn * float(column))).astype(np.complex64)
        xp.multiply(spectrum, block.turn, out=samples[:, :, row])
    lanes = samples.view(np.float32).reshape(-1, 2 * rows)
    if rows > 1:
        return block, [(slice(None), block.matrix @ lanes)]
    # two products with a vector run faster than one with two lanes
    sums = (block.matrix @ xp.ascontiguousarray(lanes[:, lane]) for lane in (0, 1))
    return block, [(slice(lane, lane + 1), cells[:, None]) for lane, cells in enumerate(sums)]


def _padded(xp: Any, lines: Any, block: Block, pad: Pad, sizes: Sizes) -> Any:
    """Sinogram lines, mirrored ones turned round, continued to the right and (around the end) to the left."""
    out = xp.zeros((len(lines), sizes.padded), np.float32)
    columns, first_mirrored = sizes.columns, len(lines) - block.mirrored
    out[:first_mirrored, :columns] = lines[:first_mirrored]
    out[first_mirrored:, :columns] = lines[first_mirrored:, ::-1]
    if pad == "edge":
        middle = (columns + sizes.padded) // 2
        out[:, columns:middle] = out[:, columns - 1 : columns]
        out[:, middle:] = out[:, :1]
    return out


def _add(arrays: Arrays, grids: Any, boxes: list[Box], threads: int) -> None:
    """Adds the boxes, in their order, to the grids (v, u, rows)."""
    cells = grids.view(np.float32)

    def add(strip: slice) -> None:
        for block, sums in boxes:
            (top, left), (tall, wide) = block.corner, block.shape
            first, last = max(strip.start, top), min(strip.stop, top + tall)
            if first < last:
                for lanes, values in sums:
                    part = values.reshape(tall, wide, -1)[first - top : last - top]
                    cells[first:last, left : left + wide, lanes] += part

    share(add, pieces(len(grids), arrays.lines), threads)


def _fold(arrays: Arrays, grid: Any, sizes: Sizes) -> None:
    """Brings what fell into the margins back: the grid is periodic, and opposite points are conjugate."""
    m, half, side = MARGIN, sizes.grid[0] // 2, sizes.grid[1]
    grid[:, side : side + m] += grid[:, :m]
    grid[:, m : 2 * m] += grid[:, side + m :]
    inner = grid[:, m : m + side]
    opposite = -arrays.xp.arange(side) % side  # with u = 0 in the middle, -u is found the same way
    for line in range(1, m):
        inner[m + line] += inner[m - line, opposite].conj()
        inner[m + half - line] += inner[m + half + line, opposite].conj()
    for line in (m, m + half):
        inner[line] += inner[line, opposite].conj()


def _invert(arrays: Arrays, grid: Any, out: NDArray[np.float32], sizes: Sizes, threads: int) -> None:
    """The slice, written into `out`: inverse transform along u, then v, cut and freed of the kernel's shade."""
    (side_v, side_u), (tall, wide) = sizes.grid, sizes.window.shape
    half, left, above, xp = side_v // 2 + 1, wide // 2, tall // 2, arrays.xp
    lines, slice_ = xp.empty((half, wide), np.complex64), out if arrays is HOST else xp.empty(out.shape, np.float32)
    shade = xp.asarray(_shade(tall, side_v, sizes.shapes[0]))
    # u = 0 lies in the middle of the grid, which shows as a factor of alternating sign
    signs = (1 - 2 * (np.arange(wide) - left & 1)).astype(np.float32)
    across = xp.asarray(_shade(wide, side_u, sizes.shapes[1]) * signs)

    def along_u(strip: slice) -> None:
        inner = grid[MARGIN + strip.start : MARGIN + strip.stop, MARGIN : MARGIN + side_u]
        full = arrays.fft.ifft(inner, axis=1, norm="forward")
        xp.multiply(full[:, side_u - left :], across[:left], out=lines[strip, :left])
        xp.multiply(full[:, : wide - left], across[left:], out=lines[strip, left:])

    def along_v(strip: slice) -> None:
        full = arrays.fft.irfft(lines[:, strip], side_v, axis=0, norm="forward")
        xp.multiply(full[side_v - above :], shade[:above, None], out=slice_[:above, strip])
        xp.multiply(full[: tall - above], shade[above:, None], out=slice_[above:, strip])

    share(along_u, pieces(half, arrays.lines), threads)
    share(along_v, pieces(wide, arrays.lines), threads)
    if arrays is not HOST:
        out[:] = arrays.to_host(slice_)


def _shade(pixels: int, side: int, shape: float) -> NDArray[np.float32]:
    """What undoes the kernel's fall-off towards the rim: 1 / its Fourier transform at each pixel."""
    position = (np.arange(pixels) - pixels // 2) / side
    return np.asarray(1 / kaiser_bessel_transform(position, shape), np.float32)
