"""The meter of rings: right where the rings are known, blind to what is none."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from stp3.errors import UsageFault
from stp3.kernels.polar import from_polar, slow_along_turn, to_polar
from stp3.kernels.reconstruction import reconstruct
from stp3.rings import Loss, StripeScore, disturbance, lost_detail, stripe_score
from stp3.testing.practice import practice_scan

Array = NDArray[np.float32]
COLUMNS, ANGLES = 256, 360


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> tuple[Array, float]:
    """The clean sinogram of a practice scan without its tube, with a little noise, and its rotation axis."""
    scan = practice_scan(columns=COLUMNS, rows=3, angles=ANGLES).truth(tmp_path_factory.mktemp("rings") / "scan.h5")
    scan = scan.model_copy(update={"phantom": scan.phantom[2:]})
    noise = np.random.default_rng(1).normal(0, 0.01, (ANGLES, COLUMNS))
    return (scan.sinogram(1) + noise).astype(np.float32), scan.rotation_axis


def slice_of(sinogram: Array, axis: float) -> Array:
    theta = np.pi * np.arange(len(sinogram)) / len(sinogram)
    return reconstruct(np.ascontiguousarray(sinogram[:, None]), theta, axis, filter="shepp-logan")[0]


def stripes() -> Array:
    rng = np.random.default_rng(2)
    wrong = np.zeros(COLUMNS, np.float32)
    wrong[rng.choice(np.arange(30, COLUMNS - 30), 15, replace=False)] = rng.normal(0, 0.05, 15)
    return wrong


def test_the_score_grows_with_the_rings(truth: tuple[Array, float]) -> None:
    sinogram, axis = truth
    strengths = np.array([0, 0.25, 0.5, 1, 2, 4])
    found = [stripe_score(slice_of(sinogram + strength * stripes(), axis)).rings for strength in strengths]
    assert (np.diff(found) > 0).all()
    alone = stripe_score(slice_of(np.broadcast_to(stripes(), sinogram.shape).copy(), axis)).rings
    np.testing.assert_allclose(found[2:], strengths[2:] * alone, rtol=0.15)
    assert found[0] < 0.15 * found[3]


def test_rings_are_no_detail(truth: tuple[Array, float]) -> None:
    sinogram, axis = truth
    details = [stripe_score(slice_of(sinogram + strength * stripes(), axis)).detail for strength in (0, 1)]
    assert details[1] == pytest.approx(details[0], rel=0.1)


def test_the_edge_of_a_tube_around_the_axis_is_hardly_a_ring() -> None:
    column = np.arange(COLUMNS) - 127.5
    wall = [2 * np.sqrt(np.maximum(radius**2 - column**2, 0)) for radius in (110, 90)]
    tube = np.broadcast_to((wall[0] - wall[1]).astype(np.float32), (ANGLES, COLUMNS))
    image = slice_of(tube, 127.5)
    assert image[127, 27] == pytest.approx(1, abs=0.1)  # inside the wall
    assert stripe_score(image).rings < 0.03


def test_noise_has_no_rings() -> None:
    noise = np.random.default_rng(3).normal(5, 1, (300, 300)).astype(np.float32)
    score = stripe_score(noise)
    assert score.share < 0.1
    assert stripe_score(noise, threads=3) == score


def test_taking_rings_away_loses_nothing_and_smoothing_does(truth: tuple[Array, float]) -> None:
    sinogram, axis = truth
    faulty = slice_of(sinogram + stripes(), axis)
    clean = slice_of(sinogram, axis)
    assert lost_detail(faulty, faulty) == Loss(0.0, 0.0, 0.0)
    freed = lost_detail(faulty, clean)
    assert freed.detail < 0.02
    assert freed.shades < 0.002
    smoothed = lost_detail(clean, (clean + np.roll(clean, 1, 0) + np.roll(clean, 1, 1)) / 3)
    assert smoothed.detail > 5 * freed.detail
    y, x = np.mgrid[-1 : 1 : COLUMNS * 1j, -1 : 1 : COLUMNS * 1j]
    shaded = clean + (0.4 * clean.std() * (x**2 + y**2)).astype(np.float32)
    assert lost_detail(clean, shaded).shades > 0.01


def test_in_a_slice_of_half_a_turn_a_round_wall_is_no_ring(truth: tuple[Array, float]) -> None:
    sinogram, axis = truth
    clean, faulty = slice_of(sinogram, axis), slice_of(sinogram + stripes(), axis)
    rings = stripe_score(faulty, half_turn=True).rings
    assert rings == pytest.approx(stripe_score(faulty).rings, rel=0.1)
    assert stripe_score(faulty + wall_of(clean, moved=0), half_turn=True).rings == pytest.approx(rings, rel=0.15)
    for moved in (0, 4):
        walled = clean + wall_of(clean, moved)
        assert stripe_score(walled, half_turn=True).rings < 0.3 * stripe_score(walled).rings


def wall_of(image: Array, moved: float) -> Array:
    """A thin round wall, so many pixels off the rotation axis, half as bright as all that is in the slice."""
    y, x = np.mgrid[:COLUMNS, :COLUMNS] - (COLUMNS - 1) / 2
    away = np.hypot(x - moved, y + moved / 2) - 0.4 * COLUMNS
    return (0.5 * np.ptp(image) * np.exp(-((away / 1.5) ** 2))).astype(np.float32)


def test_fewer_rings_disturb_less(truth: tuple[Array, float]) -> None:
    sinogram, axis = truth
    before = stripe_score(slice_of(sinogram + stripes(), axis))
    ranks = [
        disturbance(stripe_score(slice_of(sinogram + left * stripes(), axis)), before, Loss(0.0, 0.0, 0.0))
        for left in (1.0, 0.3, 0.0)
    ]
    assert ranks[0] > ranks[1] > ranks[2]
    assert disturbance(before, before, Loss(0.1, 0.2, 0.3)) == pytest.approx(ranks[0] + 0.1 + 0.25 * 0.2 + 16 * 0.3)
    gone = (before.rings / before.detail) ** 2
    assert disturbance(StripeScore(0.0, before.detail), before, Loss(0.0, 0.0, gone)) == pytest.approx(0)


def test_taking_more_than_the_rings_is_told(truth: tuple[Array, float]) -> None:
    """What runs around the axis goes with every ring, or the ring alone."""
    sinogram, axis = truth
    faulty, clean = slice_of(sinogram + stripes(), axis), slice_of(sinogram, axis)
    before = stripe_score(faulty)
    flattened = faulty - from_polar(slow_along_turn(to_polar(faulty)), faulty.shape)
    ranks = [disturbance(stripe_score(image), before, lost_detail(faulty, image)) for image in (clean, flattened)]
    assert ranks[0] < 0.3 * ranks[1]


@pytest.mark.parametrize("shape", [(64, 64), (65, 65)])
def test_polar_and_back(shape: tuple[int, int]) -> None:
    y, x = np.mgrid[: shape[0], : shape[1]] - (np.array(shape)[:, None, None] - 1) / 2
    smooth = (np.cos(x / 9) + np.sin(y / 7)).astype(np.float32)
    around = to_polar(smooth, 2)
    radius, turn = np.arange(len(around))[:, None] / 2, 2 * np.pi * np.arange(1024) / 1024
    exact = np.cos(radius * np.cos(turn) / 9) + np.sin(-radius * np.sin(turn) / 7)
    np.testing.assert_allclose(around, exact, atol=6e-3)
    inside = np.hypot(x, y) < 30
    np.testing.assert_allclose(from_polar(around, shape, 2)[inside], smooth[inside], atol=1e-2)


def test_what_is_no_slice_is_refused() -> None:
    with pytest.raises(UsageFault, match=r"at least 32 pixels, got shape \(31, 40\)"):
        stripe_score(np.zeros((31, 40), np.float32))
    with pytest.raises(UsageFault, match="one shape"):
        lost_detail(np.zeros((40, 40)), np.zeros((41, 41)))
