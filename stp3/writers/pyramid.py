"""The levels of a multiscale volume: each has half as many voxels along each axis as the one before.

A voxel is the mean of the (at most 2 x 2 x 2) stored voxels of the level before, so it does not depend on when it is
made: with its slab, where slabs do not cut it, or from the finished level before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stp3.kernels import memory
from stp3.writers.base import Layout

_SMALL = 256  # voxels along the longest axis of the last level
_TILE = 256  # at full resolution slices are looked at one by one ...
_CUBE = 32, 128, 128  # ... and smaller levels from all sides

_HALF = np.float32(0.5)
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Level:
    """A level: its shape (z, y, x), how many voxels of the first one make one of it, slices in a shard, chunk shape.

    `comes_with_slabs` when its shards are made of one slab each.
    """

    shape: Shape
    factors: Shape
    shard_rows: int
    comes_with_slabs: bool

    @property
    def chunk(self) -> Shape:
        """What a viewer reads at a time."""
        _, y, x = self.shape
        if max(self.factors) == 1:
            return 1, _even(y, _TILE), _even(x, _TILE)
        rows = max(many for many in range(1, _CUBE[0] + 1) if self.shard_rows % many == 0)
        return rows, _even(y, _CUBE[1]), _even(x, _CUBE[2])

    @property
    def shards(self) -> list[range]:
        """The slices of each shard."""
        rows = self.shape[0]
        return [range(start, min(start + self.shard_rows, rows)) for start in range(0, rows, self.shard_rows)]


def _even(length: int, most: int) -> int:
    """The length of chunks of at most so many voxels such that hardly any room is left over at the end."""
    return -(-length // -(-length // most))


def levels(layout: Layout) -> list[Level]:
    """All levels, the full one first."""
    found = [Level(layout.shape, (1, 1, 1), layout.slab_rows, True)]
    while max(found[-1].shape) > _SMALL:
        found.append(_next(found[-1]))
    return found


def _next(last: Level) -> Level:
    z, y, x = (-(-length // 2) for length in last.shape)
    fz, fy, fx = (factor * 2 if length > 1 else factor for factor, length in zip(last.factors, last.shape, strict=True))
    whole = last.shard_rows % 2 == 0 or last.shard_rows >= last.shape[0]
    return Level((z, y, x), (fz, fy, fx), -(-last.shard_rows // 2), last.comes_with_slabs and whole)


def halved(slices: NDArray[Any]) -> NDArray[Any]:
    """The next level of slices, in their dtype: means, of integers rounded to the nearest (ties to even)."""
    rows, lines, columns = slices.shape
    out = memory.empty((-(-rows // 2), -(-lines // 2), -(-columns // 2)), slices.dtype)
    for z in range(len(out)):
        mean = slices[2 * z].astype(np.float32, copy=False)
        if 2 * z + 1 < rows:
            mean = np.add(mean, slices[2 * z + 1], dtype=np.float32) * _HALF
        mean = _halved_columns(_halved_lines(mean))
        out[z] = mean if out.dtype.kind == "f" else np.rint(mean)
    return out


def _halved_lines(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    even = len(picture) - len(picture) % 2
    means = (picture[0:even:2] + picture[1:even:2]) * _HALF
    return means if even == len(picture) else np.concatenate([means, picture[even:]])


def _halved_columns(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    even = picture.shape[1] - picture.shape[1] % 2
    means = (picture[:, 0:even:2] + picture[:, 1:even:2]) * _HALF
    return means if even == picture.shape[1] else np.concatenate([means, picture[:, even:]], axis=1)
