"""The recipe's word on the axis reaches the reconstruction."""

import pytest

from stp3.errors import UsageFault
from stp3.steps.rotation_axis import RotationAxis
from stp3.testing.step_contract import StepContract, example_slab


class TestRotationAxisKeepsTheContract(StepContract):
    step = RotationAxis
    parameters = RotationAxis.Parameters(column=20.25)


def test_the_axis_is_set() -> None:
    assert RotationAxis.apply(example_slab(), RotationAxis.Parameters(column=12.5)).rotation_axis == 12.5


def test_an_axis_still_to_be_found_is_refused() -> None:
    with pytest.raises(UsageFault, match="still"):
        RotationAxis.apply(example_slab(), RotationAxis.Parameters())
