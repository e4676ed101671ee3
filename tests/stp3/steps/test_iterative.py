"""The iterative steps keep the contract and its units."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from stp3.errors import UsageFault
from stp3.steps.base import Slab
from stp3.steps.fbp import FilteredBackProjection
from stp3.steps.iterative import Cgls, Em, FistaTv, Sart, Sirt
from stp3.testing.step_contract import StepContract, example_slab


class _Contract(StepContract):
    def slab(self) -> Slab:
        slab = example_slab(rows=6, angles=30, columns=40)
        return slab.with_data(-np.log(np.maximum(slab.data, 1) / 20_000), axis_slope=0.2, axis_row=12.0)


class TestSirtKeepsTheContract(_Contract):
    step = Sirt
    parameters = Sirt.Parameters(iterations=5, stop=0.2, minimum=0)


class TestSartKeepsTheContract(_Contract):
    step = Sart
    parameters = Sart.Parameters(iterations=3, subsets=4, start="fbp")


class TestCglsKeepsTheContract(_Contract):
    step = Cgls
    parameters = Cgls.Parameters(iterations=5, stop=0.2, start="fbp")


class TestEmKeepsTheContract(_Contract):
    step = Em
    parameters = Em.Parameters(iterations=5)


class TestFistaTvKeepsTheContract(_Contract):
    step = FistaTv
    parameters = FistaTv.Parameters(iterations=5, inner=4, minimum=0, maximum=50.0)


def disk(columns: int = 64, angles: int = 100) -> Slab:
    """A disk of 2 / cm, radius 20 columns of 10 micrometres."""
    theta = np.pi * np.arange(angles) / angles
    axis = (columns - 1) / 2 + 1.2
    away = np.arange(columns) - axis
    line = 2 * 2.0 * np.sqrt(np.maximum(20.0**2 - away**2, 0)) * 10e-4
    data = np.repeat(line[None, None], angles, axis=0).astype(np.float32)
    return Slab(data, range(1), theta, axis, pixel_size_um=10.0)


@pytest.mark.parametrize("step", [Sirt, Sart, Cgls, Em, FistaTv])
def test_values_are_per_centimetre_and_in_their_place(step: type) -> None:
    found = step.apply(disk(), step.Parameters()).data[0]
    direct = FilteredBackProjection.apply(disk(), FilteredBackProjection.Parameters(pad="zero")).data[0]
    place = np.arange(64) - 31.5
    core = np.hypot(place[:, None], place) < 15
    assert found[core].mean() == pytest.approx(2.0, rel=0.01)
    assert_allclose(found[core], direct[core], atol=0.15)


def test_limits_are_per_centimetre() -> None:
    found = Sirt.apply(disk(), Sirt.Parameters(iterations=20, minimum=0.5, maximum=1.5)).data
    assert found.min() == pytest.approx(0.5)
    assert found.max() == pytest.approx(1.5)
    with pytest.raises(UsageFault, match=r"lowest value must be below the highest value, got 2\.0 and 1\.0"):
        Sirt.apply(disk(), Sirt.Parameters(minimum=2.0, maximum=1.0))


def test_the_slab_carries_who_hears_of_each_iteration() -> None:
    heard: list[tuple[int, float]] = []
    Sirt.apply(replace(disk(), on_iteration=lambda *news: heard.append(news)), Sirt.Parameters(iterations=4))
    assert [iteration for iteration, _ in heard] == [0, 1, 2, 3]
    assert heard[0][1] == 1.0
    assert heard[-1][1] < heard[0][1]
