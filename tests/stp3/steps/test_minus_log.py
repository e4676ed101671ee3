"""Transmission becomes attenuation."""

import numpy as np
from numpy.testing import assert_allclose

from stp3.steps.base import Slab
from stp3.steps.minus_log import MinusLog
from stp3.testing.step_contract import StepContract, example_slab


class TestMinusLogKeepsTheContract(StepContract):
    step = MinusLog

    def slab(self) -> Slab:
        slab = example_slab()
        return slab.with_data(slab.data / np.float32(20_000) - np.float32(0.005))


def test_known_values_and_the_floor() -> None:
    slab = example_slab(rows=1, angles=1, columns=5)
    slab = slab.with_data(np.array([[[1.0, np.exp(-2), 0.0, -3.0, np.nan]]], np.float32))
    found = MinusLog.apply(slab, MinusLog.Parameters(floor=0.01)).data
    assert_allclose(found[0, 0], [0, 2, -np.log(0.01), -np.log(0.01), -np.log(0.01)], rtol=1e-6, atol=1e-7)
