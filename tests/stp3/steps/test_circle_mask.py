"""The corners."""

import numpy as np
import pytest

from stp3.steps.base import Slab
from stp3.steps.circle_mask import CircleMask
from stp3.testing.step_contract import StepContract, example_slab


def slices(side: int = 41) -> Slab:
    values = np.random.default_rng(2).normal(3, 1, (4, side, side)).astype(np.float32)
    return example_slab(rows=4).with_data(values)


class TestCircleMaskKeepsTheContract(StepContract):
    step = CircleMask

    def slab(self) -> Slab:
        return slices()


@pytest.mark.parametrize("side", [40, 41])
@pytest.mark.parametrize("ratio", [0.5, 1.0])
def test_what_lies_outside_has_one_value(side: int, ratio: float) -> None:
    given = slices(side)
    data = CircleMask.apply(given, CircleMask.Parameters(ratio=ratio, value=-7)).data
    axis = np.arange(side) - (side - 1) / 2
    outside = np.hypot(axis[:, None], axis) > ratio * side / 2
    assert np.all(data[:, outside] == -7)
    assert np.array_equal(data[:, ~outside], given.data[:, ~outside])
    assert abs((~outside).mean() / (np.pi / 4 * ratio**2) - 1) < 0.03
