"""Number formats."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from stp3.errors import UsageFault
from stp3.steps.base import Slab
from stp3.steps.output import Output
from stp3.testing.step_contract import StepContract, example_slab


def slices() -> Slab:
    return example_slab(rows=4).with_data(np.random.default_rng(3).normal(0, 2, (4, 30, 30)).astype(np.float32))


class TestFloatsKeepTheContract(StepContract):
    step = Output

    def slab(self) -> Slab:
        return slices()


class TestIntegersKeepTheContract(TestFloatsKeepTheContract):
    parameters = Output.Parameters(dtype="uint16", low=-1.5, high=2.5)

    def dtype(self) -> type:
        return np.uint16


@pytest.mark.parametrize(("dtype", "top"), [("uint8", 255), ("uint16", 65535)])
def test_values_are_scaled_rounded_and_clipped(dtype: str, top: int) -> None:
    values = np.array([[[-9, -1, 0.25, 1.5, 4, np.nan]]], np.float32)
    slab = example_slab(rows=1).with_data(values)
    found = Output.apply(slab, Output.Parameters(dtype=dtype, low=-1, high=1.5)).data
    assert_array_equal(found[0, 0], [0, 0, top // 2 + 1, top, top, 0])


@pytest.mark.parametrize("values", [{"low": 0.0}, {"high": 0.0}, {"low": 2.0, "high": 1.0}, {"low": 1.0, "high": 1.0}])
def test_a_range_that_is_none_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(UsageFault, match=r"output\.low"):
        Output.apply(slices(), Output.Parameters(dtype="uint8", **values))
