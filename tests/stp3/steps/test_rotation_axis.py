"""The recipe's word on the axis reaches the reconstruction, row by row."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from stp3.engine import load_slab, run_slab
from stp3.errors import UsageFault
from stp3.plan import resolve
from stp3.recipe import Recipe
from stp3.scan import open_scan
from stp3.steps.rotation_axis import RotationAxis
from stp3.testing import write_practice_scan
from stp3.testing.step_contract import StepContract, example_slab


class TestRotationAxisKeepsTheContract(StepContract):
    step = RotationAxis
    parameters = RotationAxis.Parameters(column=20.25)


class TestATiltedRotationAxisKeepsTheContract(StepContract):
    step = RotationAxis
    parameters = RotationAxis.Parameters(column=20.25, tilt=0.4, row=3.5)


def test_the_axis_is_set() -> None:
    slab = RotationAxis.apply(example_slab(), RotationAxis.Parameters(column=12.5))
    assert_allclose(slab.axes, 12.5)


def test_the_axis_moves_with_the_row_of_the_detector() -> None:
    slab = replace(example_slab(), row_start=40, column_start=8, binning=2)
    tilted = RotationAxis.apply(slab, RotationAxis.Parameters(column=30.0, tilt=2.0, row=60.0))
    on_detector = 40 + (np.asarray(slab.rows) + 0.5) * 2 - 0.5
    expected = 30.0 + np.tan(np.deg2rad(2.0)) * (on_detector - 60.0)
    assert_allclose(tilted.axes, (expected - 8 + 0.5) / 2 - 0.5)


def test_an_axis_still_to_be_found_is_refused() -> None:
    with pytest.raises(UsageFault, match="column is still"):
        RotationAxis.apply(example_slab(), RotationAxis.Parameters())
    with pytest.raises(UsageFault, match="row is still"):
        RotationAxis.apply(example_slab(), RotationAxis.Parameters(column=12.5, tilt=1.0))


def test_a_tilted_axis_is_found_and_every_row_comes_out_sharp(tmp_path: Path) -> None:
    settings = {"columns": 160, "rows": 128, "angles": 180, "faults": {"tilt"}, "seed": 9}
    truth = write_practice_scan(tmp_path / "scan.h5", threads=2, **settings)
    scan = open_scan(tmp_path / "scan.h5")
    plan = resolve(Recipe.default().without("stripes_all", "zingers"), scan, threads=2)
    found = RotationAxis.apply(load_slab(plan, range(128)), plan.recipe.use("rotation_axis").parameters).axes
    true = np.array([truth.axis_at(row) for row in range(128)])
    assert np.ptp(true) > 1.2
    assert np.abs(found - true).max() < 0.25
    straight = replace(plan, recipe=plan.recipe.with_values({"rotation_axis.tilt": 0.0}))
    for row in (4, 64, 123):
        rows, expected = range(row, row + 1), truth.slice(row)
        error, without = (np.std(run_slab(one, rows)[0] - expected) for one in (plan, straight))
        assert error < (0.8 * without if row != 64 else 1.1 * without)
