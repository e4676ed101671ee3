"""Flats and darks in files of their own."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from stp3.cli import main
from stp3.errors import ScanFault
from stp3.scan import Scan, open_scan
from stp3.testing import write_practice_scan

FRAMES = np.arange(6 * 2 * 4, dtype=np.uint16).reshape(6, 2, 4)


def put(path: Path, data: NDArray[np.generic], name: str = "exchange/data") -> Path:
    with h5py.File(path, "a") as file:
        file[name] = data
        if name == "exchange/data" and len(data) == 6:
            file["exchange/theta"] = np.arange(6) * 30.0
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return put(tmp_path / "tooth_proj.h5", FRAMES)


def words(scan: Scan, level: str) -> str:
    return " ".join(problem.text for problem in scan.problems if problem.level == level)


@pytest.mark.parametrize("names", [("flats", "darks"), ("tooth_flat", "tooth_dark"), ("Tooth-FF", "Tooth-Dark")])
def test_files_beside_the_scan_are_found_by_their_names(path: Path, names: tuple[str, str]) -> None:
    put(path.with_name(f"{names[0]}.h5"), FRAMES[:3] + 100)
    put(path.with_name(f"{names[1]}.hdf5"), FRAMES[:2], "dark")
    scan = open_scan(path)
    assert scan.flats is not None
    assert scan.darks is not None
    assert_array_equal(scan.flats.read(), FRAMES[:3] + 100)
    assert_array_equal(scan.darks.read(), FRAMES[:2])
    assert_array_equal(scan.flat_times, [-0.5] * 3)
    assert not words(scan, "amber")
    assert f"The flats are those of {names[0]}.h5" in words(scan, "info")


def test_the_references_of_another_scan_are_left_alone(path: Path) -> None:
    put(path.with_name("bone_flat.h5"), FRAMES[:3])
    scan = open_scan(path)
    assert scan.flats is None
    assert "no flat frames" in words(scan, "amber")


def test_flats_of_before_and_after_are_told_apart(path: Path) -> None:
    put(path.with_name("flats.h5"), FRAMES[:2])
    put(path.with_name("flats_after.h5"), FRAMES[2:3])
    assert_array_equal(open_scan(path).flat_times, [-0.5, -0.5, 5.5])


def test_files_that_are_named_win_over_the_scans_own(tmp_path: Path) -> None:
    write_practice_scan(tmp_path / "scan.h5", columns=32, rows=2, angles=6)
    flats = put(tmp_path / "open.h5", np.full((2, 2, 32), 7, np.uint16), "a/b")
    scan = open_scan(tmp_path / "scan.h5", flats=[flats])
    assert scan.flats is not None
    assert_array_equal(scan.flats.read(), np.full((2, 2, 32), 7))
    assert scan.darks is not None
    assert scan.darks.shape[0] == 10


def test_sinograms_are_turned(path: Path) -> None:
    put(path.with_name("flats.h5"), FRAMES[:3].swapaxes(0, 1).copy())
    scan = open_scan(path)
    assert scan.flats is not None
    assert_array_equal(scan.flats.read(), FRAMES[:3])


def test_a_changed_file_of_flats_is_noticed(path: Path) -> None:
    flats = put(path.with_name("flats.h5"), FRAMES[:3])
    scan = open_scan(path)
    scan.check_unchanged()
    put(flats, FRAMES[:1], "more")
    with pytest.raises(ScanFault, match="changed"):
        scan.check_unchanged()


def test_what_does_not_fit_is_refused_in_words(path: Path) -> None:
    flats = put(path.with_name("flats.h5"), np.zeros((3, 2, 5), np.uint16))
    with pytest.raises(ScanFault, match=r"flats\.h5: .* \(2, 5\) rows and columns, the projections \(2, 4\)"):
        open_scan(path)
    put(flats, FRAMES[:2], "second")
    with pytest.raises(ScanFault, match=r"several stacks of frames: /exchange/data, /second"):
        open_scan(path)
    flats.unlink()
    put(flats, np.zeros(5), "a")
    with pytest.raises(ScanFault, match=r"flats\.h5 is to give the flats but holds no stack"):
        open_scan(path)


def test_a_folder_of_a_scan_and_its_references_opens(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(path.with_name("flats.h5"), FRAMES[:3])
    put(path.with_name("darks.h5"), FRAMES[:1])
    assert open_scan(path.parent).path == path
    moved = path.with_name("flats.h5").rename(path.with_name("open.h5"))
    assert main(["info", str(path), "--flats", str(moved)]) == 0
    assert "3 flats, 1 darks" in capsys.readouterr().out
