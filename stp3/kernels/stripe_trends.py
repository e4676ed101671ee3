"""Stripes told from the sample by what varies slowly over the angles, as stripes do and most of a sample does not:
Vo, Atwood and Drakopoulos, Opt. Express 26:28396 (2018), algorithms 1 (fitting) and 2 (filtering).

What varies slowly is a sum of few components, given as two matrices (angles, components): `analysis` finds how much of
each a line holds, `synthesis` what that stands for. The compiled kernel works with the same matrices; this is the
method in NumPy. The paper divides transmissions; of line integrals that is a difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy  # as in `stripes`
from numpy.typing import NDArray

from stp3.kernels.stripes import AllStripes, within

Lines = NDArray[np.float32]
Matrix = NDArray[np.float64]

_REACH = 4.5  # widths of a Gaussian that count: the next is 4e-5 of its middle


@dataclass(frozen=True)
class Filtering:
    """Only what a Gaussian low-pass over the angles lets through is sorted and smoothed; the rest stays as it is.

    `cutoff` is the width of the Gaussian in cycles over the scan, `size` the median window in columns.
    """

    cutoff: float = 3.0
    size: int = 21

    def components(self, angles: int) -> tuple[Matrix, Matrix]:
        """Cosines, which continue the scan mirrored at both ends, and the same times the Gaussian."""
        count = min(angles, int(2 * _REACH * self.cutoff) + 1)
        half_cycles = np.arange(count)
        cosines = np.cos(np.pi / angles * np.outer(np.arange(angles) + 0.5, half_cycles)) * np.sqrt(2 / angles)
        cosines[:, 0] *= np.sqrt(0.5)
        return cosines, cosines * np.exp(-0.5 * (half_cycles / 2 / self.cutoff) ** 2)

    def remove(self, sinogram: Lines, threads: int = 1) -> Lines:
        """The sinogram (angles, columns) without stripes."""
        analysis, synthesis = self.components(len(sinogram))
        slow = (synthesis @ (analysis.T @ sinogram)).astype(np.float32)
        clean = AllStripes(size_small=self.size, dead=False, large=False).remove(slow, threads)
        return sinogram + (clean - slow)


@dataclass(frozen=True)
class Fitting:
    """A polynomial is fitted to each column; what it has beyond the fits of its neighbours is the stripe.

    `order` is the polynomial's, `width` that of the Gaussian over the neighbours, in columns.
    """

    order: int = 2
    width: float = 10.0

    def components(self, angles: int) -> tuple[Matrix, Matrix]:
        """Orthonormal polynomials, twice: as analysis and as synthesis."""
        powers = np.polynomial.legendre.legvander(np.linspace(-1, 1, angles), min(self.order, angles - 1))
        polynomials = np.linalg.qr(powers)[0]
        return polynomials, polynomials

    def weights(self) -> NDArray[np.float64]:
        """Of a column itself and of its first, second, ... neighbours on either side; all together 1."""
        half = np.exp(-0.5 * (np.arange(int(_REACH * self.width) + 1) / self.width) ** 2)
        return np.asarray(half / (2 * half.sum() - half[0]))

    def remove(self, sinogram: Lines, threads: int = 1) -> Lines:
        """The sinogram (angles, columns) without stripes."""
        polynomials, _ = self.components(len(sinogram))
        factors = polynomials.T @ sinogram
        weights = self.weights()
        factors -= scipy.ndimage.correlate1d(factors, np.concatenate([weights[:0:-1], weights]), axis=1, mode="reflect")
        return (sinogram - polynomials @ factors).astype(np.float32)


StripeMethod = AllStripes | Filtering | Fitting


def settings(method: StripeMethod, angles: int, columns: int) -> dict[str, Any]:
    """What the compiled kernel wants to know of a method."""
    match method:
        case AllStripes():
            return {
                "dead": method.dead,
                "large": method.large,
                "snr": method.snr,
                "size_large": within(method.size_large, columns),
                "size_small": within(method.size_small, columns),
            }
        case Filtering():
            return {"size_small": within(method.size, columns), **_matrices(method.components(angles))}
        case Fitting():
            return {"weights": method.weights(), **_matrices(method.components(angles))}


def _matrices(components: tuple[Matrix, Matrix]) -> dict[str, Any]:
    analysis, synthesis = (np.ascontiguousarray(matrix) for matrix in components)
    return {"analysis": analysis, "synthesis": synthesis}
