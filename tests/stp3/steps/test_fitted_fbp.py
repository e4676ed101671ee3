"""Back-projection with computed filters keeps the contract and its units."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from stp3.steps.base import Slab
from stp3.steps.fbp import FilteredBackProjection
from stp3.steps.fitted_fbp import LeastResidualFbp, SirtFbp
from stp3.testing.step_contract import StepContract, example_slab


class _Contract(StepContract):
    def slab(self) -> Slab:
        slab = example_slab(rows=6, angles=30, columns=40)
        return slab.with_data(-np.log(np.maximum(slab.data, 1) / 20_000), axis_slope=0.2, axis_row=12.0)


class TestLeastResidualFbpKeepsTheContract(_Contract):
    step = LeastResidualFbp


class TestSirtFbpKeepsTheContract(_Contract):
    step = SirtFbp
    parameters = SirtFbp.Parameters(iterations=20)


@pytest.mark.parametrize("step", [LeastResidualFbp, SirtFbp])
def test_values_are_per_centimetre_and_in_their_place(step: type) -> None:
    """A disk of 2 / cm, radius 20 columns of 10 micrometres, beside the middle."""
    theta = np.pi * np.arange(100) / 100
    away = np.arange(64) - 32.7 - 5 * np.cos(theta)[:, None] - 3 * np.sin(theta)[:, None]
    lines = 2 * 2.0 * np.sqrt(np.maximum(20.0**2 - away**2, 0)) * 10e-4
    slab = Slab(lines[:, None].astype(np.float32), range(1), theta, 32.7, pixel_size_um=10.0)
    found = step.apply(slab, step.Parameters()).data[0]
    direct = FilteredBackProjection.apply(slab, FilteredBackProjection.Parameters(pad="zero")).data[0]
    place = np.arange(64) - 31.5
    core = np.hypot(place - 5, place[:, None] + 3) < 15
    assert found[core].mean() == pytest.approx(2.0, rel=0.01)
    assert_allclose(found[core], direct[core], atol=0.1)
