"""Filters of filtered back-projection, as the response to each frequency of a padded sinogram row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Pad = Literal["edge", "zero"]  # what is assumed beside the detector: its last column, or nothing
FilterName = Literal["ram-lak", "shepp-logan", "cosine", "hamming", "hann", "none"]
FILTERS: tuple[str, ...] = get_args(FilterName)

# share of the cut-off frequency (0 to 1) -> factor
_WINDOWS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "ram-lak": np.ones_like,
    "shepp-logan": lambda share: np.sinc(share / 2),
    "cosine": lambda share: np.cos(np.pi / 2 * share),
    "hamming": lambda share: 0.54 + 0.46 * np.cos(np.pi * share),
    "hann": lambda share: 0.5 + 0.5 * np.cos(np.pi * share),
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
    window = np.where(share <= 1, _WINDOWS[name](share) if name != "none" else 1.0, 0.0)
    return window if name == "none" else window * ramp(padded)
