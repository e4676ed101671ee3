"""Small pictures of slices: which part, and how bright."""

import numpy as np
import pytest

from stp3.widgets.film import Look, Part, small_picture, telling_part


def with_detail(at, shape=(400, 480)):
    image = np.zeros(shape, np.float32)
    image[at[0] : at[0] + 40 : 4, at[1] : at[1] + 40] = 1.0
    return image


@pytest.mark.parametrize("at", [(180, 220), (100, 150), (250, 280)])
def test_the_part_is_where_the_detail_is(at):
    part = telling_part(with_detail(at), 128)
    assert part.top <= at[0]
    assert part.left <= at[1]
    assert at[0] + 40 <= part.top + 128
    assert at[1] + 40 <= part.left + 128


def test_corners_outside_the_field_of_view_are_not_chosen():
    image = with_detail((0, 0)) + 0.01 * with_detail((200, 200))
    part = telling_part(image, 100)
    assert part.of(image).max() == pytest.approx(0.01)


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (64, 64), (65, 64)])
def test_small_slices_are_shown_whole_or_as_a_square(shape):
    image = np.ones(shape, np.float32)
    if min(shape) > 1:
        assert telling_part(image, 1000).of(image).shape == (min(shape), min(shape))


def test_a_part_chosen_in_the_viewer_is_that_part():
    image = np.zeros((200, 200), np.float32)
    look = Look(window=(50.0, 60.0, 150.0, 110.0))
    assert look.part(image, 128) == Part(60, 75, 50)
    assert Look(window=(-300.0, -300.0, 20.0, 20.0)).part(image, 128) == Part(0, 0, 200)
    assert Look(window=(190.0, 190.0, 191.0, 191.0)).part(image, 128).side == 16


def test_grey_follows_the_limits_and_large_parts_are_averaged():
    image = np.tile(np.array([0.0, 2.0], np.float32), (600, 300))
    picture = small_picture(image, Part(0, 0, 600), (0.0, 2.0))
    assert picture.shape == (200, 200)
    assert set(np.unique(picture)) <= {85, 170}  # the mean of three columns: 2/3 or 4/3
    small = small_picture(image, Part(0, 0, 10), (0.5, 1.0))
    np.testing.assert_array_equal(small[0, :2], [0, 255])


def test_values_that_are_none_are_black_and_equal_limits_do_no_harm():
    image = np.full((40, 40), np.nan, np.float32)
    assert small_picture(image, Part(0, 0, 40), (1.0, 1.0)).max() == 0


def test_limits_come_from_the_viewer_or_the_first_slice():
    image = np.linspace(0, 1, 1000, dtype=np.float32).reshape(20, 50)
    assert Look((0.2, 0.3)).grey_limits(image) == (0.2, 0.3)
    low, high = Look().grey_limits(image)
    assert (low, high) == (pytest.approx(0.004, abs=1e-3), pytest.approx(0.996, abs=1e-3))
