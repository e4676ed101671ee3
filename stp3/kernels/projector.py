"""Line integrals of slices, and the exact adjoint, at the speed of transforms.

Forward, by the Fourier slice theorem: the slice's transform on a Cartesian grid, drawn between its cells at the
frequencies of each projection (the transpose of the sparse matrix that grids), and one inverse transform a projection.
The adjoint runs the same pieces backwards: plain back-projection. No matrix element depends on the rotation axis.

A slice comes out the same, bit for bit, alone or among others and with any number of threads.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import replace
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from stp3.kernels.grid_sizes import MARGIN, Sizes
from stp3.kernels.gridding_matrix import (
    Block,
    build_block,
    kaiser_bessel_transform,
    split_angles,
)
from stp3.kernels.threads import pieces, share

_KEPT_BYTES = 1 << 30
_STRIP = 64  # lines that a thread takes at once

Real = NDArray[np.float32]
Complex = NDArray[np.complex64]


class Projector:
    """Projects slices (rows, columns, columns) onto sinograms (rows, angles, columns), both float32, and back.

    Geometry and orientation are those of `gridding.reconstruct`; lengths are in pixels. `axes` is the column of the
    rotation axis in each row. A pixel of 1 adds 1 to the sum of each projection that sees it whole. What projects
    beyond the detector is lost, as in a measurement.
    """

    def __init__(
        self, theta: NDArray[np.float64], columns: int, axes: NDArray[np.float64] | float, threads: int = 1
    ) -> None:
        self.theta = np.ascontiguousarray(theta, np.float64)
        self.columns = columns
        self.axes = np.atleast_1d(np.asarray(axes, np.float64))
        self.threads = threads
        self._sizes = Sizes(len(theta), columns)
        self._response: NDArray[np.float64] = np.ones(self._sizes.frequencies)

    def forward(self, slices: Real) -> Real:
        """The sinograms of these slices."""
        cells = self._transform(slices)
        out = np.empty((len(slices), len(self.theta), self.columns), np.float32)
        share(lambda block: self._draw(cells, block, out), self._blocks, self.threads)
        return out

    def adjoint(self, sinograms: Real) -> Real:
        """The sinograms smeared back over the slices: <forward(x), y> = <x, adjoint(y)>."""
        return self.filtered_adjoint(sinograms, np.ones(1))

    def filtered_adjoint(self, sinograms: Real, response: NDArray[np.float64]) -> Real:
        """The same after a filter, whose tails beyond the detector count.

        `response` is real and broadcasts to (rows, angles, `frequencies`), those of lines padded to `padded` columns.
        """
        responses = np.broadcast_to(response.astype(np.float32), (*sinograms.shape[:2], self.frequencies))
        grids = np.zeros((*self._sizes.half_grid, len(sinograms)), np.complex64)
        boxes = share(lambda block: self._spread(sinograms, responses, block), self._blocks, self.threads)

        def add(strip: slice) -> None:
            for block, box in zip(self._blocks, boxes, strict=True):
                (top, left), (tall, wide) = block.corner, block.shape
                first, last = max(strip.start, top), min(strip.stop, top + tall)
                if first < last:
                    grids[first:last, left : left + wide] += box[first - top : last - top]

        share(add, pieces(len(grids), _STRIP), self.threads)
        return self._transform_back(grids)

    @property
    def padded(self) -> int:
        """The length to which lines are padded with zeros before they are transformed."""
        return self._sizes.padded

    @property
    def frequencies(self) -> int:
        return self._sizes.frequencies

    def some_angles(self, which: slice) -> Projector:
        """The same for some of the angles."""
        whole = which.indices(len(self.theta)) == (0, len(self.theta), 1)
        return self if whole else type(self)(self.theta[which], self.columns, self.axes, self.threads)

    def some_rows(self, which: slice) -> Projector:
        """The same for some of the rows."""
        return type(self)(self.theta, self.columns, self.axes[which], self.threads)

    def without_negative_weights(self, sinograms: Real) -> tuple[Projector, Real]:
        """A projector and sinograms smoothed alike (by Fejer's kernel), so that no weight is below zero.

        A sharp pixel casts a band-limited shadow, which rings below zero: too much for methods that divide by it.
        """
        smooth = Projector(self.theta, self.columns, self.axes, self.threads)
        smooth._response = np.linspace(1, 0, self._sizes.frequencies)
        response = smooth._response.astype(np.float32)
        lines = [scipy.fft.rfft(one, self._sizes.padded, axis=1) * response for one in sinograms]
        return smooth, np.stack([scipy.fft.irfft(one, self._sizes.padded, axis=1)[:, : self.columns] for one in lines])

    @cached_property
    def _blocks(self) -> list[Block]:
        return _kept.blocks(self.theta, self._sizes, self.threads)

    @cached_property
    def _shade(self) -> Real:
        """What undoes the kernel's fall-off towards the rim."""
        position = (np.arange(self.columns) - self.columns // 2) / self._sizes.grid[1]
        return np.asarray(1 / kaiser_bessel_transform(position, self._sizes.shapes[1]), np.float32)

    @cached_property
    def _across(self) -> Real:
        """The same with the alternating sign that puts u = 0 into the middle of the grid."""
        return np.asarray(self._shade * (1 - 2 * (np.arange(self.columns) - self.columns // 2 & 1)), np.float32)

    def _moves(self, row: int) -> tuple[Complex, Complex]:
        """What moves the rotation axis to column 0, and smooths: for lines as they are and for mirrored ones."""
        turns = 2j * np.pi / self._sizes.padded * np.arange(self._sizes.frequencies)
        axis = self.axes[row % len(self.axes)]
        upright, mirrored = (self._response * np.exp(turns * at) for at in (axis, self.columns - 1 - axis))
        return upright.astype(np.complex64), mirrored.astype(np.complex64)

    def _transform(self, slices: Real) -> Complex:
        """The slices' transforms in the half plane with its margins, shape (v, u, rows)."""
        side, n, left = self._sizes.grid[1], self.columns, self.columns // 2
        half = side // 2 + 1
        grids = np.zeros((*self._sizes.half_grid, len(slices)), np.complex64)
        inner = grids[MARGIN : MARGIN + half, MARGIN : MARGIN + side]
        for row, image in enumerate(slices):
            lines = np.empty((half, n), np.complex64)

            def along_v(strip: slice, image: Real = image, lines: Complex = lines) -> None:
                full = np.zeros((side, strip.stop - strip.start), np.float32)
                np.multiply(image[:left, strip], self._shade[:left, None], out=full[side - left :])
                np.multiply(image[left:, strip], self._shade[left:, None], out=full[: n - left])
                lines[:, strip] = scipy.fft.rfft(full, axis=0, overwrite_x=True)

            def along_u(strip: slice, row: int = row, lines: Complex = lines) -> None:
                full = np.zeros((strip.stop - strip.start, side), np.complex64)
                np.multiply(lines[strip, :left], self._across[:left], out=full[:, side - left :])
                np.multiply(lines[strip, left:], self._across[left:], out=full[:, : n - left])
                inner[strip, :, row] = scipy.fft.fft(full, axis=1, overwrite_x=True)

            share(along_v, pieces(n, _STRIP), self.threads)
            share(along_u, pieces(half, _STRIP), self.threads)
        _unfold(grids, side)
        return grids

    def _transform_back(self, grids: Complex) -> Real:
        """The adjoint of `_transform`."""
        side, n, left = self._sizes.grid[1], self.columns, self.columns // 2
        half = side // 2 + 1
        _fold(grids, side)
        out = np.empty((grids.shape[2], n, n), np.float32)
        for row, image in enumerate(out):
            lines = np.empty((half, n), np.complex64)

            def along_u(strip: slice, row: int = row, lines: Complex = lines) -> None:
                inner = grids[MARGIN + strip.start : MARGIN + strip.stop, MARGIN : MARGIN + side, row]
                full = scipy.fft.ifft(inner, axis=1, norm="forward")
                np.multiply(full[:, side - left :], self._across[:left], out=lines[strip, :left])
                np.multiply(full[:, : n - left], self._across[left:], out=lines[strip, left:])

            def along_v(strip: slice, image: Real = image, lines: Complex = lines) -> None:
                full = scipy.fft.irfft(lines[:, strip], side, axis=0, norm="forward")
                np.multiply(full[side - left :], self._shade[:left, None], out=image[:left, strip])
                np.multiply(full[: n - left], self._shade[left:, None], out=image[left:, strip])

            share(along_u, pieces(half, _STRIP), self.threads)
            share(along_v, pieces(n, _STRIP), self.threads)
        return out

    def _draw(self, cells: Complex, block: Block, out: Real) -> None:
        """Writes the block's projections of the slices whose transforms are given."""
        (top, left), (tall, wide) = block.corner, block.shape
        rows, upright = cells.shape[2], len(block.rows) - block.mirrored
        lanes = np.ascontiguousarray(cells[top : top + tall, left : left + wide]).view(np.float32)
        samples = _product(block.matrix.T, lanes.reshape(tall * wide, 2 * rows)).view(np.complex64)
        samples = samples.reshape(len(block.rows), self._sizes.frequencies, rows)
        for row in range(rows):
            spectrum = samples[:, :, row] * block.turn.conj()
            for part, move in zip((slice(upright), slice(upright, None)), self._moves(row), strict=True):
                spectrum[part] *= move.conj()
            lines = scipy.fft.irfft(spectrum, self._sizes.padded, axis=1, overwrite_x=True)[:, : self.columns]
            out[row, block.rows[:upright]] = lines[:upright]
            out[row, block.rows[upright:]] = lines[upright:, ::-1]

    def _spread(self, sinograms: Real, responses: Real, block: Block) -> Complex:
        """The adjoint of `_draw`: the block's projections on its box of the grid, shape (v, u, rows)."""
        rows, upright = len(sinograms), len(block.rows) - block.mirrored
        samples = np.empty((len(block.rows), self._sizes.frequencies, rows), np.complex64)
        for row in range(rows):
            lines = sinograms[row, block.rows]
            lines[upright:] = lines[upright:, ::-1].copy()
            spectrum = scipy.fft.rfft(lines, self._sizes.padded, axis=1, overwrite_x=True)
            spectrum *= responses[row, block.rows]
            spectrum *= np.float32(0.5 / self._sizes.padded)
            spectrum[:, 1:-1] *= 2  # each of them stands for two frequencies
            for part, move in zip((slice(upright), slice(upright, None)), self._moves(row), strict=True):
                spectrum[part] *= move
            np.multiply(spectrum, block.turn, out=samples[:, :, row])
        lanes = samples.view(np.float32).reshape(-1, 2 * rows)
        return _product(block.matrix, lanes).view(np.complex64).reshape(*block.shape, rows)


def working_bytes(angles: int, columns: int, rows: int) -> int:
    """Memory of a projector that handles that many rows at once: the matrix, and grids, boxes and samples in flight."""
    sizes = Sizes(angles, columns)
    height, width = sizes.half_grid
    return int(sizes.matrix_bytes + rows * 8 * (4 * height * width + 2 * angles * sizes.frequencies))


def _product(matrix: Any, lanes: Real) -> Real:
    """The matrix times several vectors; for two, one by one is faster. Sums run in the same order."""
    if lanes.shape[1] > 2:
        return np.asarray(matrix @ lanes)
    return np.stack([matrix @ np.ascontiguousarray(lane) for lane in lanes.T], axis=1)


def _unfold(grids: Complex, side: int) -> None:
    """Fills the margins: the grid is periodic, and opposite points are conjugate. Adjoint of half of `_fold`."""
    m, half = MARGIN, side // 2
    inner = grids[:, m : m + side]
    opposite = -np.arange(side) % side  # with u = 0 in the middle, -u is found the same way
    for line in range(1, m):
        inner[m - line] = inner[m + line, opposite].conj()
        inner[m + half + line] = inner[m + half - line, opposite].conj()
    grids[:, :m] = grids[:, side : side + m]
    grids[:, side + m :] = grids[:, m : 2 * m]


def _fold(grids: Complex, side: int) -> None:
    """Brings what fell into the margins back."""
    m, half = MARGIN, side // 2
    grids[:, side : side + m] += grids[:, :m]
    grids[:, m : 2 * m] += grids[:, side + m :]
    inner = grids[:, m : m + side]
    opposite = -np.arange(side) % side
    for line in range(1, m):
        inner[m + line] += inner[m - line, opposite].conj()
        inner[m + half - line] += inner[m + half + line, opposite].conj()
    for line in (m, m + half):
        inner[line] += inner[line, opposite].conj()


class _Kept:
    """The matrices used last, within a number of bytes; the latest always stay. Safe to use from several threads."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[str, tuple[int, list[Block]]] = OrderedDict()
        self._lock = Lock()

    def blocks(self, theta: NDArray[np.float64], sizes: Sizes, threads: int) -> list[Block]:
        key = f"{sizes.columns}:{hashlib.sha256(theta.tobytes()).hexdigest()}"
        with self._lock:
            if key not in self._blocks:
                parts = [replace(part, weights=np.ones(len(part.rows))) for part in split_angles(theta, sizes)]
                built = share(lambda part: build_block(part, sizes), parts, threads)
                self._blocks[key] = sizes.matrix_bytes, built
            self._blocks.move_to_end(key)
            while len(self._blocks) > 1 and sum(size for size, _ in self._blocks.values()) > _KEPT_BYTES:
                self._blocks.popitem(last=False)
            return self._blocks[key][1]


_kept = _Kept()
