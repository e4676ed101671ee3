"""Pixels that measure nothing."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from stp3.errors import RecipeFault
from stp3.recipe import Recipe
from stp3.steps.base import Slab
from stp3.steps.dead_pixels import DeadPixels
from stp3.steps.flat_field import FlatField
from stp3.testing.step_contract import StepContract, example_slab


class TestDeadPixelsKeepTheContract(StepContract):
    step = DeadPixels

    def slab(self) -> Slab:
        slab = example_slab()
        data = slab.data.copy()
        data[3, 2, 7], data[4, :, 9:12], data[5, 1, 11] = np.nan, 0, -3
        data[6, 4], data[:, 5, 20] = np.inf, np.nan
        data[7, 3, 20:40] = 0
        data[:, 1:4, 44:48] = 0
        return slab.with_data(data)


def planes(angles: int = 12, dtype: Any = np.float32) -> NDArray[Any]:
    """Frames that are planes with another slope each: the mean of neighbours on all sides is exact."""
    row, column = np.mgrid[:6, :16].astype(np.float64)
    slope = np.arange(angles)[:, None, None]
    return np.asarray(1000 + 2 * (slope + 1) * column + 4 * row + slope, dtype)


def slab_of(data: NDArray[Any]) -> Slab:
    return replace(example_slab(), data=data, rows=range(data.shape[1]), flats=None, darks=None, flat_times=None)


def mended(data: NDArray[Any], **values: Any) -> NDArray[Any]:
    return DeadPixels.apply(slab_of(data), DeadPixels.Parameters(**values)).data


@pytest.mark.parametrize(
    ("dtype", "bad"),
    [*((np.float32, bad) for bad in (0, -5, np.nan, np.inf, -np.inf)), (np.uint16, 0), (np.int16, -5), (np.int32, 0)],
)
def test_single_values_become_the_mean_of_their_neighbours(dtype: Any, bad: float) -> None:
    good = planes(dtype=dtype)
    data = good.copy()
    data[5, 3, 4] = data[7, 1, 9] = bad
    found = mended(data)
    assert found.dtype == dtype
    assert_array_equal(found, good)


@pytest.mark.parametrize("value", [0, 17, 60_000])
def test_stuck_pixels_are_dead_in_every_projection(value: int) -> None:
    good = planes(dtype=np.uint16)
    data = good.copy()
    data[:, 2, 5] = value
    assert_array_equal(mended(data), good)
    if value:
        assert_array_equal(mended(data, stuck=False), data)


def test_neighbours_that_are_dead_do_not_count() -> None:
    data = planes()
    data[:, 2, 5:7] = 17
    data[4, 1, 5] = np.nan
    around = [data[4, row, column] for row, column in [(1, 4), (1, 6), (2, 4), (3, 4), (3, 5), (3, 6)]]
    assert_allclose(mended(data)[4, 2, 5], np.mean(around), rtol=1e-6)


def test_large_spots_are_drawn_along_the_row() -> None:
    good = planes()
    data = good.copy()
    data[:, 1:4, 3:10] = 0
    found = mended(data)
    assert_allclose(found[:, 2, 4:9], good[:, 2, 4:9], rtol=1e-6)  # their eight neighbours are dead as well
    data = good.copy()
    data[:, :, :4] = 0
    assert_array_equal(mended(data)[:, :, :3], np.repeat(good[:, :, 4:5], 3, axis=2))


def test_where_nothing_is_left_nothing_is_invented() -> None:
    assert_array_equal(mended(np.zeros((10, 4, 6), np.uint16)), 0)


def test_zeros_may_be_measured() -> None:
    data = planes()
    data[3, 2, 2] = 0
    assert_array_equal(mended(data, zeros=False), data)


def test_few_projections_that_agree_are_not_stuck() -> None:
    data = np.full((5, 3, 6), 100, np.uint16)
    assert mended(data) is data


def test_flats_and_darks_are_mended_where_projections_are() -> None:
    slab = example_slab()
    assert slab.flats is not None
    column = slab.data.shape[2] // 3  # stuck
    after = FlatField.apply(DeadPixels.apply(slab, DeadPixels.Parameters()), FlatField.Parameters())
    before = FlatField.apply(slab, FlatField.Parameters())
    neighbours = before.data[:, :, [column - 1, column + 1]].mean(axis=2)
    assert np.abs(after.data[:, :, column] - neighbours).mean() < 0.05
    assert np.abs(before.data[:, :, column] - neighbours).mean() > 0.2
    others = np.arange(slab.data.shape[2]) != column
    assert_array_equal(after.data[:, :, others], before.data[:, :, others])


def test_the_count_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    data = planes()
    data[5, 3, 4], data[:, 1, 1] = 0, 8
    with caplog.at_level(logging.INFO, logger="stp3"):
        mended(data)
    assert "13 values (1.13 %) of 2 pixels repaired in rows 0 to 5" in caplog.text


def test_its_place_is_before_the_flat_field() -> None:
    recipe = Recipe.default().with_step("dead_pixels")
    assert [use.name for use in recipe.running][:2] == ["dead_pixels", "flat_field"]
    steps = [{"step": name} for name in ("flat_field", "dead_pixels", "minus_log", "fbp")]
    with pytest.raises(RecipeFault, match="Move dead_pixels before flat_field"):
        Recipe.from_dict({"steps": steps})
