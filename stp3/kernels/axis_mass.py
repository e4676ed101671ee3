"""The rotation axis from the centre of mass, which a sample that is wholly in view carries along a sine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stp3.kernels.axis_pairs import Estimate

_RIM = 1 / 50  # share of the columns at each side that must be empty
_EMPTY = 0.01  # of the mean profile's maximum
_STEADY = 0.03  # relative change of the mass with the angle


def axis_by_mass(sinogram: NDArray[np.float32], theta: NDArray[np.float64]) -> Estimate | None:
    """The axis of one sinogram (angles, columns) of line integrals; None when the sample is not wholly in view."""
    rim = max(3, int(sinogram.shape[1] * _RIM))
    profile = sinogram.mean(axis=0, dtype=np.float64)
    highest = float(profile.max())
    mass = sinogram.sum(axis=1, dtype=np.float64)
    if highest <= 0 or mass.min() <= 0 or len(theta) < 6 or np.ptp(theta) < 0.9 * np.pi:
        return None
    empty = max(abs(profile[:rim].mean()), abs(profile[-rim:].mean())) / highest
    steady = float(mass.std() / mass.mean())
    if empty > _EMPTY or steady > _STEADY:
        return None
    centre = sinogram @ np.arange(sinogram.shape[1], dtype=np.float32) / mass
    waves = np.stack([np.ones_like(theta), np.cos(theta), np.sin(theta)], axis=1)
    (column, *_), *_ = np.linalg.lstsq(waves, centre, rcond=None)
    return Estimate(float(column), min(_EMPTY / max(empty, 1e-9), _STEADY / max(steady, 1e-9), 10.0))
