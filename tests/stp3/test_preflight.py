"""What the pre-flight says of scans with every fault that it knows, and that it says nothing of good ones."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pytest

from stp3.cli import main
from stp3.errors import ScanFault
from stp3.preflight import Report, preflight, preflight_file, preflight_when_written
from stp3.quota import _Quota, left_of, quota_left
from stp3.recipe import Recipe
from stp3.scan import open_scan
from stp3.testing import write_practice_scan

ANGLES, ROWS, COLUMNS = 40, 4, 32
LONG_AGO = 1_700_000_000  # a file changed a moment ago is looked at for a while


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_practice_scan(tmp_path / "scan.h5", columns=COLUMNS, rows=ROWS, angles=ANGLES, faults={"noise"})
    return tmp_path / "scan.h5"


def report(path: Path, change: Callable[[h5py.File], None] | None = None) -> Report:
    if change:
        with h5py.File(path, "a") as file:
            change(file)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return preflight_file(path)


def said(report: Report, code: str) -> tuple[str, str]:
    """Level and text of the finding of that code."""
    (finding,) = (finding for finding in report.findings if finding.code == code)
    return finding.level, finding.text


def replaced(name: str, value: object, **options: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        attributes = dict(file[name].attrs)
        del file[name]
        file.create_dataset(name, data=value, **options)
        file[name].attrs.update(attributes)

    return change


def with_frames(change: Callable[[np.ndarray], object], name: str = "exchange/data") -> Callable[[h5py.File], None]:
    def act(file: h5py.File) -> None:
        frames = file[name][:]
        change(frames)
        file[name][:] = frames

    return act


def angles(values: object, units: str = "degrees") -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        replaced("exchange/theta", np.asarray(values, float))(file)
        file["exchange/theta"].attrs["units"] = units

    return change


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_a_good_scan_is_green(path: Path) -> None:
    found = report(path)
    assert found.verdict == "green", found
    codes = {finding.code for finding in found.findings}
    assert codes == {"frames.unwritten", "flats", "angles.range", "memory", "disk", "file.growing"}


@pytest.mark.parametrize("faults", [{"rings"}, {"drift", "noise"}, {"half"}, {"tilt", "zingers"}, {"phase"}])
def test_practice_scans_are_never_red(tmp_path: Path, faults: set[str]) -> None:
    write_practice_scan(tmp_path / "scan.nxs", columns=64, rows=4, angles=90, faults=faults, format="nxtomo")
    assert preflight_file(tmp_path / "scan.nxs").verdict != "red"


def test_measured_scans_are_green(measured: Path) -> None:
    for name in ("tooth.h5", "tomo_00076_rows01.h5", "i13_24737_nxtomo.nxs", "neutron360_sino.h5"):
        assert preflight_file(measured / name).verdict == "green", name


def interrupted(frames: int) -> Callable[[h5py.File], None]:
    """The last chunks were never written."""

    def change(file: h5py.File) -> None:
        counts = file["exchange/data"][:frames]
        del file["exchange/data"]
        data = file.create_dataset("exchange/data", (ANGLES, ROWS, COLUMNS), "u2", chunks=(1, ROWS, COLUMNS // 2))
        data[:frames] = counts

    return change


def test_frames_never_written_are_red_and_the_way_out_leads_out(path: Path) -> None:
    level, text = said(report(path, interrupted(25)), "frames.unwritten")
    assert level == "red"
    assert "15 of 40 projections were never written" in text
    assert "25 to 39" in text
    assert "last = 24" in text
    found = preflight(open_scan(path), Recipe.default().with_step("angles", last=24))
    assert said(found, "frames.unwritten")[0] == "green"
    assert found.verdict == "amber"  # less than half a turn
    assert "less than half a turn" in said(found, "angles.range")[1]


def test_a_chunk_lost_in_the_middle_is_found(path: Path) -> None:
    def change(file: h5py.File) -> None:
        counts = file["exchange/data"][:]
        del file["exchange/data"]
        data = file.create_dataset("exchange/data", counts.shape, "u2", chunks=(1, 2, COLUMNS))
        data[:, :2] = counts[:, :2]
        for number in set(range(ANGLES)) - {7, 8, 20}:
            data[number, 2:] = counts[number, 2:]

    level, text = said(report(path, change), "frames.unwritten")
    assert level == "red"
    assert "3 of 40 projections" in text
    assert "7 to 8, 20" in text


def test_zeros_that_were_written_are_found_to_the_frame(path: Path) -> None:
    def blank(frames: np.ndarray) -> None:
        frames[27:] = 0

    level, text = said(report(path, with_frames(blank)), "frames.zeros")
    assert level == "red"
    assert "Projections 27 to 39" in text


def test_frames_that_are_all_blank_are_red(path: Path) -> None:
    assert (
        "All sampled flats hold nothing but zeros"
        in said(report(path, with_frames(lambda frames: frames.fill(0), "exchange/data_white")), "frames.zeros")[1]
    )


def test_a_single_blank_frame_in_the_sample_is_told(path: Path) -> None:
    def blank(frames: np.ndarray) -> None:
        frames[0] = 0

    assert "the first is 0" in said(report(path, with_frames(blank)), "frames.zeros")[1]


@pytest.mark.parametrize(
    ("values", "units", "code", "level", "words"),
    [
        (np.zeros(ANGLES), "degrees", "angles.none", "red", "the same angle"),
        (np.linspace(0, np.pi, ANGLES), "degrees", "angles.unit", "red", "half a turn in radians"),
        (np.linspace(0, 2 * np.pi, ANGLES), "degrees", "angles.unit", "red", "a turn in radians"),
        (np.linspace(0, 180, ANGLES), "rad", "angles.unit", "red", "they would be 180"),
        (np.linspace(0, 180, ANGLES // 2).repeat(2), "degrees", "angles.repeated", "amber", "20 of 40 angles"),
        (np.append(np.linspace(0, 100, 20), np.linspace(99, 180, 20)), "degrees", "angles.order", "amber", "go back"),
        (np.delete(np.arange(42) * 4.5, [7, 8]), "degrees", "angles.gaps", "amber", "about 2 projections are missing"),
        (np.linspace(0, 120, ANGLES), "degrees", "angles.range", "amber", "less than half a turn"),
        (np.linspace(0, 270, ANGLES), "degrees", "angles.range", "amber", "neither half a turn nor a whole"),
        (np.linspace(0, 1080, ANGLES), "degrees", "angles.range", "amber", "3 turns"),
        (np.linspace(-90, 90, ANGLES), "degrees", "angles.range", "green", "180 degrees"),
        (np.linspace(180, 0, ANGLES, endpoint=False), "degrees", "angles.range", "green", "180 degrees"),
        (np.linspace(0, 2 * np.pi, ANGLES), "rad", "angles.range", "green", "360 degrees"),
    ],
)
def test_angles(path: Path, values: object, units: str, code: str, level: str, words: str) -> None:
    found = report(path, angles(values, units))
    assert said(found, code)[0] == level
    assert words in said(found, code)[1]


def test_angles_that_are_no_numbers_are_one_red_line(path: Path) -> None:
    found = report(path, angles([*range(ANGLES - 1), np.nan]))
    assert [finding.code for finding in found.findings] == ["file.opens"]
    assert "1 of 40 angles are not numbers" in found.findings[0].text


def test_flats_as_dark_as_darks_are_red(path: Path) -> None:
    def change(file: h5py.File) -> None:
        file["exchange/data_white"][:] = file["exchange/data_dark"][:]

    assert said(report(path, change), "flats.dim")[0] == "red"


def test_flats_and_darks_mixed_up_are_red(path: Path) -> None:
    def change(file: h5py.File) -> None:
        file.move("exchange/data_white", "x")
        file.move("exchange/data_dark", "exchange/data_white")
        file.move("x", "exchange/data_dark")

    assert "mixed up" in said(report(path, change), "flats.dim")[1]


def test_flats_darker_than_projections_are_amber(path: Path) -> None:
    def darker(frames: np.ndarray) -> None:
        frames //= 4

    level, text = said(report(path, with_frames(darker, "exchange/data_white")), "projections.brighter")
    assert level == "amber"
    assert "as bright as the flats" in text


def test_missing_references_are_amber(path: Path) -> None:
    def change(file: h5py.File) -> None:
        del file["exchange/data_white"], file["exchange/data_dark"]

    found = report(path, change)
    assert {finding.code for finding in found.of("amber")} == {"flats", "darks"}


def test_saturated_frames_are_told(path: Path) -> None:
    def brighter(frames: np.ndarray) -> None:
        frames[:, :, :8] = 4095
        np.minimum(frames, 4095, out=frames)

    level, text = said(report(path, with_frames(brighter)), "projections.saturated")
    assert level == "amber"
    assert "saturated (4095 counts)" in text


def test_nan_are_counted(path: Path) -> None:
    def change(file: h5py.File) -> None:
        counts = file["exchange/data"][:].astype(np.float32)
        counts[:, 1, 3] = np.nan
        replaced("exchange/data", counts)(file)

    level, text = said(report(path, change), "projections.nan")
    assert level == "amber"
    assert f"{1 / (ROWS * COLUMNS):.2%}" in text


def test_a_scan_of_nan_is_red(path: Path) -> None:
    found = report(path, replaced("exchange/data", np.full((ANGLES, ROWS, COLUMNS), np.nan, np.float32)))
    assert said(found, "projections.nan")[0] == "red"


def test_pixels_without_beam_are_amber(path: Path) -> None:
    def dead(frames: np.ndarray) -> None:
        frames[:, :, 5] = 0

    assert "3.1" in said(report(path, with_frames(dead, "exchange/data_white")), "flats.dead")[1]


def test_a_growing_file_is_red(path: Path) -> None:
    stop = threading.Event()
    os.utime(path)

    def grow() -> None:
        while not stop.wait(0.05):
            os.utime(path)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        found = preflight_file(path)
    finally:
        stop.set()
        writer.join()
    assert said(found, "file.growing")[0] == "red"


def test_waiting_ends_when_the_scan_is_written(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])

    def finish() -> None:
        path.write_bytes(whole)
        os.utime(path, (LONG_AGO, LONG_AGO))

    later = threading.Timer(0.5, finish)
    later.start()
    assert preflight_when_written(path, seconds=60).verdict == "green"
    later.join()


def test_a_disk_that_is_too_small_is_red(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage(10, 9, 1000))
    assert "Free space" in said(report(path), "disk")[1]


def test_quota_is_what_is_left_under_the_hard_limit(tmp_path: Path) -> None:
    quota = _Quota(hard_blocks=1000, space=24_000)
    assert left_of(quota) == 1_000_000
    assert left_of(_Quota(hard_blocks=1, space=5000)) == 0
    left = quota_left(tmp_path)
    assert left is None or left >= 0


def test_red_refuses_and_amber_is_given_back(path: Path) -> None:
    with pytest.raises(ScanFault, match="never written"):
        report(path, interrupted(25)).refuse_red()

    def change(file: h5py.File) -> None:
        del file["exchange/data_dark"]

    path.unlink()
    write_practice_scan(path, columns=COLUMNS, rows=ROWS, angles=ANGLES)
    assert [finding.code for finding in report(path, change).refuse_red()] == ["darks"]


def test_the_command(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("green")
    report(path, interrupted(25))
    assert main(["check", str(path), "--json"]) == 1
    content = json.loads(capsys.readouterr().out)
    assert content["verdict"] == "red"
    assert content["findings"][0]["code"] == "frames.unwritten"
    path.write_bytes(b"no scan")
    assert main(["check", str(path)]) == 1
    assert "not an HDF5 file" in capsys.readouterr().out


@pytest.mark.parametrize("layout", ["contiguous", "frames"])
def test_a_large_scan_is_sampled(tmp_path: Path, layout: str) -> None:
    """Most of its frames are a hole in the file: the report must come from few of them."""
    path = tmp_path / "large.h5"
    with h5py.File(path, "w") as file:
        chunks = (1, 512, 512) if layout == "frames" else None
        data = file.create_dataset("exchange/data", (2000, 1024, 1024), "u2", chunks=chunks)
        file["exchange/theta"] = np.linspace(0, 180, 2000)
        data[0] = 1000
        data[1999] = 1000
    began = time.process_time()
    assert preflight_file(path).verdict == "red"
    assert time.process_time() - began < 4
