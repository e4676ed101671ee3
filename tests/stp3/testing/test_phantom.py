"""Projections and slices of phantoms against numbers found in other ways."""

from __future__ import annotations

import numpy as np
import pytest

from stp3.testing.phantom import Ellipsoid, View, attenuation_slice, line_integrals, make_phantom

THETA = np.deg2rad([0.0, 17.0, 141.0, 260.0])
EGG = Ellipsoid(x=4.3, y=-7.1, z=1.5, a=13.0, b=6.0, c=9.0, turn_deg=35.0, attenuation=2.5)


def sampled_rays(ellipsoid: Ellipsoid, view: View, theta: float, height: float) -> np.ndarray:
    """Line integrals by walking along rays through the solid, 16 rays to a column."""
    tilt, turn = np.deg2rad(view.tilt_deg), np.deg2rad(ellipsoid.turn_deg)
    fine = (np.arange(view.columns * 16) + 0.5) / 16 - 0.5 - view.rotation_axis
    along = np.arange(-24, 24, 0.1)
    across = np.cos(tilt) * fine - np.sin(tilt) * height
    z = np.sin(tilt) * fine + np.cos(tilt) * height
    x = across[:, None] * np.cos(theta) - along * np.sin(theta) - ellipsoid.x
    y = across[:, None] * np.sin(theta) + along * np.cos(theta) - ellipsoid.y
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    flat = 0.0 if ellipsoid.c is None else (z[:, None] - ellipsoid.z) / ellipsoid.c
    inside = (u / ellipsoid.a) ** 2 + (v / ellipsoid.b) ** 2 + flat**2 <= 1
    return (inside.sum(axis=1) * 0.1 * ellipsoid.attenuation).reshape(view.columns, 16).mean(axis=1)


@pytest.mark.parametrize("tilt", [0.0, 1.5, -4.0])
@pytest.mark.parametrize("egg", [EGG, EGG.model_copy(update={"c": None})])
def test_line_integrals_agree_with_rays_walked_through_the_solid(egg: Ellipsoid, tilt: float) -> None:
    view = View(columns=64, rotation_axis=29.3, tilt_deg=tilt)
    heights = np.array([-3.0, 6.0])
    lines = line_integrals([egg], view, THETA, heights)
    for angle, theta in enumerate(THETA):
        for row, height in enumerate(heights):
            np.testing.assert_allclose(lines[angle, row], sampled_rays(egg, view, theta, height), atol=0.25)


def test_a_slice_agrees_with_counting_points() -> None:
    size, fine = 48, 40
    steps = (np.arange(size * fine) + 0.5) / fine - 0.5 - (size - 1) / 2
    x, y = np.meshgrid(steps - EGG.x, -steps - EGG.y)
    turn = np.deg2rad(EGG.turn_deg)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    inside = (u / EGG.a) ** 2 + (v / EGG.b) ** 2 + ((3.0 - EGG.z) / EGG.c) ** 2 <= 1
    counted = inside.reshape(size, fine, size, fine).mean(axis=(1, 3)) * EGG.attenuation
    np.testing.assert_allclose(attenuation_slice([EGG], 3.0, size), counted, atol=0.06)


def test_what_is_above_or_outside_leaves_no_trace() -> None:
    assert not attenuation_slice([EGG], EGG.z + EGG.c, 48).any()
    outside = EGG.model_copy(update={"x": 500.0})
    assert not attenuation_slice([outside], 0.0, 48).any()
    view = View(columns=64, rotation_axis=31.5)
    assert not line_integrals([outside], view, np.array([0.0]), np.array([0.0])).any()


def test_every_projection_and_the_slice_hold_the_same_mass() -> None:
    phantom = make_phantom(np.random.default_rng(5), 120, 10, 3.0)
    lines = line_integrals(phantom, View(columns=128, rotation_axis=64.2), THETA, np.array([2.0]))
    np.testing.assert_allclose(lines.sum(axis=(1, 2)), attenuation_slice(phantom, 2.0, 128).sum(), rtol=2e-4)


@pytest.mark.parametrize("size", [40, 64, 256, 1000])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_phantom_fits_and_attenuates_nowhere_less_than_nothing(size: int, seed: int) -> None:
    phantom = make_phantom(np.random.default_rng(seed), size, 20, 3.0)
    image = attenuation_slice(phantom, 0.0, size + 2)
    assert image.min() > -1e-4
    assert image.max() <= 2.2 * 3.0 + 1e-4
    assert image[0].max() == image[-1].max() == image[:, 0].max() == image[:, -1].max() == 0


def test_slices_differ_from_row_to_row() -> None:
    phantom = make_phantom(np.random.default_rng(1), 200, 64, 3.0)
    assert np.abs(attenuation_slice(phantom, -20, 200) - attenuation_slice(phantom, 20, 200)).max() > 2
