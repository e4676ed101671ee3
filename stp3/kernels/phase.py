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
Rings = Literal["kept", "removed", "levelled"]
_LEAST_LIMIT = 256  # rows; the kernels of responses with jumps or narrow peaks have no end of their own


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


@dataclass(frozen=True)
class ContrastTransfer:
    """sign(sin) / 2 (|sin| + 10^-regularisation) of the phase that free space turns each frequency by.

    Cloetens et al., J. Phys. D 29:133 (1996). Beyond the first maximum, rings around the frequencies that are lost,
    where |sin| < threshold, may be removed, or levelled to the factor at their rims: Moosmann, Hofmann & Baumbach,
    Opt. Express 19:12066 (2011). `half_sine` ends with the first frequency that is lost.
    """

    spread: float
    regularisation: float
    threshold: float = 0.0
    rings: Rings = "kept"
    half_sine: bool = False

    @property
    def limit(self) -> int:
        """Rows to which kernels are faded out: several times the decay of the peak at frequency zero."""
        return max(_LEAST_LIMIT, int(10 * np.sqrt(self.spread * 10**self.regularisation)))

    def __call__(self, across: Frequencies, along: Frequencies) -> Frequencies:
        turned = self.spread * (across**2 + along**2)
        sine = np.sin(turned)
        lost = (turned > np.pi / 2) & (np.abs(sine) < self.threshold)
        size = np.where(lost & (self.rings == "levelled"), self.threshold, np.abs(sine))
        factor = np.where(sine < 0, -0.5, 0.5) / (size + 10**-self.regularisation)
        ends = (lost & (self.rings == "removed")) | ((turned >= np.pi) & self.half_sine)
        return np.where(ends, 0, factor)


@dataclass(frozen=True)
class Unsharp:
    """1 + strength (1 - exp(-sigma^2 k^2 / 2)): the picture and a share of what a Gaussian blur takes from it."""

    sigma: float
    strength: float

    def __call__(self, across: Frequencies, along: Frequencies) -> Frequencies:
        return 1 + self.strength * (1 - np.exp(-(self.sigma**2) * (across**2 + along**2) / 2))
