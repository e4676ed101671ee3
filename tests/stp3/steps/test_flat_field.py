"""Counts become transmission."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from stp3.errors import UsageFault
from stp3.steps.base import Slab
from stp3.steps.flat_field import FlatField
from stp3.testing.step_contract import StepContract


class TestFlatFieldKeepsTheContract(StepContract):
    step = FlatField


class TestFlatFieldWithMedianKeepsTheContract(StepContract):
    step = FlatField
    parameters = FlatField.Parameters(average="median", flats="all")


def slab(transmission: float = 0.25, angles: int = 11) -> Slab:
    """A beam that fades evenly from 1000 to 500 counts over the scan, seen through a uniform sample."""
    times = np.array([-2.0, -1.0, angles, angles + 1.0])
    beam = np.interp(np.arange(angles), [-1.5, angles + 0.5], [1000, 500])
    flats = np.array([1000, 1000, 500, 500], np.float32)[:, None, None] + np.zeros((4, 2, 3), np.float32)
    data = (beam * transmission)[:, None, None] + np.zeros((angles, 2, 3))
    return Slab(
        data=(data + 50).astype(np.float32),
        rows=range(2),
        theta=np.linspace(0, np.pi, angles),
        rotation_axis=1.0,
        flats=flats + 50,
        darks=np.full((3, 2, 3), 50, np.float32),
        flat_times=times,
    )


def apply(given: Slab, **values: object) -> np.ndarray:
    return FlatField.apply(given, FlatField.Parameters(**values)).data


def test_interpolation_follows_a_fading_beam() -> None:
    assert_allclose(apply(slab()), 0.25, rtol=1e-5)


@pytest.mark.parametrize(("flats", "beam"), [("before", 1000), ("after", 500), ("all", 750)])
def test_flats_are_chosen_by_their_time(flats: str, beam: float) -> None:
    expected = (slab().data - 50) / beam
    assert_allclose(apply(slab(), flats=flats), expected, rtol=1e-6)


@pytest.mark.parametrize(("split", "first_after"), [("middle", 5), (100.0, 6), (0.0, 0), (500.0, 11)])
def test_halves_take_the_flats_before_and_after_for_what_lies_on_their_side(split: object, first_after: int) -> None:
    given = slab()
    given.data[:] = 50 + np.where(np.arange(11) < first_after, 250, 125)[:, None, None]
    assert_allclose(apply(given, flats="halves", split=split), 0.25, rtol=1e-6)
    backwards = replace(given, theta=-given.theta + 4)
    assert_allclose(apply(backwards, flats="halves", split=split), 0.25, rtol=1e-6)


def test_halves_of_a_scan_with_flats_at_one_time_only() -> None:
    given = replace(slab(), flat_times=np.full(4, -1.0))
    assert_array_equal(apply(given, flats="halves"), apply(given, flats="all"))


class TestFlatFieldInHalvesKeepsTheContract(StepContract):
    step = FlatField
    parameters = FlatField.Parameters(flats="halves", split=60.0)


def test_flats_at_one_time_only_serve_for_all() -> None:
    given = slab()
    assert given.flats is not None
    only_before = replace(given, flats=given.flats[:2], flat_times=np.array([-2.0, -1.0]))
    assert_allclose(apply(only_before, flats="after"), (given.data - 50) / 1000, rtol=1e-6)


def test_flats_in_the_middle_count() -> None:
    given = slab()
    flats = np.concatenate([np.full((1, 2, 3), level + 50, np.float32) for level in (1000, 100, 1000)])
    middle = replace(given, flats=flats, flat_times=np.array([-1.0, 5.0, 11.0]))
    assert_allclose(apply(middle)[5], (given.data[5] - 50) / 100, rtol=1e-6)


def test_the_median_ignores_one_bad_frame() -> None:
    given = slab()
    flats = np.full((5, 2, 3), 1050, np.float32)
    flats[2] = 60_000
    given = replace(given, flats=flats, flat_times=np.full(5, -1.0))
    assert_allclose(apply(given, average="median"), (given.data - 50) / 1000, rtol=1e-6)


def test_dead_pixels_and_missing_numbers_become_open_beam() -> None:
    given = slab()
    assert given.flats is not None
    flats, data = given.flats.copy(), given.data.copy()
    flats[:, 0, 0], flats[:, 0, 1], flats[:, 1, 0] = 50, 10, np.nan
    data[3, 1, 2] = np.nan
    out = apply(replace(given, flats=flats, data=data))
    assert_array_equal(out[:, [0, 0, 1], [0, 1, 0]], 1)
    assert out[3, 1, 2] == 1
    assert_allclose(out[4, 1, 2], 0.25, rtol=1e-5)


def test_without_flats_the_data_are_transmission_already() -> None:
    given = replace(slab(), flats=None, darks=None, flat_times=None)
    assert_array_equal(apply(given), given.data)


class TestFlatFieldWithAirKeepsTheContract(StepContract):
    step = FlatField
    parameters = FlatField.Parameters(air_left=3, air_right=4)


def flickering(columns: int = 40) -> tuple[Slab, np.ndarray]:
    """A sample in the middle, under a beam that flickers and tilts from projection to projection and row to row."""
    rng = np.random.default_rng(9)
    x = np.arange(columns)
    sample = np.exp(-1.5 * np.exp(-(((x - 20) / 3.0) ** 2)))
    level, tilt = rng.uniform(0.8, 1.2, (2, 11, 2, 1))
    light = level + (tilt - 1) * (x / columns - 0.5)
    data = 1000 * light * sample + 50
    frame = np.full((1, 2, columns), 50, np.float32)
    given = replace(slab(), data=data.astype(np.float32), flats=frame + 1000, darks=frame, flat_times=np.array([-1.0]))
    return given, np.broadcast_to(sample, data.shape)


def test_air_at_both_sides_takes_flicker_and_tilt_away() -> None:
    given, sample = flickering()
    assert np.abs(apply(given) - sample).max() > 0.1
    found = apply(given, air_left=5, air_right=6)
    assert_allclose(found, sample, rtol=2e-5)
    given.data[3, 1, [2, 36]] = 60_000  # zingers in the air
    given.data[4, 0, :5] = np.nan
    assert_allclose(
        np.delete(apply(given, air_left=5, air_right=6)[3, 1], [2, 36]), np.delete(sample[3, 1], [2, 36]), rtol=2e-2
    )


def test_air_at_one_side_takes_flicker_away() -> None:
    given, sample = flickering()
    found = apply(given, air_right=6)
    assert_allclose(found[..., -6:].mean(axis=2), 1, atol=2e-2)
    steady = replace(given, data=(500 * sample + 50).astype(np.float32))
    for sides in ({"air_left": 4}, {"air_right": 1}):
        assert_allclose(apply(steady, **sides), sample, rtol=2e-5)


def test_air_that_is_dark_or_wider_than_the_detector() -> None:
    given, _ = flickering()
    given.data[2, :, :5] = 50
    assert_array_equal(apply(given, air_left=5)[2], apply(given)[2])
    with pytest.raises(UsageFault, match="takes 45 columns of 40"):
        apply(given, air_left=20, air_right=25)
