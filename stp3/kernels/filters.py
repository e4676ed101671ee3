"""Filters of filtered back-projection, as the response to each frequency of a padded sinogram row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Pad = Literal["edge", "zero"]  # what is assumed beside the detector: its last column, or nothing
FilterName = Literal[
    "ram-lak", "shepp-logan", "tukey", "cosine", "lanczos", "hamming", "hann", "gaussian", "kaiser", "blackman",
    "parzen", "nuttall", "blackman-harris", "flat-top", "none",
]  # fmt: skip
FILTERS: tuple[str, ...] = get_args(FilterName)  # from sharp and noisy to smooth

_TUKEY_TAPER = 0.5  # share of the band that is tapered
_GAUSSIAN_SIGMA = 0.4  # of the band
_KAISER_BETA = 8.6


def _cosines(*terms: float) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """The window that is a sum of cosines, one period over the band (Harris, Proc. IEEE 66:51, 1978)."""
    return lambda share: np.cos(np.pi * np.multiply.outer(share, np.arange(len(terms)))) @ np.array(terms)


def _tukey(share: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.5 + 0.5 * np.cos(np.pi * np.maximum(share - (1 - _TUKEY_TAPER), 0) / _TUKEY_TAPER)


def _kaiser(share: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.i0(_KAISER_BETA * np.sqrt(np.maximum(1 - share**2, 0))) / np.i0(_KAISER_BETA)


def _parzen(share: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(share <= 0.5, 1 - 6 * share**2 * (1 - share), 2 * (1 - share) ** 3)


# share of the cut-off frequency (0 to 1) -> factor
_WINDOWS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "ram-lak": np.ones_like,
    "shepp-logan": lambda share: np.sinc(share / 2),
    "tukey": _tukey,
    "cosine": lambda share: np.cos(np.pi / 2 * share),
    "lanczos": np.sinc,
    "hamming": _cosines(0.54, 0.46),
    "hann": _cosines(0.5, 0.5),
    "gaussian": lambda share: np.exp(-0.5 * (share / _GAUSSIAN_SIGMA) ** 2),
    "kaiser": _kaiser,
    "blackman": _cosines(0.42, 0.5, 0.08),
    "parzen": _parzen,
    "nuttall": _cosines(0.3635819, 0.4891775, 0.1365995, 0.0106411),
    "blackman-harris": _cosines(0.35875, 0.48829, 0.14128, 0.01168),
    "flat-top": _cosines(0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368),
}


def ramp(padded: int) -> NDArray[np.float64]:
    """The Ram-Lak response at the `padded // 2 + 1` frequencies of a real transform, in cycles a pixel.

    It is the transform of the band-limited kernel sampled in space (Kak & Slaney, 1988, eq. 3.61), not |f| itself:
    |f| sampled loses the mean of the slice and makes it hollow.
    """
    distance = np.minimum(np.arange(padded), padded - np.arange(padded))
    kernel = np.zeros(padded)
    kernel[0] = 0.25
    odd = distance % 2 == 1
    kernel[odd] = -1 / (np.pi * distance[odd]) ** 2
    return np.fft.rfft(kernel).real


def filter_response(name: FilterName, padded: int, cutoff: float = 1.0) -> NDArray[np.float64]:
    """The response at the `padded // 2 + 1` frequencies of a real transform; "none" is plain back-projection.

    `cutoff` is the share of the highest frequency (half a cycle a pixel) beyond which nothing passes.
    """
    share = np.arange(padded // 2 + 1) / (padded / 2) / cutoff
    if name == "none":
        return np.where(share <= 1, 1.0, 0.0)
    return np.where(share <= 1, _WINDOWS[name](np.minimum(share, 1)), 0.0) * ramp(padded)
