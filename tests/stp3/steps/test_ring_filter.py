"""Rings in slices are damped; the rest stays."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from stp3.rings import lost_detail, stripe_score
from stp3.steps.base import Slab
from stp3.steps.ring_filter import RingFilter
from stp3.testing.step_contract import StepContract, example_slab


def slices(side: int = 120, ring: float = 0.3) -> NDArray[np.float32]:
    """Two slices with grains off the axis, noise, and rings a pixel or two wide."""
    rng = np.random.default_rng(4)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    radius = np.hypot(x, y)
    rings = sum(sign * np.exp(-((radius - at) ** 2) / 0.8) for at, sign in ((20, 1), (31, -1), (44, 1)))
    grains = sum(1.0 * (np.hypot(x - 25 * i, y - 22 * j) < 9) for i in (-1, 1) for j in (-1, 0.5, 1.5))
    return np.stack([1 + grains + ring * rings + rng.normal(0, 0.05, (side, side)) for _ in range(2)]).astype("f4")


class TestRingFilterKeepsTheContract(StepContract):
    step = RingFilter

    def slab(self) -> Slab:
        return example_slab(rows=2).with_data(slices(60))


@pytest.mark.parametrize(("alpha", "left"), [(0.2, 0.5), (0.0, 0.4)])
def test_rings_are_damped_and_grains_stay(alpha: float, left: float) -> None:
    data = slices()
    found = RingFilter.apply(example_slab(rows=2).with_data(data), RingFilter.Parameters(alpha=alpha)).data
    assert stripe_score(found[0]).rings < left * stripe_score(data[0]).rings
    assert lost_detail(data[0], found[0]).detail < 0.01


def test_what_has_no_rings_hardly_changes() -> None:
    data = slices(ring=0.0)
    found = RingFilter.apply(example_slab(rows=2).with_data(data), RingFilter.Parameters()).data
    assert np.sqrt(np.mean((found - data) ** 2)) < 0.02


def test_alpha_one_changes_nothing_but_the_last_digits() -> None:
    data = slices()
    found = RingFilter.apply(example_slab(rows=2).with_data(data), RingFilter.Parameters(alpha=1.0)).data
    np.testing.assert_allclose(found, data, atol=3e-6)


def test_an_empty_slice_passes() -> None:
    data = np.full((1, 50, 50), 2, np.float32)
    found = RingFilter.apply(example_slab(rows=1).with_data(data), RingFilter.Parameters()).data
    np.testing.assert_array_equal(found, data)
