"""Part of a scan is a scan: cropped, binned, with fewer angles, it reconstructs to the same part of the volume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from stp3.errors import RecipeFault, UsageFault
from stp3.plan import part_of, resolve
from stp3.preview import Preview
from stp3.recipe import Recipe
from stp3.run import reconstruct
from stp3.scan import Scan, open_scan
from stp3.testing import Truth, write_practice_scan

Practice = tuple[Scan, Truth]


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Practice:
    path: Path = tmp_path_factory.mktemp("parts") / "scan.h5"
    truth = write_practice_scan(path, columns=129, rows=9, angles=180, faults={"axis"}, seed=3)
    return open_scan(path), truth


def recipe(practice: Practice, *parts: dict[str, object]) -> Recipe:
    default = Recipe.default().without("stripes_all", "zingers", "circle_mask").as_dict()
    chosen = Recipe.from_dict({"steps": [*parts, *default["steps"]]})
    return chosen.with_values({"rotation_axis.column": practice[1].rotation_axis})


CROP = {"step": "crop", "left": 5, "right": 3, "top": 2, "bottom": 1}
BIN = {"step": "bin", "size": 2}


def test_frames_are_those_of_the_part(practice: Practice) -> None:
    scan, _ = practice
    whole = scan.projections.read()
    part = part_of(scan, recipe(practice, CROP, BIN, {"step": "angles", "first": 7, "every": 3}))
    assert part.projections.shape == (58, 3, 60) == (len(part.theta), part.rows, part.columns)
    expected = whole[7::3, 2:8, 5:125].astype(float).reshape(58, 3, 2, 60, 2).mean(axis=(2, 4))
    assert_allclose(part.projections.read(), expected, rtol=1e-6)
    assert_allclose(part.projections.read(range(1, 2), np.array([4, 9])), expected[[4, 9], 1:2], rtol=1e-6)
    assert_array_equal(part.theta, scan.theta[7::3])
    assert part.flats is not None
    assert part.flats.shape[1:] == (3, 60)
    assert part.pixel_size_um == 2 * scan.pixel_size_um
    before, after = part.flat_times < 0, part.flat_times > part.angles - 1
    assert before.any()
    assert after.any()
    assert (before | after).all()


def test_cropping_alone_keeps_the_counts_as_stored(practice: Practice) -> None:
    part = part_of(practice[0], recipe(practice, CROP))
    assert part.projections.dtype == np.uint16
    assert_array_equal(part.projections.read(range(2)), practice[0].projections.read(range(2, 4))[:, :, 5:126])


@pytest.mark.parametrize(("parts", "least"), [([CROP], 0.97), ([BIN], 0.85), ([CROP, BIN], 0.85), ([BIN, CROP], 0.85)])
def test_the_slice_shows_the_same_in_the_same_units(
    practice: Practice, parts: list[dict[str, object]], least: float
) -> None:
    scan, _ = practice
    whole = Preview(scan).slice(recipe(practice), 4)
    part = Preview(scan).slice(recipe(practice, *parts), 4)
    size = 2 if BIN in parts else 1
    reach = part.shape[0] // 2 - 1
    x = (np.arange(-reach, reach) + 0.5) * size  # from the axis, in pixels of the detector

    def around_axis(image: np.ndarray, pixel: int) -> np.ndarray:
        at = np.rint(x / pixel + (image.shape[0] - 1) / 2).astype(int)
        return image[np.ix_(at, at)]

    inside = np.hypot(*np.meshgrid(x, x)) < 40
    found, expected = around_axis(part, size)[inside], around_axis(whole, 1)[inside]
    assert np.corrcoef(found, expected)[0, 1] > least  # binned, one voxel is held against eight
    assert found.mean() == pytest.approx(expected.mean(), rel=0.02)


def test_an_axis_found_in_a_part_is_told_in_columns_of_the_detector(practice: Practice) -> None:
    scan, truth = practice
    asked = recipe(practice, CROP).with_values({"rotation_axis.column": "auto"})
    plan = resolve(asked, scan)
    assert plan.recipe.use("rotation_axis").parameters.model_dump()["column"] == pytest.approx(
        truth.rotation_axis, abs=0.5
    )


def test_a_volume_of_a_part(practice: Practice, tmp_path: Path) -> None:
    scan, _ = practice
    asked = recipe(practice, CROP, BIN, {"step": "angles", "every": 2})
    volume = reconstruct(scan, asked, tmp_path / "v")
    assert volume.shape == (3, 60, 60)
    assert volume.voxel_size_um == 2 * scan.pixel_size_um
    for z in range(3):
        assert_array_equal(volume.slice(z), Preview(scan).slice(asked, 2 + 2 * z))


def test_rows_are_asked_for_as_the_detector_counts_them(practice: Practice) -> None:
    scan, _ = practice
    asked = recipe(practice, CROP, BIN)
    assert resolve(asked, scan, rows=range(9)).rows == range(3)
    assert resolve(asked, scan, rows=range(3, 8)).rows == range(1, 3)
    with pytest.raises(UsageFault, match="of the rows 0 to 2 the recipe leaves none: it keeps rows 2 to 7, 2 of which"):
        resolve(asked, scan, rows=range(3))
    with pytest.raises(UsageFault, match="rows must lie within 0:9"):
        resolve(asked, scan, rows=range(10))


def test_what_leaves_nothing_or_comes_late_is_refused(practice: Practice) -> None:
    scan, _ = practice
    with pytest.raises(UsageFault, match="crop leaves 9 columns"):
        resolve(recipe(practice, {"step": "crop", "left": 120}), scan)
    with pytest.raises(UsageFault, match=r"bin\.size 10 is too large"):
        resolve(recipe(practice, {"step": "bin", "size": 10}), scan)
    with pytest.raises(UsageFault, match="angles 179 to 179"):
        resolve(recipe(practice, {"step": "angles", "first": 179}), scan)
    with pytest.raises(UsageFault, match="row 1 is cropped away; rows 2 to 7 are left"):
        Preview(scan).slice(recipe(practice, CROP), 1)
    with pytest.raises(RecipeFault, match="Move bin up"):
        Recipe.from_dict({"steps": [*Recipe.default().as_dict()["steps"], "bin"]})
