"""What phase retrieval multiplies the spectrum of a projection with, for angular frequencies in radians a pixel.

The spread of a set-up is wavelength * distance / (4 pi pixel^2): the phase by which free space turns a frequency k is
spread * k^2. It is what all methods depend on, with the ratio delta / beta or a regularisation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Frequencies = NDArray[np.float64]
Zone = Literal["all", "half sine"]


def spread(wavelength_um: float, distance_mm: float, pixel_size_um: float) -> float:
    """Wavelength times distance over 4 pi, in units of the pixel's area."""
    return wavelength_um * distance_mm * 1e3 / (4 * np.pi * pixel_size_um**2)


@dataclass(frozen=True)
class Paganin:
    """1 / (1 + strength k^2): Paganin et al., J. Microsc. 206:33 (2002), eq. 10. strength = spread * delta / beta."""

    strength: float

    def __call__(self, across: Frequencies, along: Frequencies) -> Frequencies:
        return 1 / (1 + self.strength * (across**2 + along**2))


@dataclass(frozen=True)
class GeneralisedPaganin:
    """The same with the Laplacian of pixels in place of k^2: Paganin et al., J. Opt. 22:115607 (2020), eq. 22."""

    strength: float

    def __call__(self, across: Frequencies, along: Frequencies) -> Frequencies:
        return 1 / (1 + 2 * self.strength * (2 - np.cos(across) - np.cos(along)))
