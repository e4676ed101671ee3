"""The lengths of transforms and grids. No SciPy here: the compiled kernel starts without it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stp3.kernels.window import Window

KERNEL = 4  # grid cells that a sample reaches, each way: 79 dB against exact back-projection
OVERSAMPLING = 1.25  # of a whole slice, with little beside it
_MOST_OVERSAMPLING = 2.0  # of a small window, which is surrounded by the rest of the sample
MARGIN = KERNEL // 2 + 1
KEPT_BYTES = 1 << 30  # of matrices
_LEAST_BLOCKS = 8
_BLOCK_BYTES = 1 << 27
_SAMPLE_BYTES = KERNEL * KERNEL * 8 + 12  # matrix entries (float32 and int32), pointer, phase factor


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
        return 2 * fast_length(max(self.columns, 8))

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
    return 2 * fast_length(int(np.ceil(wanted / 2)))


def _kernel_shape(oversampling: float) -> float:
    """The kernel's shape parameter (Beatty, IEEE Trans. Med. Imaging 24:799, 2005)."""
    sigma = min(max(oversampling, OVERSAMPLING), _MOST_OVERSAMPLING)
    return float(np.pi * np.sqrt((KERNEL / sigma) ** 2 * (sigma - 0.5) ** 2 - 0.8))


def fast_length(least: int) -> int:
    """The smallest length from `least` on with no other factors than 2, 3 and 5, which transforms do fastest."""
    best = 1 << (least - 1).bit_length()
    fives = 1
    while fives < best:
        threes = fives
        while threes < best:
            best = min(best, threes << max(-(-least // threes) - 1, 0).bit_length())
            threes *= 3
        fives *= 5
    return best
