"""Stripes found by sliding windows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import median_filter

from stp3.kernels.window_stripes import oimoen, sijbers_postnov
from stp3.steps.base import Slab
from stp3.steps.stripes_windows import StripesOimoen, StripesSijbersPostnov
from stp3.testing.step_contract import StepContract, example_slab


class WindowsContract(StepContract):
    def slab(self) -> Slab:
        slab = example_slab(rows=4, angles=60, columns=90)
        return slab.with_data(np.log(np.maximum(slab.data, 1)))


class TestOimoenKeepsTheContract(WindowsContract):
    step = StripesOimoen


class TestSijbersPostnovKeepsTheContract(WindowsContract):
    step = StripesSijbersPostnov


@pytest.mark.parametrize(("across", "along"), [(3, 5), (31, 31), (9, 45)])
def test_oimoen_is_two_medians(across: int, along: int) -> None:
    data = np.random.default_rng(1).random((60, 70), np.float32)
    excess = data - median_filter(data, (1, across), mode="reflect")
    np.testing.assert_array_equal(oimoen(data, across, along), median_filter(excess, (along, 1), mode="reflect"))


def test_sijbers_and_postnov_column_by_column() -> None:
    """The paper's loop: at each column and angle a window, its mean and its variance."""
    data = np.random.default_rng(2).normal(1, 0.1, (40, 30))
    data[:15, 10:20] += np.random.default_rng(3).normal(0, 1, (15, 10))
    wide = np.pad(data, ((0, 0), (3, 3)), mode="edge")
    excess = data - np.stack([wide[:, column : column + 7].mean(axis=1) for column in range(30)], axis=1)
    wide = np.pad(excess**2, ((0, 0), (3, 3)), mode="edge")
    template = np.empty(30)
    for column in range(30):
        variance = wide[:, column : column + 7].mean(axis=1)
        template[column] = np.median(excess[variance <= 1.3 * np.median(variance), column])
    template -= median_filter(template, 7, mode="nearest")
    np.testing.assert_allclose(sijbers_postnov(data.astype(np.float32), 7, 1.3), template, atol=1e-6)


def test_sijbers_and_postnov_learn_where_the_sample_is_not() -> None:
    """A stripe behind a sample that is rough at most angles is found where it is not."""
    data = np.zeros((200, 120), np.float32)
    data[:90] += np.random.default_rng(4).normal(0, 2, (90, 120)).astype(np.float32)
    data[:, 60] += 0.1
    found = sijbers_postnov(data, 21, 1.0)
    assert found[60] == pytest.approx(0.1, rel=0.1)
    assert np.abs(np.delete(found, 60)).max() < 0.01


def test_where_no_window_is_even_nothing_is_a_stripe() -> None:
    data = np.random.default_rng(5).normal(0, 1, (50, 60)).astype(np.float32)
    assert not sijbers_postnov(data, 11, 1e-6).any()
