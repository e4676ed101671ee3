"""Slices in polar coordinates around the rotation axis, where rings are straight lines."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, uniform_filter1d

from stp3.kernels.sliding_median import median_along_columns

Slice = NDArray[np.float32]
Polar = NDArray[np.float32]  # (radii, directions)

DIRECTIONS = 1024
SECTORS = 8
_BLOCKS = 16  # of a sector: even and odd ones are measured apart
_WINDOW = 1 / 64  # of the slice's width: over twice as wide as the widest ring,
_WIDEST_WINDOW = 25  # but larger medians take too long


def to_polar(image: Slice, steps: int = 1) -> Polar:
    """The slice (y, x) at `steps` radii a pixel and DIRECTIONS directions, interpolated linearly."""
    first, down, across = _places(image.shape, steps)
    flat, wide = np.ascontiguousarray(image, np.float32).reshape(-1), image.shape[1]
    above, below = (
        left + across * (flat[start + 1] - left) for start in (first, first + wide) for left in (flat[start],)
    )
    return np.asarray(above + down * (below - above))


@lru_cache(maxsize=4)
def _places(shape: tuple[int, int], steps: int) -> tuple[NDArray[np.intp], Polar, Polar]:
    """Of each polar pixel: the number of the pixel above and left of it, and how far it lies below and right of it."""
    radius = np.arange(steps * ((min(shape) - 1) // 2) + 1) / steps
    turn = 2 * np.pi / DIRECTIONS * np.arange(DIRECTIONS)
    y = (shape[0] - 1) / 2 - radius[:, None] * np.sin(turn)
    x = (shape[1] - 1) / 2 + radius[:, None] * np.cos(turn)
    top, left = (np.clip(at.astype(np.intp), 0, size - 2) for at, size in zip((y, x), shape, strict=True))
    return top * shape[1] + left, (y - top).astype(np.float32), (x - left).astype(np.float32)


def from_polar(polar: Polar, shape: tuple[int, int], steps: int = 1) -> Slice:
    """The slice of that shape again; beyond the last radius it is 0."""
    y = (shape[0] - 1) / 2 - np.arange(shape[0], dtype=np.float32)[:, None]
    x = np.arange(shape[1], dtype=np.float32) - (shape[1] - 1) / 2
    turn = np.mod(np.arctan2(y, x) * np.float32(DIRECTIONS / (2 * np.pi)), DIRECTIONS)
    at = np.stack([np.hypot(x, y) * np.float32(steps), turn])
    closed = np.concatenate([polar, polar[:, :1]], axis=1)
    return np.asarray(map_coordinates(closed, at, np.float32, order=1, mode="constant", cval=0))


def sharp_along_radius(polar: Polar, steps: int = 1, threads: int = 1) -> Polar:
    """What narrow features add to the median of their neighbourhood along the radius, which keeps steps as they are."""
    window = _window(len(polar) // steps) * steps | 1
    return polar - median_along_columns(polar, min(window, len(polar) - 1 + len(polar) % 2), threads)


def ring_energy(sharp: Polar) -> NDArray[np.float64]:
    """The mean square at each radius of what all directions of a sector have in common.

    Measured twice, in directions apart: both agree about rings, which are as long as a sector, and about nothing else.
    """
    blocks = sharp.reshape(len(sharp), SECTORS, _BLOCKS, -1)
    even, odd = (_medians(blocks[:, :, first::2].reshape(len(sharp), SECTORS, -1)) for first in (0, 1))
    return np.asarray((even * odd).mean(axis=1, dtype=np.float64))


def half_ring_energy(sharp: Polar) -> NDArray[np.float64]:
    """The mean square at each radius of what the sectors of one half have in common, and those across have not.

    Medians of sectors are multiplied in pairs. The rim of a sample that does not lie exactly around the axis is at
    another radius in each; pairs are left out in whose sectors it may be at one radius again.
    """
    medians = _medians(sharp.reshape(len(sharp), SECTORS, -1)).astype(np.float64)
    first, second, third, last = ((medians[:, : SECTORS // 2] - medians[:, SECTORS // 2 :]) / np.sqrt(2)).T
    return np.asarray((first + last) * (second + third) / 4)


def _medians(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Medians of an even number of values along the last axis; sorting is much faster here than np.median."""
    ranked, half = np.sort(values, axis=-1), values.shape[-1] // 2
    return np.asarray((ranked[..., half - 1] + ranked[..., half]) / 2)


def slow_along_turn(polar: Polar) -> Polar:
    """The mean over a sector around each direction: rings, and what is as large as a sector."""
    return np.asarray(uniform_filter1d(polar, DIRECTIONS // SECTORS, axis=1, mode="wrap"))


def wide_along_radius(polar: Polar) -> Polar:
    """The mean over twice the width that rings may have."""
    return np.asarray(uniform_filter1d(polar, 2 * _window(len(polar)), axis=0, mode="nearest"))


def _window(radii: int) -> int:
    """Over twice the width of the widest ring, odd."""
    return min(max(int(2 * radii * _WINDOW), 8) | 1, _WIDEST_WINDOW)
