"""The filmstrip of rotation axes shows what previews at those axes show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stp3.errors import UsageFault
from stp3.preview import Preview
from stp3.recipe import Recipe
from stp3.scan import Scan, open_scan
from stp3.sweep import axis_sweep
from stp3.testing import write_practice_scan


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    path: Path = tmp_path_factory.mktemp("sweep") / "scan.h5"
    write_practice_scan(path, columns=96, rows=4, angles=90, faults={"noise", "rings"}, seed=2)
    return open_scan(path)


def recipe(*, tilt: float = 0.0, **changes: object) -> Recipe:
    content = Recipe.default().with_values({"rotation_axis.tilt": tilt, **changes}).as_dict()
    return Recipe.from_dict(content)


EVEN, UNEVEN = (46.0, 46.5, 47.0, 47.5, 48.0), (46.0, 47.3, 48.0)


@pytest.mark.parametrize(
    ("chosen", "columns"),
    [
        pytest.param(recipe(), EVEN, id="even"),
        pytest.param(recipe(), UNEVEN, id="uneven"),
        pytest.param(recipe(), (47.2,), id="one"),
        pytest.param(recipe(tilt=3.0), EVEN, id="tilted"),
        pytest.param(Recipe.from_dict({"steps": [{"step": "bin"}, *recipe().as_dict()["steps"]]}), EVEN, id="binned"),
    ],
)
def test_a_sweep_shows_what_previews_show(scan: Scan, chosen: Recipe, columns: tuple[float, ...]) -> None:
    slices = axis_sweep(Preview(scan, threads=2), chosen, 2, columns)
    expected = [Preview(scan).slice(chosen.with_values({"rotation_axis.column": column}), 2) for column in columns]
    np.testing.assert_allclose(slices, expected, atol=2e-5 * np.ptp(expected))
    assert np.abs(slices[0] - slices[-1]).max() > 0.01 * np.ptp(expected) or len(columns) == 1


def test_the_stages_before_the_axis_are_done_once(scan: Scan) -> None:
    preview, ran = Preview(scan), []
    axis_sweep(preview, recipe(), 1, EVEN)
    preview.slice(recipe(**{"rotation_axis.column": 50.0}), 1, on_step=ran.append)
    assert ran == ["rotation_axis", "fbp", "circle_mask"]


def test_a_column_beyond_the_detector_is_refused(scan: Scan) -> None:
    with pytest.raises(UsageFault, match="between 0 and 95"):
        axis_sweep(scan, recipe(), 1, [94.0, 95.0, 96.0])
    with pytest.raises(UsageFault, match="at least one column"):
        axis_sweep(scan, recipe(), 1, [])
