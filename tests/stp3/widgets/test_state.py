"""From the intention and the scan to the state shown, and the least work between two states."""

from dataclasses import replace

import pytest

from stp3.axis import AxisReport
from stp3.errors import UsageFault
from stp3.preview import Preview
from stp3.recipe import Recipe
from stp3.scan import open_scan
from stp3.testing import write_practice_scan
from stp3.widgets.state import Intention, Subject, resolve, work_between

DEFAULT = Intention(Recipe.default())


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    path = tmp_path_factory.mktemp("scan") / "scan.h5"
    write_practice_scan(path, columns=64, rows=9, angles=30)
    scan = open_scan(path)
    return Subject(scan, AxisReport(30.1262, 0.1, "green", None, {"pairs": 30.1262}), Preview(scan))


def with_recipe(**values):
    return replace(
        DEFAULT, recipe=DEFAULT.recipe.with_values({key.replace("__", "."): value for key, value in values.items()})
    )


def test_what_was_left_open_is_filled_in(subject):
    shown = resolve(DEFAULT, subject)
    assert shown.row == 4
    assert shown.rotation_axis == 30.13
    assert shown.rows == range(9)
    assert shown.shape == (9, 64, 64)
    assert shown.bytes == 9 * 64 * 64 * 4


def test_a_red_verdict_still_gives_a_first_picture(subject):
    red = replace(subject, axis=replace(subject.axis, verdict="red"))
    assert resolve(DEFAULT, red).rotation_axis == 30.13


def test_the_output_says_how_large_the_volume_gets(subject):
    shown = resolve(replace(with_recipe(output__dtype="uint8"), rows=(2, 5)), subject)
    assert (shown.dtype, shown.shape, shown.bytes) == ("uint8", (3, 64, 64), 3 * 64 * 64)


@pytest.mark.parametrize(
    ("intention", "words"),
    [
        (replace(DEFAULT, row=9), r"row must be between 0 and 8 .* got 9"),
        (replace(DEFAULT, row=-1), r"got -1"),
        (replace(DEFAULT, rows=(0, 10)), r"rows must lie within 0 and 8 .* got 0 to 9"),
        (replace(DEFAULT, rows=(5, 5)), r"got 5 to 4"),
        (with_recipe(rotation_axis__column=64.0), r"between 0 and 63 \(the scan has 64 columns\), got 64"),
    ],
)
def test_what_the_scan_has_not_is_refused_in_words(subject, intention, words):
    with pytest.raises(UsageFault, match=words):
        resolve(intention, subject)


def test_nothing_is_done_when_nothing_changed(subject):
    shown = resolve(DEFAULT, subject)
    assert work_between(shown, resolve(DEFAULT, subject)) == "nothing"


@pytest.mark.parametrize(
    "intention",
    [with_recipe(output__dtype="uint16"), replace(DEFAULT, rows=(0, 3)), replace(DEFAULT, format="zarr")],
)
def test_what_concerns_the_volume_only_makes_no_new_picture(subject, intention):
    assert work_between(resolve(DEFAULT, subject), resolve(intention, subject)) == "nothing"


@pytest.mark.parametrize(
    "intention",
    [
        replace(DEFAULT, row=1),
        with_recipe(fbp__filter="hann"),
        with_recipe(rotation_axis__column=31.0),
        with_recipe(stripes_all__on=False),
    ],
)
def test_what_changes_the_slice_makes_a_picture(subject, intention):
    assert work_between(resolve(DEFAULT, subject), resolve(intention, subject)) == "picture"


def test_the_first_state_needs_a_picture(subject):
    assert work_between(None, resolve(DEFAULT, subject)) == "picture"


def test_two_requests_for_the_same_volume_have_the_same_key(subject):
    keys = {
        resolve(wish, subject).job_key
        for wish in (DEFAULT, replace(DEFAULT, row=1), with_recipe(rotation_axis__column=30.13))
    }
    assert len(keys) == 1
    assert resolve(replace(DEFAULT, format="hdf5"), subject).job_key not in keys


def test_a_cropped_and_binned_volume_is_as_small_as_it_will_be(subject):
    recipe = DEFAULT.recipe.with_step("crop", left=8, top=1).with_step("bin", size=2)
    assert resolve(replace(DEFAULT, recipe=recipe), subject).shape == (4, 28, 28)
    assert resolve(replace(DEFAULT, recipe=recipe, rows=(3, 8)), subject).shape == (2, 28, 28)


def test_an_axis_that_a_step_tells_comes_before_the_found_one(subject):
    recipe = DEFAULT.recipe.with_step("extended_field_of_view", side="left", overlap=21.0)
    shown = resolve(replace(DEFAULT, recipe=recipe), subject)
    assert shown.rotation_axis == 10.0
    assert shown.shape == (9, 107, 107)
