"""Frames read at other places: turned, or with the distortion of their optics undone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stp3.kernels.reconstruction import is_compiled
from stp3.kernels.threads import pieces, share

Floats = NDArray[np.float32]
Places = NDArray[np.float64]
_TOGETHER = 16  # frames that a thread takes at once


def turned(rows: NDArray[np.intp], columns: int, centre_row: float, angle: float) -> tuple[Places, Places]:
    """Row and column that each pixel of those rows is read from, to turn frames by `angle` (radians) about the middle.

    Positive angles turn the picture counter-clockwise, rows counting downwards.
    """
    down, across = np.meshgrid(rows - centre_row, np.arange(columns) - (columns - 1) / 2, indexing="ij")
    cos, sin = np.cos(angle), np.sin(angle)
    return centre_row + down * cos + across * sin, (columns - 1) / 2 + across * cos - down * sin


def distorted(
    rows: NDArray[np.intp], columns: int, centre_row: float, centre_column: float, coefficients: tuple[float, ...]
) -> tuple[Places, Places]:
    """Where each pixel of those rows landed on a distorting detector, rows and columns.

    A point that belongs at distance r from the centre landed at r (k0 + k1 r + k2 r^2 + ...), the backward model of
    Vo, Atwood and Drakopoulos, Opt. Express 23:32859 (2015).
    """
    down, across = np.meshgrid(rows - centre_row, np.arange(columns) - centre_column, indexing="ij")
    scale = np.polynomial.polynomial.polyval(np.hypot(down, across), np.asarray(coefficients))
    return centre_row + down * scale, centre_column + across * scale


@dataclass(frozen=True)
class Warp:
    """For each pixel (rows, columns) the one it lies below and right of, and by which share of a pixel."""

    row: NDArray[np.int32]
    column: NDArray[np.int32]
    down: Floats
    across: Floats

    @classmethod
    def reading(cls, rows: Places, columns: Places, first_row: int = 0) -> Warp:
        """From the places that pixels are read from; frames begin with `first_row`, and their edges are repeated."""
        row, down = _split(rows, first_row, rows.shape[0])
        column, across = _split(columns, 0, rows.shape[1])
        return cls(row, column, down, across)

    def apply(self, frames: Floats, out: Floats, threads: int = 1, instructions: str = "") -> None:
        """Writes frames (count, rows, columns) read there, straight between four neighbours, into C-ordered `out`."""
        if frames.shape[2] > 1 and frames.strides[2] != frames.itemsize:
            frames = np.ascontiguousarray(frames)

        def work(some: slice) -> None:
            if not is_compiled():
                self._by_numpy(frames[some], out[some])
                return
            from stp3.kernels._native import warp

            warp(frames[some], out[some], self.row, self.column, self.down, self.across, instructions)

        share(work, pieces(len(frames), _TOGETHER), threads)

    def _by_numpy(self, frames: Floats, out: Floats) -> None:
        below = np.minimum(self.row + 1, frames.shape[1] - 1)
        right = np.minimum(self.column + 1, frames.shape[2] - 1)
        upper = frames[:, self.row, self.column] * (1 - self.across) + frames[:, self.row, right] * self.across
        lower = frames[:, below, self.column] * (1 - self.across) + frames[:, below, right] * self.across
        out[:] = upper * (1 - self.down) + lower * self.down


def _split(places: Places, first: int, count: int) -> tuple[NDArray[np.int32], Floats]:
    """Pixel and share of the next one; the share is the same whatever the first pixel held."""
    whole = np.floor(places)
    share_next = (places - whole).astype(np.float32)
    last = first + max(count - 2, 0)
    share_next[whole < first] = 0
    share_next[whole > last] = min(count - 1, 1)
    return (np.clip(whole, first, last) - first).astype(np.int32), share_next
