"""How noisy a slice is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Slice = NDArray[np.float32]

_NORMAL = 0.6745  # the median of |x| for a standard normal x


def noise_of(image: Slice) -> float:
    """The standard deviation of white noise that would make diagonal differences as large as they are.

    The inside of the circle that fills the slice counts; the corners may be blanked.
    """
    y, x = (np.arange(size) - (size - 1) / 2 for size in image.shape)
    inside = (x[1:] ** 2 + (y[1:] ** 2)[:, None]) < (min(image.shape) / 2) ** 2
    difference = image[1:, 1:] - image[:-1, 1:] - image[1:, :-1] + image[:-1, :-1]
    values = np.abs(difference[inside])
    return float(np.median(values) / (2 * _NORMAL)) if values.size else 0.0
