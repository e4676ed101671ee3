"""Attenuation in absolute numbers: every filter, half and whole turns, uneven angles, by every means."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from stp3.kernels.filters import FILTERS, Pad
from tests.stp3.kernels.test_window import MEANS

COLUMNS, AXIS, PIXEL_CM, PER_CM, RADIUS = 200, 98.7, 6.5e-4, 3.0, 62.0
X, Y = 6.0, -9.0
_uneven = np.random.default_rng(5)
ANGLES = {
    "half turn": np.pi * np.arange(300) / 300,
    "whole turn": 2 * np.pi * np.arange(601) / 601,
    "backwards from anywhere": 7.7 - np.pi * np.arange(300) / 300,
    "whole turn, backwards, ends included": -2 - 2 * np.pi * np.arange(601) / 600,
    "uneven": np.cumsum(_uneven.uniform(0.4, 1.6, 400)) * np.pi / 400,
    "uneven, shuffled, whole turn": _uneven.permutation(np.cumsum(_uneven.uniform(0.4, 1.6, 700)) * 2 * np.pi / 700),
}


def disk(theta: NDArray[np.float64]) -> NDArray[np.float32]:
    """Line integrals of a uniform disk, averaged over each pixel."""
    fine = 8
    at = (np.arange(COLUMNS * fine) + 0.5) / fine - 0.5 - AXIS
    distance = at - (X * np.cos(theta) + Y * np.sin(theta))[:, None]
    chord = 2 * PER_CM * PIXEL_CM * np.sqrt(np.maximum(RADIUS**2 - distance**2, 0))
    return chord.reshape(len(theta), COLUMNS, fine).mean(axis=2).astype(np.float32)[:, None]


@pytest.mark.parametrize("means", [name for name in MEANS if name != "avx2"])
@pytest.mark.parametrize("angles", ANGLES)
def test_a_disk_has_its_attenuation_whatever_the_filter_and_the_angles(angles: str, means: str) -> None:
    theta = ANGLES[angles]
    sinogram = disk(theta)
    place = np.arange(COLUMNS) - (COLUMNS - 1) / 2
    distance = np.hypot(place - X, place[:, None] + Y)
    for name in FILTERS:
        if name == "none":
            continue
        pad: Pad = "zero" if len(name) % 2 else "edge"
        slice_ = MEANS[means](sinogram, theta, AXIS, filter=name, pad=pad, pixel_size=PIXEL_CM)[0]
        assert slice_[distance < 0.8 * RADIUS].mean() == pytest.approx(PER_CM, rel=0.005), name
        beside = (distance > 1.2 * RADIUS) & (np.hypot(place, place[:, None]) < 0.48 * COLUMNS)
        assert abs(slice_[beside].mean()) < 0.005 * PER_CM, name


def test_plain_back_projection_is_what_it_says() -> None:
    theta = ANGLES["half turn"]
    sinogram = disk(theta)
    middle = slice(COLUMNS // 2 - 3, COLUMNS // 2 + 3)
    place = (np.arange(COLUMNS) - (COLUMNS - 1) / 2)[middle]
    x, y = np.meshgrid(place, -place)
    at = AXIS + x[..., None] * np.cos(theta) + y[..., None] * np.sin(theta)
    first = np.floor(at).astype(int)
    lines = sinogram[np.arange(len(theta)), 0]
    rows = np.arange(len(theta))
    wanted = (lines[rows, first] * (first + 1 - at) + lines[rows, first + 1] * (at - first)).sum(axis=-1)
    for reconstruct in MEANS.values():
        found = reconstruct(sinogram, theta, AXIS, filter="none")[0, middle, middle]
        np.testing.assert_allclose(found, wanted * np.pi / len(theta), rtol=3e-3)
