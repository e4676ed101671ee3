"""A coarse preview is a first impression of the same slice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stp3.preview import Preview
from stp3.recipe import Recipe
from stp3.scan import open_scan
from stp3.testing import write_practice_scan


@pytest.fixture(scope="module")
def preview(tmp_path_factory: pytest.TempPathFactory) -> Preview:
    path: Path = tmp_path_factory.mktemp("coarse") / "scan.h5"
    write_practice_scan(path, columns=1030, rows=5, angles=640, faults={"noise", "rings", "axis"}, seed=2)
    return Preview(open_scan(path), 2)


def averaged(image: np.ndarray, size: int) -> np.ndarray:
    """The middle of it, squares of so many pixels averaged."""
    kept = [side // size * size for side in image.shape]
    top, left = ((side - keep) // 2 for side, keep in zip(image.shape, kept, strict=True))
    squares = image[top : top + kept[0], left : left + kept[1]].reshape(kept[0] // size, size, kept[1] // size, size)
    return squares.mean(axis=(1, 3))


@pytest.mark.parametrize(
    "values",
    [{}, {"fbp.filter": "hann", "stripes_all.on": False}, {"rotation_axis.column": 500.0, "rotation_axis.tilt": 0.4}],
)
def test_it_shows_the_same_in_the_same_places(preview: Preview, values: dict[str, object]) -> None:
    recipe = Recipe.default().with_values(values)
    found = preview.coarse(recipe, 2)
    assert found is not None
    image, size = found
    assert (image.shape, size) == ((343, 343), 3)
    expected = averaged(preview.slice(recipe, 2), size)
    agreement = [
        np.corrcoef(np.roll(image, moved, (0, 1)).ravel(), expected.ravel())[0, 1]
        for moved in ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))
    ]
    assert agreement[0] > 0.9
    assert agreement[0] == max(agreement)


def test_a_change_of_the_axis_starts_from_what_is_there(preview: Preview) -> None:
    recipe = Recipe.default().with_values({"rotation_axis.column": 510.0})
    preview.coarse(recipe, 2)
    before = set(preview.stages)
    preview.coarse(recipe.with_values({"rotation_axis.column": 511.0}), 2)
    assert len(set(preview.stages) - before) == 3  # axis, reconstruction, mask


def test_where_it_would_not_help_or_not_fit_there_is_none(preview: Preview, tmp_path: Path) -> None:
    recipe = Recipe.default().with_values({"rotation_axis.column": 510.0})
    assert preview.coarse(recipe.with_step("crop", left=300, right=300), 2) is None, "narrow enough"
    assert preview.coarse(recipe.with_step("crop", top=3), 4) is None, "too few rows to bin"
    assert preview.coarse(recipe.with_values({"fbp.window": [100, 200, 100, 200]}), 2) is None, "a part of the slice"
    assert preview.coarse(recipe.with_step("crop", left=8, top=1), 3) is not None
