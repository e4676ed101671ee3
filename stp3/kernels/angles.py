"""How much of the half turn each projection stands for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SAME = 0.01  # angles closer than this share of the mean step count as measured twice
_WEDGE_STEPS, _WEDGE_RAD = 5.0, np.deg2rad(5.0)  # a wider gap is a missing wedge: nobody stands for it


def density_weights(theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights in radians, one a projection, that sum to pi when the angles cover a half turn (or a whole one).

    A projection stands for half the gap to its neighbours modulo pi; angles measured twice share their weight.
    A missing wedge (a gap over 5 steps and over 5 degrees) adds only an ordinary step.
    """
    folded = np.mod(theta, np.pi)
    order = np.argsort(folded, kind="stable")
    gaps = np.diff(folded[order], append=folded[order[0]] + np.pi)
    starts_group = np.roll(gaps, 1) > _SAME * np.pi / len(theta)
    if not starts_group.any():
        return np.full(len(theta), np.pi / len(theta))
    group = np.cumsum(starts_group) - 1
    group[group < 0] = group[-1]
    sums = _gap_shares(np.append(np.diff(folded[order][starts_group]), 0), folded[order][starts_group])
    weights = np.empty(len(theta))
    weights[order] = (sums / np.bincount(group))[group]
    return weights


def _gap_shares(gaps: NDArray[np.float64], starts: NDArray[np.float64]) -> NDArray[np.float64]:
    gaps[-1] = starts[0] + np.pi - starts[-1]
    step = float(np.median(gaps))
    gaps = np.where(gaps > max(_WEDGE_STEPS * step, _WEDGE_RAD), step, gaps)
    return (gaps + np.roll(gaps, 1)) / 2


def exact_degrees(theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """The angles in degrees, the roundest that `np.deg2rad` turns into the very same bits again.

    Those that were degrees once have such numbers. Of others, some do not: they come back a last bit off.
    """
    degrees = np.rad2deg(theta)
    near = [np.round(degrees, places) for places in (6, 9, 12)] + [degrees]
    for direction in (np.inf, -np.inf):
        beside = degrees
        for _ in range(3):
            beside = np.nextafter(beside, direction)
            near.append(beside)
    for candidate in reversed(near):
        degrees = np.where(np.deg2rad(candidate) == theta, candidate, degrees)
    return degrees
