"""One scan in all formats: the same numbers are read, and the same slice comes out."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from stp3.cli import main
from stp3.preview import Preview
from stp3.readers import find_reader
from stp3.recipe import Recipe
from stp3.run import reconstruct
from stp3.scan import Scan, open_scan
from stp3.testing import write_practice_scan
from stp3.testing.truth import Format
from stp3.volume import open_volume

FORMATS = [name for name in get_args(Format) if name != "data-exchange"]


def scan_in(folder: Path, format: str) -> Scan:
    path = folder / ("scan" if format in ("edf", "his", "tiff") else "scan.h5")
    path.parent.mkdir()
    truth = write_practice_scan(
        path, columns=48, rows=4, angles=40, faults={"noise", "drift"}, rotation_axis=23.8, format=format
    )
    scan = open_scan(path)
    assert (scan.format, truth.format) == (format, format)
    return scan


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    return scan_in(tmp_path_factory.mktemp("reference") / "one", "data-exchange")


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_holds_the_same_scan(reference: Scan, tmp_path: Path, format: str) -> None:
    scan = scan_in(tmp_path / "one", format)
    for own, other in ((scan.projections, reference.projections), (scan.flats, reference.flats),
                       (scan.darks, reference.darks)):  # fmt: skip
        assert own is not None
        assert other is not None
        assert own.dtype == other.dtype
        assert_array_equal(own.read(), other.read())
        assert_array_equal(own.read(range(1, 3), np.array([3, 1])), other.read(range(1, 3), np.array([3, 1])))
    assert_array_equal(scan.flat_times, reference.flat_times)
    assert_allclose(scan.theta, reference.theta, rtol=0, atol=1e-12)
    names = ("pixel_size_um", "energy_kev", "distance_mm", "sample")
    assert [getattr(scan, name) for name in names] == pytest.approx([getattr(reference, name) for name in names])


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_gives_the_same_slice(reference: Scan, tmp_path: Path, format: str) -> None:
    recipe = Recipe.default().with_values({"rotation_axis.column": 23.8})
    expected = Preview(reference).slice(recipe, 2)
    scan = scan_in(tmp_path / "one", format)
    found = Preview(scan).slice(recipe, 2)
    assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    if format in ("tdf", "tiff"):  # a job reads slabs of several rows
        reconstruct(scan, recipe, tmp_path / "volume", threads=1)
        assert_array_equal(open_volume(tmp_path / "volume").slice(2), found)


def test_practice_scans_are_written_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--columns", "32", "--rows", "2", "--angles", "8", "--format", "tiff"]
    assert main(["practice", str(tmp_path / "folder"), *arguments]) == 0
    assert find_reader(tmp_path / "folder").name == "tiff"
    assert main(["practice", str(tmp_path / "folder"), *arguments]) == 2
    assert "is a folder" in capsys.readouterr().err
