"""Denoising against its own definition."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from stp3.kernels.total_variation import Denoiser, total_variation


def objective(picture: np.ndarray, noisy: np.ndarray, strength: float) -> float:
    return float(((picture - noisy).astype(float) ** 2).sum() / 2 + strength * total_variation(picture))


def test_a_step_loses_the_height_that_the_closed_form_says() -> None:
    """An edge between flat halves: each moves by strength / width towards the other (taut string)."""
    noisy = np.zeros((6, 40), np.float32)
    noisy[:, 20:] = 1
    found = Denoiser(noisy.shape, 0.5, 3000, None, None)(noisy)
    assert_allclose(found[:, :20], 0.5 / 20, atol=1e-3)
    assert_allclose(found[:, 20:], 1 - 0.5 / 20, atol=1e-3)


def test_nothing_nearby_is_better() -> None:
    rng = np.random.default_rng(2)
    noisy = rng.normal(size=(24, 31)).astype(np.float32)
    found = Denoiser(noisy.shape, 0.3, 2000, None, None)(noisy)
    least = objective(found, noisy, 0.3)
    assert least < objective(noisy, noisy, 0.3)
    for _ in range(50):
        other = found + rng.normal(0, 0.01, noisy.shape).astype(np.float32)
        assert objective(other, noisy, 0.3) > least


def test_limits_hold_and_no_strength_changes_nothing() -> None:
    noisy = np.random.default_rng(3).normal(size=(20, 20)).astype(np.float32)
    found = Denoiser(noisy.shape, 0.2, 20, -0.1, 0.4)(noisy)
    assert found.min() >= np.float32(-0.1)
    assert found.max() <= np.float32(0.4)
    assert_array_equal(Denoiser(noisy.shape, 0.0, 20, None, None)(noisy), noisy)


@pytest.mark.parametrize("calls", [6])
def test_calls_carry_on_where_the_last_one_ended(calls: int) -> None:
    noisy = np.random.default_rng(4).normal(size=(30, 30)).astype(np.float32)
    denoiser = Denoiser(noisy.shape, 0.4, 5, None, None)
    values = [objective(denoiser(noisy), noisy, 0.4) for _ in range(calls)]
    best = objective(Denoiser(noisy.shape, 0.4, 3000, None, None)(noisy), noisy, 0.4)
    assert values[-1] - best < 0.1 * (values[0] - best)
