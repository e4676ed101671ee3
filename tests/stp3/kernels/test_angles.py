"""How much each projection counts."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from stp3.kernels.angles import density_weights

STEP = np.pi / 60


@pytest.mark.parametrize("start", [0.0, -1.2, 290.0])
@pytest.mark.parametrize("sense", [1, -1])
@pytest.mark.parametrize("turns", [1, 2])
def test_even_angles_count_alike(start: float, sense: int, turns: int) -> None:
    theta = start + sense * STEP * np.arange(60 * turns)
    assert_allclose(density_weights(theta), np.pi / len(theta), rtol=1e-6)


def test_an_angle_measured_twice_shares_its_weight() -> None:
    weights = density_weights(np.append(STEP * np.arange(60), [np.pi, 5 * STEP, 5 * STEP + np.pi]))
    assert weights[[0, 60]] == pytest.approx(STEP / 2)
    assert weights[[5, 61, 62]] == pytest.approx(STEP / 3)
    assert weights.sum() == pytest.approx(np.pi)


def test_uneven_angles_stand_for_half_the_gaps_beside_them() -> None:
    theta = np.array([0.0, 0.03, 0.08, 0.1, 0.12])
    theta = np.concatenate([theta, np.arange(0.17, np.pi, 0.05)])
    weights = density_weights(theta)
    assert weights[1:4] == pytest.approx([0.04, 0.035, 0.02])
    assert weights.sum() == pytest.approx(np.pi)


def test_nobody_stands_for_a_missing_wedge() -> None:
    theta = np.deg2rad(np.arange(-60, 61, 1.0))
    assert_allclose(density_weights(theta), np.deg2rad(1.0), rtol=1e-6)


@pytest.mark.parametrize("theta", [[0.3], [0.3, 0.3], [0.1, 0.1 + np.pi]])
def test_one_direction_counts_for_all(theta: list[float]) -> None:
    assert density_weights(np.array(theta)).sum() == pytest.approx(np.pi)
