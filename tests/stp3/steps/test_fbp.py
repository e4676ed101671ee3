"""Filtered back-projection as a step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from stp3.errors import UsageFault
from stp3.steps.base import Slab
from stp3.steps.circle_mask import CircleMask
from stp3.steps.fbp import FilteredBackProjection
from stp3.testing.step_contract import StepContract

COLUMNS, PIXEL_UM = 90, 5.0


def disk_slab(x: float, y: float, radius: float, rows: int = 3, slope: float = 0.0) -> Slab:
    """A disk of 2 / cm at (x, y) from the rotation axis, in every row; the axis moves `slope` columns a row."""
    theta = np.pi * np.arange(140) / 140
    slab = Slab(np.empty(0, np.float32), range(20, 20 + rows), theta, 44.0, PIXEL_UM, axis_row=20.0, axis_slope=slope)
    fine = (np.arange(8 * COLUMNS) + 0.5) / 8 - 0.5
    distance = fine - slab.axes[:, None] - (x * np.cos(theta) + y * np.sin(theta))[:, None, None]
    chord = 2 * 2.0 * PIXEL_UM * 1e-4 * np.sqrt(np.maximum(radius**2 - distance**2, 0))
    data = chord.reshape(len(theta), rows, COLUMNS, 8).mean(axis=3)
    return replace(slab, data=data.astype(np.float32))


def centre_of_mass(slice_: np.ndarray) -> tuple[float, float]:
    place = np.arange(len(slice_)) - (len(slice_) - 1) / 2
    bright = np.where(slice_ > 1.0, slice_, 0)
    return float((bright.sum(axis=0) @ place) / bright.sum()), float(-(bright.sum(axis=1) @ place) / bright.sum())


class TestFbp(StepContract):
    step = FilteredBackProjection


class TestPartOfATurnedSlice(StepContract):
    step = FilteredBackProjection
    parameters = FilteredBackProjection.Parameters(window=(5, 40, 20, 21), rotate=30.0, filter="hann")


class TestTiltedAxis(StepContract):
    step = FilteredBackProjection

    def slab(self) -> Slab:
        return replace(super().slab(), axis_row=11.0, axis_slope=0.3)


def fbp(slab: Slab, **parameters: object) -> np.ndarray:
    return FilteredBackProjection.apply(slab, FilteredBackProjection.Parameters(**parameters)).data


def test_an_axis_that_moves_with_the_row_leaves_the_slices_where_they_are() -> None:
    slices = fbp(disk_slab(12.0, -7.0, 15.0, slope=0.8))
    for slice_ in slices:
        assert centre_of_mass(slice_) == pytest.approx((12.0, -7.0), abs=0.02)
        assert slice_[50:54, 54:58].mean() == pytest.approx(2.0, rel=0.005)


@pytest.mark.parametrize("degrees", [90.0, -33.0, 200.5])
def test_turning_moves_a_disk_anticlockwise_about_the_axis(degrees: float) -> None:
    turn = np.exp(1j * np.deg2rad(degrees)) * (14 + 9j)
    slice_ = fbp(disk_slab(14.0, 9.0, 12.0, rows=1), rotate=degrees)[0]
    assert centre_of_mass(slice_) == pytest.approx((turn.real, turn.imag), abs=0.05)


def test_a_quarter_turn_is_exact() -> None:
    slab = disk_slab(14.0, 9.0, 12.0, rows=1)
    plain, turned = fbp(slab)[0], fbp(slab, rotate=90.0)[0]
    inside = np.hypot(*np.meshgrid(np.arange(COLUMNS) - 44.5, np.arange(COLUMNS) - 44.5)) < 42
    assert np.abs(turned - np.rot90(plain))[inside].max() < 5e-4 * np.ptp(plain)


def test_the_window_is_cut_from_the_whole_slice_and_the_circle_knows_it() -> None:
    slab = disk_slab(5.0, 5.0, 20.0)
    step = FilteredBackProjection
    whole = CircleMask.apply(step.apply(slab, step.Parameters()), CircleMask.Parameters(ratio=0.7))
    part = step.apply(slab, step.Parameters(window=(2, 60, 30, 88)))
    masked = CircleMask.apply(part, CircleMask.Parameters(ratio=0.7)).data
    assert np.abs(masked - whole.data[:, 30:88, 2:60]).max() < 5e-4 * np.ptp(whole.data)
    assert_array_equal(masked == 0, whole.data[:, 30:88, 2:60] == 0)


def test_a_window_that_does_not_fit_is_refused_before_any_work() -> None:
    parameters = FilteredBackProjection.Parameters(window=(0, 91, 0, 20))
    with pytest.raises(UsageFault, match="left, right = 0, 91"):
        FilteredBackProjection.slice_shape(parameters, (90, 90))
    assert FilteredBackProjection.slice_shape(parameters, (95, 95)) == (20, 91)


@pytest.mark.parametrize(("said", "asked", "settled"), [
    (None, "auto", "cpu"), ("gpu", "auto", "gpu"), ("gpu", "cpu", "cpu"), ("cpu", "gpu", "gpu"),
])  # fmt: skip
def test_a_settled_recipe_names_what_computes(
    said: str | None, asked: str, settled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if said is not None:
        monkeypatch.setenv("STP3_ENGINE", said)
    parameters = FilteredBackProjection.Parameters(engine=asked)
    assert FilteredBackProjection.settle(parameters, COLUMNS).engine == settled


def test_an_engine_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STP3_ENGINE", "abacus")
    with pytest.raises(UsageFault, match='must be one of cpu, gpu, astra, tomopy, got "abacus"'):
        FilteredBackProjection.settle(FilteredBackProjection.Parameters(), COLUMNS)
