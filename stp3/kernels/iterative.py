"""Iterative reconstruction of several rows at once on a pair of a projector and its adjoint.

Every method takes sinograms (rows, angles, columns), returns slices (rows, columns, columns) in attenuation per pixel,
and treats each row by itself: one that has settled stays as it is while others go on. Settings limit values and
iterations; the first iteration starts from `start`, or from what suits the method.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stp3.kernels.angles import density_weights
from stp3.kernels.filters import filter_response
from stp3.kernels.projector import Projector
from stp3.kernels.projector import working_bytes as projector_bytes
from stp3.kernels.threads import share
from stp3.kernels.total_variation import Denoiser

Real = NDArray[np.float32]
OnIteration = Callable[[int, float], None]

_SEEN = 0.05  # pixels that fewer angles see than this share count as if they saw as many: their noise stays small
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """When to end and what values are possible.

    A row has settled when its residual |A x - b| changes by less than `stop` of itself in an iteration. `on_iteration`
    hears the iteration (0, 1, ...) and the largest of the rows' residuals |A x - b| / |b| before it; it may raise to
    stop everything.
    """

    iterations: int = 100
    stop: float = 0.0
    low: float | None = None
    high: float | None = None
    on_iteration: OnIteration | None = None

    def limit(self, slices: Real) -> None:
        """Brings values, in place, to the range that is possible."""
        if self.low is not None or self.high is not None:
            np.clip(slices, self.low, self.high, out=slices)


class Progress:
    """Which rows go on, from their residuals."""

    def __init__(self, sinograms: Real, settings: Settings) -> None:
        self._settings = settings
        self._size = np.sqrt(squares(sinograms))
        self._last = np.full(len(sinograms), np.inf)
        self._iteration = 0
        self.going = self._size > 0

    def go_on(self, residual_squares: NDArray[np.float64]) -> bool:
        """Notes the residuals before an iteration; whether any row needs it."""
        residual = np.sqrt(np.maximum(residual_squares, 0)) / np.where(self._size > 0, self._size, 1)
        if not self.going.any():
            return False
        worst = float(residual[self.going].max())
        _LOG.debug("iteration %d: relative residual %.6g", self._iteration, worst)
        if self._settings.on_iteration:
            self._settings.on_iteration(self._iteration, worst)
        self._iteration += 1
        if self._settings.stop > 0:
            self.going &= ~(np.abs(self._last - residual) < self._settings.stop * self._last)
        self._last = residual
        return bool(self.going.any())


def squares(arrays: Real) -> NDArray[np.float64]:
    """The sum of squares of each row, the same whatever rows stand beside it."""
    return np.array([np.square(array, dtype=np.float64).sum() for array in arrays])


def sirt(
    projector: Projector, sinograms: Real, settings: Settings, start: Real | None = None, subsets: int = 1
) -> Real:
    """Simultaneous iterative reconstruction (Gilbert, J. Theor. Biol. 36:105, 1972), weighted as in ASTRA.

    More `subsets` make it SART-like (Andersen & Kak, Ultrason. Imaging 6:81, 1984): each iteration corrects once for
    every subset of evenly spread angles, and converges about as many times faster.
    """
    parts = [_Part(projector.some_angles(slice(k, None, subsets)), sinograms[:, k::subsets]) for k in range(subsets)]
    slices = np.zeros(_shape(sinograms), np.float32) if start is None else start.copy()
    progress = Progress(sinograms, settings)
    for _ in range(settings.iterations):
        before = slices.copy()
        residuals = [part.correct(slices, settings) for part in parts]
        if not progress.go_on(np.sum(residuals, axis=0)):
            return before
        slices[~progress.going] = before[~progress.going]
    return slices


class _Part:
    """Some of the angles, with their weights: 1 / length of each ray in the slice, 1 / times each pixel is seen."""

    def __init__(self, projector: Projector, sinograms: Real) -> None:
        self._projector, self._sinograms = projector, np.ascontiguousarray(sinograms)
        lengths = ray_lengths(projector)
        self._rays = np.where(lengths > 0, 1 / np.maximum(lengths, 1), 0).astype(np.float32)
        self._pixels = 1 / times_seen(projector, len(self._sinograms))

    def correct(self, slices: Real, settings: Settings) -> NDArray[np.float64]:
        """Improves the slices; the squared residual of each row before."""
        residual = self._sinograms - self._projector.forward(slices)
        left = squares(residual)
        residual *= self._rays
        slices += self._pixels * self._projector.adjoint(residual)
        settings.limit(slices)
        return left


def cgls(projector: Projector, sinograms: Real, settings: Settings, start: Real | None = None) -> Real:
    """Conjugate gradients for least squares (Hestenes & Stiefel, 1952); fast, with noise growing in the end."""
    slices = np.zeros(_shape(sinograms), np.float32) if start is None else start.copy()
    residual = sinograms - projector.forward(slices) if start is not None else sinograms.copy()
    gradient = projector.adjoint(residual)
    direction, size = gradient.copy(), squares(gradient)
    progress = Progress(sinograms, settings)
    for _ in range(settings.iterations):
        if not progress.go_on(squares(residual)):
            break
        ahead = projector.forward(direction)
        step = _ratio(size * progress.going, squares(ahead))
        slices += step * direction
        residual -= step * ahead
        gradient = projector.adjoint(residual)
        before, size = size, squares(gradient)
        direction *= _ratio(size, before)
        direction += gradient
    settings.limit(slices)
    return slices


def em(projector: Projector, sinograms: Real, settings: Settings, start: Real | None = None) -> Real:
    """Expectation maximisation (Shepp & Vardi, IEEE Trans. Med. Imaging 1:113, 1982); never below zero.

    Negative line integrals count as zero.
    """
    projector, smoothed = projector.without_negative_weights(sinograms)
    lines = np.maximum(smoothed, 0)
    mean = lines.mean(axis=(1, 2), dtype=np.float64, keepdims=True)
    faint = np.maximum(1e-3 * mean, np.finfo(np.float32).tiny).astype(np.float32)
    even = (mean / lines.shape[2]).astype(np.float32)
    first = even if start is None else np.maximum(start, even * np.float32(0.01))
    slices = np.array(np.broadcast_to(first, _shape(sinograms)), np.float32)
    seen = times_seen(projector, len(lines))
    progress = Progress(lines, settings)
    for _ in range(settings.iterations):
        ahead = projector.forward(slices)
        if not progress.go_on(squares(lines - ahead)):
            break
        factor = np.asarray(np.maximum(projector.adjoint(lines / np.maximum(ahead, faint)), 0) / seen, np.float32)
        factor[~progress.going] = 1
        slices *= factor
        settings.limit(slices)
    return slices


def fista_tv(
    projector: Projector, sinograms: Real, settings: Settings, weight: float, inner: int, start: Real | None = None
) -> Real:
    """Least squares with a penalty on total variation, by FISTA (Beck & Teboulle, IEEE TIP 18:2419, 2009).

    Minimises |A x - b|^2 / (2 |b|^2) + `weight` TV(x) / (m columns^2), m being the mean of |b| / columns: the weight
    means the same whatever the units and the width. `inner` limits the iterations of each denoising.
    """
    slices = np.zeros(_shape(sinograms), np.float32) if start is None else start.copy()
    steepest = steepest_curvature(projector, len(sinograms))
    threshold = _penalty(sinograms, weight) / steepest
    down = (1 / steepest).astype(np.float32)[:, None, None]
    denoisers = [Denoiser(slices.shape[1:], float(t), inner, settings.low, settings.high) for t in threshold]
    ahead, momentum = slices.copy(), 1.0
    progress = Progress(sinograms, settings)
    for _ in range(settings.iterations):
        residual = projector.forward(ahead) - sinograms
        if not progress.go_on(squares(residual)):
            break
        np.subtract(ahead, down * projector.adjoint(residual), out=ahead)
        momentum, past = (1 + np.sqrt(1 + 4 * momentum**2)) / 2, momentum - 1
        carry = np.float32(past / momentum)

        rows = np.flatnonzero(progress.going)
        better_ones = share(lambda row: denoisers[row](ahead[row]), rows.tolist(), projector.threads)
        for row, better in zip(rows, better_ones, strict=True):
            ahead[row] = better + carry * (better - slices[row])
            slices[row] = better
    return slices


def back_projected(projector: Projector, sinograms: Real) -> Real:
    """Filtered back-projection (Ram-Lak): where a method may start from."""
    response = filter_response("ram-lak", projector.padded) * density_weights(projector.theta)[:, None]
    return projector.filtered_adjoint(sinograms, response)


def working_bytes(angles: int, columns: int, rows: int) -> int:
    """Peak memory of any of the methods on that many rows at once, beside the slab."""
    return projector_bytes(angles, columns, rows) + rows * 4 * (10 * columns**2 + 6 * angles * columns)


def ray_lengths(projector: Projector) -> Real:
    """The length of each ray within the square slice, in pixels, shape (rows, angles, columns)."""
    cos, sin = np.abs(np.cos(projector.theta)), np.abs(np.sin(projector.theta))
    n = projector.columns
    away = np.abs(np.arange(n) - projector.axes[:, None])[:, None]
    reach, slope = ((cos + sin) * n / 2)[:, None], np.maximum(n * np.minimum(cos, sin), 1e-9)[:, None]
    return np.asarray((n / np.maximum(cos, sin))[:, None] * np.clip((reach - away) / slope, 0, 1), np.float32)


def times_seen(projector: Projector, rows: int) -> Real:
    """How many angles see each pixel, and never next to none."""
    seen = projector.adjoint(np.ones((rows, len(projector.theta), projector.columns), np.float32))
    return np.asarray(np.maximum(seen, _SEEN * len(projector.theta)), np.float32)


def steepest_curvature(projector: Projector, rows: int) -> NDArray[np.float64]:
    """An upper bound of the largest eigenvalue of A^T A for each row (Collatz 1942), and 5 % on top."""
    one = np.ones((rows, projector.columns, projector.columns), np.float32)
    once = np.maximum(projector.adjoint(projector.forward(one)), 1)
    twice = projector.adjoint(projector.forward(once))
    return np.asarray(1.05 * (twice / once).max(axis=(1, 2)), np.float64)


def _penalty(sinograms: Real, weight: float) -> NDArray[np.float64]:
    """The factor of TV(x) beside |A x - b|^2 / 2, for each row."""
    mean = np.array([np.abs(lines, dtype=np.float64).mean() for lines in sinograms]) / sinograms.shape[2]
    return np.asarray(weight * squares(sinograms) / (np.where(mean > 0, mean, 1) * sinograms.shape[2] ** 2))


def _shape(sinograms: Real) -> tuple[int, int, int]:
    return len(sinograms), sinograms.shape[2], sinograms.shape[2]


def _ratio(over: NDArray[np.float64], under: NDArray[np.float64]) -> Real:
    """The quotient for each row, 0 where there is nothing to divide by."""
    quotient = np.divide(over, under, out=np.zeros_like(over), where=under > 0)
    return quotient.astype(np.float32)[:, None, None]
