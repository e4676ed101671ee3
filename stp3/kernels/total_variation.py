"""Denoising by total variation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float32]

_SETTLED = 1e-5  # of the strength: a smaller change of the picture ends the iterations


class Denoiser:
    """The x that minimises |x - noisy|^2 / 2 + strength TV(x) with low <= x <= high.

    TV is the isotropic one. By fast gradient projection on the dual (Beck & Teboulle, IEEE TIP 18:2419, 2009); each
    call starts from where the last one ended, so that a picture that changes little takes few iterations.
    """

    def __init__(
        self, shape: tuple[int, ...], strength: float, iterations: int, low: float | None, high: float | None
    ) -> None:
        self._strength, self._iterations = np.float32(strength), iterations
        self._low, self._high = low, high
        self._dual = np.zeros((2, *shape), np.float32)

    def __call__(self, noisy: Real) -> Real:
        """The picture without noise."""
        if self._strength <= 0:
            return self._limited(noisy.copy())
        dual, ahead, momentum = self._dual, self._dual.copy(), 1.0
        picture = self._limited(noisy - self._strength * _divergence(ahead))
        for _ in range(self._iterations):
            better = ahead + _gradient(picture) / (8 * self._strength)
            better /= np.maximum(1, np.sqrt(better[0] ** 2 + better[1] ** 2))
            momentum, share = (1 + np.sqrt(1 + 4 * momentum**2)) / 2, momentum - 1
            ahead = better + np.float32(share / momentum) * (better - dual)
            dual, last = better, picture
            picture = self._limited(noisy - self._strength * _divergence(ahead))
            if np.abs(picture - last).max() < _SETTLED * self._strength:
                break
        self._dual = dual
        return self._limited(noisy - self._strength * _divergence(dual))

    def _limited(self, picture: Real) -> Real:
        if self._low is not None or self._high is not None:
            np.clip(picture, self._low, self._high, out=picture)
        return picture


def total_variation(picture: Real) -> float:
    """The sum of the lengths of the gradient, differences to the next pixel down and right."""
    return float(np.sqrt((_gradient(picture).astype(np.float64) ** 2).sum(axis=0)).sum())


def _gradient(picture: Real) -> Real:
    out = np.zeros((2, *picture.shape), np.float32)
    np.subtract(picture[:-1], picture[1:], out=out[0, :-1])
    np.subtract(picture[:, :-1], picture[:, 1:], out=out[1, :, :-1])
    return out


def _divergence(field: Real) -> Real:
    """The adjoint of `_gradient`; the last row and column of the field take no part."""
    out = np.zeros(field.shape[1:], np.float32)
    out[:-1] += field[0, :-1]
    out[1:] -= field[0, :-1]
    out[:, :-1] += field[1, :, :-1]
    out[:, 1:] -= field[1, :, :-1]
    return out
