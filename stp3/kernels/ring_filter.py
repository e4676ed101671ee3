"""Rings in a slice, by a homomorphic filter of its polar image.

The logarithm makes a ring that scales what it covers one that adds to it. Around the rotation axis a ring is a low
wave of the direction; along the radius it is narrow. Only what the filter takes goes back to the pixels of the slice,
so that all else keeps its sharpness.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from stp3.kernels.polar import DIRECTIONS, from_polar, sharp_along_radius, to_polar

Slice = NDArray[np.float32]

_STEPS = 2  # radii a pixel
_OUTLIER = 3.0  # times the median of a radius: higher values are the sample's, and count as this


def without_rings(image: Slice, cutoff: float, alpha: float) -> Slice:
    """The slice (y, x) centred on the rotation axis, with the share `alpha` of its rings.

    A wave of k turns around the axis is damped by 1 - (1 - alpha) exp(-k^2 / 2 cutoff^2).
    """
    low, high = float(image.min()), float(image.max())
    if not high > low or min(image.shape) < 4:
        return image.copy()
    shift = np.float32(high - 2 * low)  # from the range to twice the range: the logarithm is nearly straight
    logarithm = np.log(image + shift)
    sharp = sharp_along_radius(to_polar(logarithm, _STEPS), _STEPS)
    limit = _OUTLIER * np.median(np.abs(sharp), axis=1, keepdims=True)
    rings = _slow(np.clip(sharp, -limit, limit), cutoff, 1 - alpha)
    return np.asarray(np.exp(logarithm - from_polar(rings, image.shape, _STEPS)) - shift)


def _slow(polar: NDArray[np.float32], cutoff: float, strength: float) -> NDArray[np.float32]:
    waves = np.arange(DIRECTIONS // 2 + 1)
    gain = (strength * np.exp(-(waves**2) / (2 * cutoff**2))).astype(np.float32)
    return np.asarray(fft.irfft(fft.rfft(polar, axis=1) * gain, DIRECTIONS, axis=1), np.float32)
