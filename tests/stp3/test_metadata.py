"""What the user knows better than the scan."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from stp3.cli import main
from stp3.errors import UsageFault
from stp3.plan import resolve
from stp3.provenance import provenance
from stp3.recipe import Recipe
from stp3.scan import Scan, open_scan
from stp3.testing import write_practice_scan

CORRECTIONS = {"energy_kev": 27.5, "pixel_size_um": 2.5, "sample": "a tooth"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_practice_scan(tmp_path / "scan.h5", columns=48, rows=2, angles=30)
    return tmp_path / "scan.h5"


def without_angles(tmp_path: Path, format: str) -> Path:
    path = tmp_path / format
    write_practice_scan(path, columns=48, rows=2, angles=30, format=format)
    if format == "tiff":
        (path / "angles.txt").unlink()
    return path


def words(scan: Scan, level: str) -> str:
    return " ".join(problem.text for problem in scan.problems if problem.level == level)


def test_corrections_take_the_place_of_what_the_scan_says(path: Path) -> None:
    scan = open_scan(path, metadata=CORRECTIONS)
    assert (scan.energy_kev, scan.pixel_size_um, scan.distance_mm, scan.sample) == (27.5, 2.5, 100, "a tooth")
    assert scan.stated == {"energy_kev": 25.0, "pixel_size_um": 5.0, "sample": "practice phantom"}
    assert "energy_kev 27.5 (the scan says 25.0)" in words(scan, "info")


def test_both_values_stand_in_the_provenance(path: Path) -> None:
    recipe = Recipe.default().with_values({"rotation_axis.column": 23.5})
    plan = resolve(recipe, open_scan(path, metadata=CORRECTIONS | {"exposure_s": 0.2}))
    scan = provenance(plan, recipe)["scan"]
    assert scan["energy_kev"] == 27.5
    assert scan["corrected"]["energy_kev"] == {"stated": 25.0, "used": 27.5}
    assert scan["corrected"]["exposure_s"] == {"stated": None, "used": 0.2}


@pytest.mark.parametrize(("format", "last"), [("tdf", 360 * 29 / 30), ("tiff", 360.0)])
def test_a_range_of_angles_is_for_scans_that_state_none(tmp_path: Path, format: str, last: float) -> None:
    path = without_angles(tmp_path, format)
    scan = open_scan(path, metadata={"angle_range_deg": 360})
    assert_allclose(np.rad2deg(scan.theta[[0, -1]]), [0, last])
    assert scan.stated == {"angle_range_deg": None}
    assert "No angles are stated" not in words(scan, "amber") + words(scan, "info")


def test_stated_angles_are_not_overruled_by_a_range(path: Path) -> None:
    with pytest.raises(UsageFault, match="states its angles"):
        open_scan(path, metadata={"angle_range_deg": 360})


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"energy_kev": -1}, r"energy_kev should be greater than 0, got -1"),
        ({"energy": 25}, r"there is no 'energy' among energy_kev, distance_mm"),
        ({"distance_mm": "far"}, r"distance_mm should be .*number.*, got 'far'"),
    ],
)
def test_impossible_corrections_are_refused(path: Path, values: dict[str, object], fault: str) -> None:
    with pytest.raises(UsageFault, match=fault):
        open_scan(path, metadata=values)


def test_the_command_line_takes_them(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(path), "--metadata", "energy_kev=27.5", "--metadata", "sample=a tooth", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["energy_kev"] == 27.5
    assert content["corrected"]["sample"] == {"stated": "practice phantom", "used": "a tooth"}
    assert main(["info", str(path), "--metadata", "energy_kev"]) == 2
    assert "--metadata takes NAME=VALUE" in capsys.readouterr().err
