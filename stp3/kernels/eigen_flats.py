"""Eigen flat fields: how the beam varies from flat to flat, and how much of it stands in each projection.

Van Nieuwenhove et al., Opt. Express 23:27975 (2015). Two things differ from the paper. Random flats of the parallel
analysis are not drawn pixel by pixel: of so many pixels only their covariance is seen, which is normal by the central
limit, so that is drawn. And the total variation is that of the logarithm, where a beam wrongly taken for too bright
does not look smoother than it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stp3.kernels.threads import pieces, share

if TYPE_CHECKING:
    from stp3.scan import Frames

Doubles = NDArray[np.float64]

_PIECE_BYTES = 16 << 20
_READERS = 4  # threads that read and average: more of them wait for the disk and take memory
_TOGETHER = 16  # projections whose weights are found at once
_DRAWS = 20
_MOST = 5  # components that parallel analysis may find
_ITERATIONS = 20
_LONGEST_STEP = 2.0  # in standard deviations of the flats
_STRAY = 5.0  # how far, in those, a projection may be from its neighbouring flats
_SETTLED = 1e-4
_LEAST_SHARE = 0.01  # of the mean gradient: smaller ones count as this


@dataclass(frozen=True)
class FlatStatistics:
    """What the flats have in common and how they differ.

    `gram` (flats, flats) holds the products of the flats without their mean, over the pixels that are `lit`
    (rows, columns); `pixels` is how many pixels share the variance. `pictures` (flats, h, w) are the flats without
    `dark` (rows, columns), averaged over squares of `size` pixels, not a number where nothing is lit.
    """

    gram: Doubles
    pixels: float
    lit: NDArray[np.bool_]
    dark: NDArray[np.float32]
    pictures: Doubles
    size: int

    def components(self) -> int:
        """How many components differ more than noise does, by parallel analysis; at most 5.

        Each is tried against noise of the variance that those before it leave.
        """
        values = np.linalg.eigvalsh(self.gram)[::-1][: len(self.gram) - 1]
        rng = np.random.default_rng(2015)
        for found in range(min(_MOST, len(values) - 1)):
            left = values[found:]
            if not left[0] > max(left.mean() * _edge(rng, len(left), self.pixels), 1e-9 * values[0]):
                return found
        return max(min(_MOST, len(values) - 1), 0)

    def coefficients(self, count: int) -> Doubles:
        """(flats, count): eigen-flat k is the sum of flats times column k; flats vary by it with variance 1."""
        vectors = np.linalg.eigh(self.gram)[1][:, ::-1][:, :count]
        turned = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
        return np.asarray(turned / np.sqrt(max(len(self.gram) - 1, 1)), np.float64)

    def of_flats(self, count: int) -> Doubles:
        """(flats, count): the weights of the eigen-flats in the flats themselves."""
        return self.coefficients(count) * max(len(self.gram) - 1, 1)


def flat_statistics(flats: Frames, darks: Frames | None, size: int, threads: int = 1) -> FlatStatistics:
    """What is to be known of the flats, read a few rows at a time."""
    count, rows, columns = flats.shape
    height = size * max(1, _PIECE_BYTES // (8 * count * columns * size))

    def look(some: slice) -> tuple[Doubles, Doubles, NDArray[np.bool_], NDArray[np.float32], Doubles]:
        read = range(some.start, some.stop)
        dark = np.zeros((len(read), columns), np.float32)
        if darks is not None and darks.shape[0]:
            dark = darks.read(read).mean(axis=0, dtype=np.float64).astype(np.float32)
        light = flats.read(read).astype(np.float64) - dark
        lit = np.isfinite(light).all(axis=0) & (light.mean(axis=0) > 0)
        apart = np.where(lit, light - light.mean(axis=0), 0).reshape(count, -1)
        variance = (apart**2).sum(axis=0)
        sums = np.array([variance.sum(), (variance**2).sum()])
        return apart @ apart.T, sums, lit, dark, averaged(light, lit, size)

    with np.errstate(invalid="ignore"):
        grams, sums, lit, dark, pictures = zip(*share(look, pieces(rows, height), min(threads, _READERS)), strict=True)
    total, squares = np.sum(sums, axis=0)
    pixels = float(total**2 / squares) if squares > 0 else 1.0
    return FlatStatistics(
        np.sum(grams, axis=0), pixels, np.concatenate(lit), np.concatenate(dark), np.concatenate(pictures, axis=1), size
    )


def averaged(frames: NDArray[np.floating], lit: NDArray[np.bool_], size: int) -> Doubles:
    """Means of (frames, rows, columns) over the lit pixels of squares; those at the end may be smaller."""
    down, across = np.arange(0, lit.shape[0], size), np.arange(0, lit.shape[1], size)

    def sums(values: NDArray[np.generic]) -> Doubles:
        lines = np.add.reduceat(values, down, axis=-2, dtype=np.float64)
        return np.asarray(np.add.reduceat(lines, across, axis=-1))

    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums(np.where(lit, frames, 0)) / sums(lit))


def pictures_of(projections: Frames, beam: FlatStatistics, threads: int = 1) -> Doubles:
    """(angles, h, w): projections without the dark, averaged as the flats were."""
    angles, rows, columns = projections.shape

    def look(some: slice) -> Doubles:
        frames = projections.read(None, np.arange(some.start, some.stop)).astype(np.float32)
        return averaged(frames - beam.dark, beam.lit, beam.size)

    together = max(1, _PIECE_BYTES // (4 * rows * columns))
    return np.concatenate(share(look, pieces(angles, together), min(threads, _READERS)))


def fit_weights(pictures: Doubles, beam: FlatStatistics, near: Doubles, threads: int = 1) -> Doubles:
    """(angles, components): the weights with which the corrected pictures vary least in total.

    `near` of that shape is where the beam is looked for, and what is kept where pictures cannot tell.
    """
    mean = beam.pictures.mean(axis=0)
    eigen = np.einsum("fk,fhw->khw", beam.coefficients(near.shape[1]), beam.pictures)

    def fit(some: slice) -> Doubles:
        return _least_variation(pictures[some], mean, eigen, near[some])

    with np.errstate(invalid="ignore", divide="ignore"):
        return np.concatenate(share(fit, pieces(len(pictures), _TOGETHER), threads))


def _least_variation(pictures: Doubles, mean: Doubles, eigen: Doubles, near: Doubles) -> Doubles:
    """Gauss-Newton steps on weighted squares, whose weights make them sums of absolute values."""
    lines, trust = np.log(pictures), np.sqrt(np.clip(pictures / mean, 0, 1))
    trusted = _pairs(trust, np.minimum)
    weights = near.copy()
    for _ in range(_ITERATIONS):
        beam = mean + np.einsum("ak,khw->ahw", weights, eigen)
        left = _pairs(lines - np.log(beam), np.subtract)
        slope = _pairs(eigen / beam[:, None], np.subtract)
        good = np.isfinite(left) & np.isfinite(slope).all(axis=1) & np.isfinite(trusted)
        left, slope = np.where(good, left, 0), np.where(good[:, None], slope, 0)
        size = np.abs(left)
        level = (np.where(good, trusted, 0) * size).sum(axis=1, keepdims=True) / np.maximum(
            good.sum(axis=1)[:, None], 1
        )
        share_of = np.where(good, trusted, 0) / np.maximum(size, np.maximum(_LEAST_SHARE * level, 1e-12))
        weighted = slope * share_of[:, None]
        ridge = level / _STRAY**2
        normal = weighted @ slope.swapaxes(1, 2) + (ridge[:, :, None] + 1e-12) * np.eye(near.shape[1])
        right = (weighted @ left[:, :, None])[:, :, 0] - ridge * (weights - near)
        step = np.linalg.solve(normal, right[:, :, None])[:, :, 0]
        weights += np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        if np.abs(step).max() < _SETTLED:
            break
    return weights


def _pairs(pictures: Doubles, of: np.ufunc) -> Doubles:
    """What a function gives of each pixel and its neighbours below and to the right, (..., pairs)."""
    below = of(pictures[..., 1:, :], pictures[..., :-1, :])
    beside = of(pictures[..., :, 1:], pictures[..., :, :-1])
    lead = pictures.shape[:-2]
    return np.concatenate([below.reshape(*lead, -1), beside.reshape(*lead, -1)], axis=-1)


def _edge(rng: np.random.Generator, count: int, pixels: float) -> float:
    """How far above their mean the largest of `count` components of noise may be: mean and two deviations."""
    drawn = rng.normal(size=(_DRAWS, count, count))
    largest = np.linalg.eigvalsh(drawn + drawn.swapaxes(1, 2))[:, -1] / np.sqrt(2 * pixels)
    return float(1 + largest.mean() + 2 * largest.std())


def weighted_sum(frames: NDArray[np.float32], weights: Sequence[float] | Doubles) -> NDArray[np.float32]:
    """The sum of frames times weights, found in float64, 0 where it is no number."""
    total = np.zeros(frames.shape[1:], np.float64)
    for frame, weight in zip(frames, weights, strict=True):
        total += weight * frame
    return np.where(np.isfinite(total), total, 0).astype(np.float32)


def divide(
    counts: NDArray[np.generic],
    out: NDArray[np.float32],
    dark: NDArray[np.float32],
    light: NDArray[np.float32],
    eigen: NDArray[np.float32],
    weights: Doubles,
    threads: int = 1,
) -> None:
    """Writes counts without the dark, over the light and each projection's share of the eigen-flats, into `out`.

    1 where there is no light or the result is no number. `counts` and `out` may be one array.
    """
    shares, light = weights.astype(np.float32), np.where(light > 0, light, np.float32(np.nan))

    def work(some: slice) -> None:
        for angle in range(some.start, some.stop):
            beam = light.copy()
            for one, weight in zip(eigen, shares[angle], strict=True):
                beam += weight * one
            part = out[angle]
            np.subtract(counts[angle], dark, out=part, casting="unsafe")
            beam[~(beam > 0)] = np.nan
            part /= beam
            part[~np.isfinite(part)] = 1

    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        share(work, pieces(len(out), _TOGETHER), threads)
