"""info, axis, preview and practice: what they print and write."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from stp3 import cli
from stp3.preview import Preview
from stp3.recipe import Recipe
from stp3.ring_meter import ring_effect
from stp3.scan import open_scan
from stp3.testing import Truth, write_practice_scan


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    folder = tmp_path_factory.mktemp("cli_scans")
    return write_practice_scan(folder / "scan.h5", columns=128, rows=6, angles=180, faults={"noise"}, distance_mm=80)


@pytest.fixture(scope="module")
def scan(truth: Truth, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return next(tmp_path_factory.getbasetemp().glob("cli_scans*/scan.h5"))


def result(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    assert cli.main([*map(str, arguments), "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    return json.loads(out)


def test_info_tells_all_that_is_known(scan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert result(capsys, "info", scan) == {
        "format": "data-exchange",
        "shape": [180, 6, 128],
        "dtype": "uint16",
        "flats": 10,
        "darks": 10,
        "theta_deg": [0.0, 179.0],
        "pixel_size_um": 5.0,
        "energy_kev": 25.0,
        "distance_mm": 80.0,
        "exposure_s": None,
        "ring_current": False,
        "sample": "practice phantom",
        "corrected": {},
        "problems": [],
    }


def test_info_of_a_folder_and_for_people(scan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info", str(scan.parent)]) == 0
    out = capsys.readouterr().out
    assert "180 angles x 6 rows x 128 columns" in out
    assert "5 um pixels, 25 keV, 80 mm distance" in out


def test_info_of_a_measured_scan_tells_its_problems(measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = result(capsys, "info", measured / "neutron360_sino.h5")
    assert content["shape"] == [459, 1, 503]
    assert content["flats"] == content["darks"] == 0
    assert content["pixel_size_um"] is None
    assert [problem["level"] for problem in content["problems"]] == ["info"]


def test_axis_is_found(scan: Path, truth: Truth, capsys: pytest.CaptureFixture[str]) -> None:
    content = result(capsys, "axis", scan)
    assert set(content) == {"rotation_axis", "spread", "verdict", "tilt_deg", "methods", "slope", "overlap", "side"}
    assert content["rotation_axis"] == pytest.approx(truth.rotation_axis, abs=0.5)
    assert content["verdict"] in ("green", "amber")
    assert all(isinstance(value, float) for value in content["methods"].values())
    assert cli.main(["axis", str(scan)]) == 0
    assert f"{content['rotation_axis']:.2f}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "known", "within"),
    [("tooth.h5", 296, 0.5), ("i13_24737_nxtomo.nxs", 85.8, 0.5), ("neutron360_sino.h5", 245.25, 1.25)],
)
def test_axis_of_measured_scans(
    measured: Path, capsys: pytest.CaptureFixture[str], name: str, known: float, within: float
) -> None:
    assert result(capsys, "axis", measured / name)["rotation_axis"] == pytest.approx(known, abs=within)


def test_preview_writes_what_the_library_gives(
    scan: Path, truth: Truth, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "slice.tif"
    column = f"rotation_axis.column={truth.rotation_axis}"
    content = result(capsys, "preview", scan, "--row", 3, "--set", column, "-o", path)
    assert content["slice"] == str(path)
    assert content["rotation_axis"] == truth.rotation_axis
    recipe = Recipe.default().with_values({"rotation_axis.column": truth.rotation_axis})
    assert content["rings"] == asdict(ring_effect(Preview(open_scan(scan)), recipe, 3))
    np.testing.assert_array_equal(tifffile.imread(path), Preview(open_scan(scan)).slice(recipe, 3))
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        assert page.dtype == np.float32
        assert page.shape == (128, 128)
        across, down = (page.tags[name].value for name in ("XResolution", "YResolution"))
        assert across[0] / across[1] == down[0] / down[1] == pytest.approx(1e4 / 5.0)
        assert page.tags["ResolutionUnit"].value == 3  # centimetre
    assert [file.name for file in tmp_path.iterdir()] == ["slice.tif"]


def test_preview_shows_the_phantom_in_its_units(scan: Path, truth: Truth, tmp_path: Path) -> None:
    path = tmp_path / "slice.tif"
    column = f"rotation_axis.column={truth.rotation_axis}"
    assert cli.main(["preview", str(scan), "--row", "3", "--set", column, "-o", str(path)]) == 0
    image, true = tifffile.imread(path), truth.slice(3)
    inside = np.hypot(*np.mgrid[-63.5:64, -63.5:64]) < 50
    assert np.corrcoef(image[inside], true[inside])[0, 1] > 0.85
    assert image[inside].mean() == pytest.approx(true[inside].mean(), rel=0.02)


def test_preview_finds_the_axis_and_takes_a_recipe(
    scan: Path, truth: Truth, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("steps: [flat_field, minus_log, rotation_axis, {step: fbp, filter: hann}]")
    content = result(
        capsys, "preview", scan, "--row", 0, "--recipe", recipe, "--set", "fbp.filter=shepp-logan",
        "-o", tmp_path / "slice.tif",
    )  # fmt: skip
    assert content["rotation_axis"] == pytest.approx(truth.rotation_axis, abs=0.5)
    assert tifffile.imread(tmp_path / "slice.tif")[0, 0] != 0  # no circle mask in this recipe


@pytest.mark.parametrize("format", ["data-exchange", "nxtomo"])
def test_practice_writes_a_scan_and_its_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str], format: str) -> None:
    path = tmp_path / "practice.h5"
    content = result(
        capsys, "practice", path, "--columns", 64, "--rows", 3, "--angles", 20, "--faults", "rings, drift",
        "--seed", 7, "--format", format, "--layout", "frames", "--energy-kev", 18,
    )  # fmt: skip
    truth = Truth.load(path)
    assert truth.faults == ("drift", "rings")
    assert truth.seed == 7
    assert content["rotation_axis"] == truth.rotation_axis
    assert content["truth"] == str(tmp_path / "practice.truth.json")
    scan = open_scan(path)
    assert scan.format == content["format"] == format
    assert list(scan.projections.shape) == content["shape"] == [20, 3, 64]
    assert scan.energy_kev == 18
