"""Pixels struck by stray X-rays."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.ndimage import median_filter

from stp3.steps.base import Slab
from stp3.steps.zingers import Zingers
from stp3.testing.step_contract import StepContract, example_slab


class TestZingersKeepTheContract(StepContract):
    step = Zingers

    def slab(self) -> Slab:
        slab = example_slab()
        return slab.with_data(slab.data / np.float32(20_000))


class TestLargeZingersKeepTheContract(TestZingersKeepTheContract):
    parameters = Zingers.Parameters(size=5)


@pytest.mark.parametrize("size", [3, 5, 7])
@pytest.mark.parametrize("rows", [1, 2, 9])
def test_outliers_become_the_median_of_their_neighbours(size: int, rows: int) -> None:
    slab = replace(TestZingersKeepTheContract().slab(), rows=range(rows))
    slab = slab.with_data(np.random.default_rng(1).normal(1, 0.3, (20, rows, 31)).astype(np.float32))
    medians = median_filter(slab.data, (1, size, size), mode="nearest")
    expected = np.where(np.abs(slab.data - medians) > 0.25, medians, slab.data)
    found = Zingers.apply(slab, Zingers.Parameters(size=size, threshold=0.25)).data
    assert_array_equal(found, expected)


def test_the_halo_is_half_the_neighbourhood() -> None:
    assert [Zingers.halo(Zingers.Parameters(size=size)) for size in (3, 5, 7)] == [1, 2, 3]
