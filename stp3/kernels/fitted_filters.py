"""Filters of back-projection that are computed for the scan at hand instead of being chosen from a list.

Responses are for `Projector.filtered_adjoint`, the weights of the angles included.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from stp3.kernels.angles import density_weights
from stp3.kernels.filters import ramp
from stp3.kernels.grid_sizes import Sizes
from stp3.kernels.projector import Projector
from stp3.kernels.projector import working_bytes as projector_bytes

Real = NDArray[np.float32]

_EVEN_BANDS = 8
_ROOM = 1.25  # slice widths: with less, means are lost; with more, few angles leave streaks that SIRT would not
_KEPT = 4  # SIRT filters
_LEAST = 1e-10  # of the largest eigenvalue: combinations that show less in the projections are left out


def least_residual_response(projector: Projector, sinogram: Real) -> NDArray[np.float64]:
    """The response whose slice, projected again, comes closest to the sinogram (1, angles, columns) it is made of.

    Pelt & Batenburg, IEEE Trans. Image Process. 23:4750 (2014). Where they choose taps in groups, here it is the
    factors of `bands`, which is better conditioned.
    """
    weights = density_weights(projector.theta)[:, None]
    parts = bands(projector.padded)
    seen = np.concatenate([projector.forward(projector.filtered_adjoint(sinogram, weights * one)) for one in parts])
    gram, right = np.zeros((len(seen), len(seen))), np.zeros(len(seen))
    for angle, line in enumerate(sinogram[0].astype(np.float64)):
        lines = seen[:, angle].astype(np.float64)
        gram += lines @ lines.T
        right += lines @ line
    size = np.sqrt(np.maximum(np.diag(gram), np.finfo(float).tiny))
    factors = np.linalg.lstsq(gram / np.outer(size, size), right / size, rcond=_LEAST)[0] / size
    return np.asarray(weights * (factors @ parts))


def bands(padded: int) -> NDArray[np.float64]:
    """Ram-Lak's response cut into overlapping bands, whose sum it is: narrow at low frequencies, then equally wide."""
    highest = padded / 2
    even = highest * np.arange(1, _EVEN_BANDS + 1) / _EVEN_BANDS
    low = even[0] / 2.0 ** np.arange(1, max(int(np.log2(even[0])), 0) + 1)
    knots = np.concatenate([[0.0], low[::-1], even])
    at = np.arange(padded // 2 + 1)
    return np.stack([ramp(padded) * np.interp(at, knots, one) for one in np.eye(len(knots))])


def sirt_response(theta: NDArray[np.float64], columns: int, iterations: int, threads: int) -> NDArray[np.float64]:
    """The response for each angle that does what so many iterations of SIRT do, shape (angles, frequencies).

    Pelt & Batenburg, Proc. Fully3D (2015), 158: the projections of what the iterations make of a single pixel in the
    middle of a slice. Follows from angles and width alone, takes a little longer than a row by SIRT, and is kept.
    """
    return _sirt_filters.find(theta, columns, iterations, threads)


def _computed(theta: NDArray[np.float64], columns: int, iterations: int, threads: int) -> NDArray[np.float64]:
    side = int(_ROOM * columns) | 1  # odd, so that there is a pixel in the middle
    projector = Projector(theta, side, (side - 1) / 2, threads)
    step = np.float32(1 / (len(theta) * columns))
    change = np.zeros((1, side, side), np.float32)
    change[0, side // 2, side // 2] = step
    total = change.copy()
    for _ in range(iterations - 1):
        change -= step * projector.adjoint(projector.forward(change))
        total += change
    taps = projector.forward(total)[0]
    around = np.zeros((len(theta), Sizes(len(theta), columns).padded))
    around[:, : side // 2 + 1] = taps[:, side // 2 :]
    around[:, around.shape[1] - side // 2 :] = taps[:, : side // 2]
    return np.asarray(np.fft.rfft(around, axis=1).real)


def working_bytes(angles: int, columns: int) -> int:
    """Peak memory of a fit by least residual, beside the slab."""
    return projector_bytes(angles, columns, 1) + 4 * (len(bands(Sizes(angles, columns).padded)) + 12) * angles * columns


def sirt_working_bytes(angles: int, columns: int) -> int:
    """Peak memory of the computation of SIRT's filter."""
    return projector_bytes(angles, int(_ROOM * columns) | 1, 1) + 100 * angles * columns + 50 * columns**2


class _SirtFilters:
    """The filters used last; safe to use from several threads."""

    def __init__(self, compute: Callable[..., NDArray[np.float64]]) -> None:
        self._compute = compute
        self._filters: OrderedDict[str, NDArray[np.float64]] = OrderedDict()
        self._lock = Lock()

    def find(self, theta: NDArray[np.float64], columns: int, iterations: int, threads: int) -> NDArray[np.float64]:
        key = f"{columns}:{iterations}:{hashlib.sha256(np.ascontiguousarray(theta).tobytes()).hexdigest()}"
        with self._lock:
            if key not in self._filters:
                self._filters[key] = self._compute(theta, columns, iterations, threads)
            self._filters.move_to_end(key)
            while len(self._filters) > _KEPT:
                self._filters.popitem(last=False)
            return self._filters[key]


_sirt_filters = _SirtFilters(_computed)
