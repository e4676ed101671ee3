"""What all projections have in common is the detector's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from stp3.steps.base import Slab
from stp3.steps.double_flat import DoubleFlat
from stp3.testing.step_contract import StepContract, example_slab


class TestDoubleFlatKeepsTheContract(StepContract):
    step = DoubleFlat

    def slab(self) -> Slab:
        slab = example_slab()
        return slab.with_data(slab.data / np.float32(20_000))


def transmission(gain: np.ndarray) -> Slab:
    """A sample whose mean over the angles is smooth, seen with a gain a column."""
    theta = np.pi * np.arange(90) / 90
    column = np.arange(300)
    lines = np.exp(-(((column - 150 - 60 * np.cos(theta)[:, None]) / 50) ** 2))
    data = (np.exp(-lines) * gain)[:, None].astype(np.float32)
    return replace(example_slab(), data=data, rows=range(1), theta=theta, flats=None, darks=None)


def test_the_detector_s_own_pattern_goes_and_the_sample_stays() -> None:
    gain = 1 + 0.03 * np.random.default_rng(2).normal(size=300)
    clean, faulty = transmission(np.ones(300)).data, transmission(gain)
    found = DoubleFlat.apply(faulty, DoubleFlat.Parameters(sigma=8.0)).data
    before, after = (np.abs(data / clean - 1)[:, :, 30:-30].mean() for data in (faulty.data, found))
    assert before > 0.02
    assert after < 0.25 * before
    kept = DoubleFlat.apply(transmission(np.ones(300)), DoubleFlat.Parameters(sigma=8.0)).data
    assert_allclose(kept, clean, rtol=0.01)


def test_the_correction_is_one_factor_a_column() -> None:
    slab = transmission(1 + 0.05 * np.random.default_rng(3).normal(size=300))
    factor = DoubleFlat.apply(slab, DoubleFlat.Parameters()).data / slab.data
    assert_allclose(factor, np.broadcast_to(factor[:1], factor.shape), rtol=1e-6)


def test_columns_without_light_stay_as_they_are() -> None:
    slab = transmission(np.where(np.arange(300) == 40, 0.0, 1.0))
    found = DoubleFlat.apply(slab, DoubleFlat.Parameters()).data
    assert_array_equal(found[:, :, 40], 0)
    assert np.isfinite(found).all()
