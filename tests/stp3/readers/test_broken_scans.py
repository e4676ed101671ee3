"""Broken scans as beamlines make them: each opens right, or is refused in a sentence with the fault and the way out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from stp3.errors import ScanFault
from stp3.preflight import Report, preflight, preflight_file
from stp3.recipe import Recipe
from stp3.scan import open_scan
from stp3.testing import write_practice_scan

ANGLES, ROWS, COLUMNS = 40, 4, 32
LONG_AGO = 1_700_000_000
DATA = "entry/instrument/detector/data"
Change = Callable[[h5py.File], None]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one good scan of each format."""
    folder = tmp_path_factory.mktemp("whole")
    for name, kind in (("scan.nxs", "nxtomo"), ("scan.h5", "data-exchange")):
        write_practice_scan(folder / name, columns=COLUMNS, rows=ROWS, angles=ANGLES, format=kind)
    return folder


@pytest.fixture
def broken(whole: Path, tmp_path: Path) -> Callable[[str, Change], Path]:
    """A copy of a good scan, changed."""

    def make(name: str, change: Change) -> Path:
        shutil.copy(whole / name, tmp_path / name)
        with h5py.File(tmp_path / name, "a") as file:
            change(file)
        os.utime(tmp_path / name, (LONG_AGO, LONG_AGO))
        return tmp_path / name

    return make


def replaced(name: str, value: object) -> Change:
    """A dataset or a link in place of another."""

    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = value

    return change


def virtual(target: str) -> Change:
    def change(file: h5py.File) -> None:
        layout = h5py.VirtualLayout(file[DATA].shape, "u2")
        layout[:] = h5py.VirtualSource(target, "frames", layout.shape)
        del file[DATA]
        file.create_virtual_dataset(DATA, layout)

    return change


def refused(path: Path) -> str:
    """The sentence with which a scan is refused by both the library and the pre-flight."""
    with pytest.raises(ScanFault) as fault:
        open_scan(path)
    (finding,) = preflight_file(path).findings
    assert (finding.level, finding.code, finding.text) == ("red", "file.opens", str(fault.value))
    assert "Internal error" not in finding.text
    return finding.text


def texts(report: Report, code: str) -> str:
    return " ".join(finding.text for finding in report.findings if finding.code == code)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("scan.nxs", replaced(DATA, h5py.SoftLink("/nowhere")), f"/{DATA} is a link to /nowhere, which does not exist"),
        ("scan.nxs", replaced(DATA, h5py.ExternalLink("gone.h5", "/x")), "gone.h5, which does not exist. Copy it into"),
        ("scan.nxs", virtual("gone.h5"), "gone.h5, which does not exist. Copy it into"),
        ("scan.nxs", virtual("/dls/i12/raw/gone.h5"), "gone.h5, which does not exist. Copy it into"),
        ("scan.h5", replaced("exchange/theta", np.array([b"0"] * ANGLES)), "Write them into the file as degrees"),
        ("scan.h5", replaced("exchange/theta", np.full(ANGLES, np.nan)), "40 of 40 angles are not numbers"),
        ("scan.h5", replaced("exchange/data", np.zeros((0, 4, 32), "u2")), "/exchange/data is empty"),
        ("scan.h5", replaced("exchange/data", np.zeros((1, 40, 4, 32), "u2")), "3 dimensions, it has 4"),
        ("scan.h5", replaced("exchange/data", np.zeros((40, 4, 32), complex)), "complex128"),
        ("scan.h5", replaced("exchange/data_white", np.ones((3, 4, 30), "u2")), "have (4, 30) rows and columns"),
        ("scan.nxs", replaced("entry/instrument/detector/image_key", np.array([b"x"] * 60)), "numbers 0 to 3"),
        ("scan.nxs", replaced("entry/sample/rotation_angle", np.arange(7.0)), "7 angles for 60 frames"),
    ],
)
def test_what_cannot_be_right_is_refused(
    broken: Callable[[str, Change], Path], name: str, change: Change, words: str
) -> None:
    assert words in refused(broken(name, change))


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "It is empty"), (b"<html>404</html>", "not an HDF5 file"), (b"\x89HDF\r\n", "not an HDF5")],
)
def test_files_that_are_no_hdf5_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "scan.h5"
    path.write_bytes(content)
    assert words in refused(path)


def test_a_file_cut_short_is_refused(whole: Path, tmp_path: Path) -> None:
    for name in ("scan.h5", "scan.nxs"):
        content = (whole / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) * 2 // 3])
        assert "cut short" in refused(tmp_path / name)


def test_a_link_whose_source_was_moved_beside_the_scan_is_followed(
    broken: Callable[[str, Change], Path], whole: Path, tmp_path: Path
) -> None:
    """As HDF5 itself does, for a scan that was copied together with its sources."""
    with h5py.File(whole / "scan.nxs") as good, h5py.File(tmp_path / "raw.h5", "w") as raw:
        raw["frames"] = frames = good[DATA][:]
    for change in (replaced(DATA, h5py.ExternalLink("/dls/i12/raw.h5", "/frames")), virtual("/dls/i12/raw.h5")):
        path = broken("scan.nxs", change)
        np.testing.assert_array_equal(
            open_scan(path).projections.read(), open_scan(whole / "scan.nxs").projections.read()
        )
        assert preflight_file(path).verdict == "green"
    with h5py.File(tmp_path / "raw.h5", "a") as raw:  # a source that is shorter than promised
        del raw["frames"]
        raw["frames"] = frames[:50]
    assert "never written" in texts(preflight_file(path), "frames.unwritten")


def test_a_dangling_link_to_the_angles_is_told(broken: Callable[[str, Change], Path]) -> None:
    report = preflight_file(broken("scan.nxs", replaced("entry/sample/rotation_angle", h5py.SoftLink("/motors/rot"))))
    assert report.verdict == "amber"
    assert "/entry/sample/rotation_angle is a link to /motors/rot" in texts(report, "links.broken")
    assert "No angles are stated" in texts(report, "angles.assumed")


def test_a_dangling_link_to_what_a_scan_can_do_without_is_told(broken: Callable[[str, Change], Path]) -> None:
    path = broken("scan.nxs", replaced("entry/sample/name", h5py.ExternalLink("gone.h5", "/name")))
    report = preflight_file(path)
    assert open_scan(path).sample == ""
    assert report.verdict == "amber"
    assert "gone.h5, which does not exist" in texts(report, "links.broken")


def test_one_dangling_detector_does_not_hide_another(broken: Callable[[str, Change], Path]) -> None:
    def change(file: h5py.File) -> None:
        file.move("entry/instrument/detector", "entry/instrument/pco")
        file["entry/instrument/detector/image_key"] = np.zeros(3)
        file["entry/instrument/detector/data"] = h5py.ExternalLink("gone.h5", "/x")

    assert open_scan(broken("scan.nxs", change)).angles == ANGLES


DIES = """
import os, sys, h5py
path, source, data, frames, swmr = sys.argv[1:]
good, file = h5py.File(source), h5py.File(path, "w", libver="latest")
good.copy("entry", file)
del file[data]
stack = file.create_dataset(data, good[data].shape, "u2", chunks=(1, *good[data].shape[1:]))
if swmr == "True":
    file.swmr_mode = True
stack[: int(frames)] = good[data][: int(frames)]
file.flush()
os._exit(0)
"""


def died(path: Path, source: Path, frames: int, *, swmr: bool) -> None:
    """A scan whose writer died after so many frames."""
    subprocess.run([sys.executable, "-c", DIES, path, source, DATA, str(frames), str(swmr)], check=True)
    os.utime(path, (LONG_AGO, LONG_AGO))


def test_a_file_left_open_by_a_writer_that_died_is_refused_with_the_way_out(whole: Path, tmp_path: Path) -> None:
    died(tmp_path / "scan.nxs", whole / "scan.nxs", 45, swmr=False)
    assert "h5clear -s COPY" in refused(tmp_path / "scan.nxs")


def test_a_scan_that_is_being_written_can_be_looked_at_but_not_reconstructed(whole: Path, tmp_path: Path) -> None:
    died(tmp_path / "scan.nxs", whole / "scan.nxs", 45, swmr=True)
    good = open_scan(whole / "scan.nxs").projections.read()
    np.testing.assert_array_equal(open_scan(tmp_path / "scan.nxs").projections.read()[:30], good[:30])
    report = preflight_file(tmp_path / "scan.nxs")
    assert {finding.code for finding in report.of("red")} == {"file.growing", "frames.unwritten"}


def test_an_interrupted_scan_can_be_used_as_far_as_it_goes(broken: Callable[[str, Change], Path]) -> None:
    def change(file: h5py.File) -> None:
        frames = file[DATA][:]
        del file[DATA]
        file.create_dataset(DATA, frames.shape, "u2", chunks=(1, 2, COLUMNS))[:45] = frames[:45]

    path = broken("scan.nxs", change)
    report = preflight_file(path)
    assert report.verdict == "red"
    assert "last = 29" in texts(report, "frames.unwritten")
    scan = open_scan(path)
    assert scan.flats is not None
    assert scan.flats.shape[0] == 5  # those after the scan were never taken
    assert scan.flats.read().any(axis=(1, 2)).all()
    found = preflight(scan, Recipe.default().with_step("angles", last=29))
    assert found.verdict == "amber"
    assert "5 of 10 flats were never written and are left out" in texts(found, "flats.unwritten")


def test_a_stack_shorter_than_its_key_can_be_used_when_that_is_chosen(broken: Callable[[str, Change], Path]) -> None:
    def change(file: h5py.File) -> None:
        replaced(DATA, file[DATA][:45])(file)

    path = broken("scan.nxs", change)
    report = preflight_file(path)
    assert "announces 60 frames, the stack has 45" in texts(report, "frames.count")
    assert report.verdict == "red"
    assert preflight(open_scan(path), Recipe.default().with_step("angles", last=29)).verdict == "amber"


def test_a_compression_that_is_not_installed_is_named(broken: Callable[[str, Change], Path]) -> None:
    def change(file: h5py.File) -> None:
        frames = file["exchange/data"][:]
        del file["exchange/data"]
        created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        created.set_chunk((1, ROWS, COLUMNS))
        created.set_filter(32099, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple(frames.shape)
        dataset = h5py.h5d.create(file["exchange"].id, b"data", h5py.h5t.NATIVE_UINT16, space, created)
        for number, frame in enumerate(frames):
            dataset.write_direct_chunk((number, 0, 0), frame.tobytes(), 0)

    assert "filter 32099, which is not known here. Repack" in refused(broken("scan.h5", change))


def test_a_damaged_chunk_is_a_red_line_and_not_a_wrong_picture(broken: Callable[[str, Change], Path]) -> None:
    places = []

    def change(file: h5py.File) -> None:
        frames = file["exchange/data"][:]
        del file["exchange/data"]
        data = file.create_dataset("exchange/data", data=frames, chunks=(1, ROWS, COLUMNS), compression="gzip")
        places.append(data.id.get_chunk_info(0).byte_offset)

    path = broken("scan.h5", change)
    content = bytearray(path.read_bytes())
    content[places[0] + 2 : places[0] + 40] = b"\xff" * 38
    path.write_bytes(content)
    os.utime(path, (LONG_AGO, LONG_AGO))
    assert "Copy it again" in texts(preflight_file(path), "file.reads")
    with pytest.raises(ScanFault, match="can no longer be read"):
        open_scan(path).projections.read()


@pytest.mark.parametrize("dtype", [">u2", "<i4", ">f4", "<f8", "u1"])
def test_frames_of_any_number_type_are_read_right(
    broken: Callable[[str, Change], Path], whole: Path, dtype: str
) -> None:
    with h5py.File(whole / "scan.h5") as file:
        frames = (file["exchange/data"][:] // (256 if dtype == "u1" else 1)).astype(dtype)
    path = broken("scan.h5", replaced("exchange/data", frames))
    np.testing.assert_array_equal(open_scan(path).projections.read(), frames)


def test_legacy_data_exchange_without_angles_flats_or_units_opens_and_says_what_it_assumes(
    broken: Callable[[str, Change], Path],
) -> None:
    def change(file: h5py.File) -> None:
        for name in ("exchange/theta", "exchange/theta_white", "exchange/data_dark", "measurement", "implements"):
            del file[name]
        for name in ("exchange/data", "exchange/data_white"):
            for key in list(file[name].attrs):
                del file[name].attrs[key]

    path = broken("scan.h5", change)
    scan, report = open_scan(path), preflight_file(path)
    assert (scan.angles, scan.pixel_size_um) == (ANGLES, None)
    assert report.verdict == "amber"
    assert {"angles.assumed", "darks"} <= {finding.code for finding in report.of("amber")}


def test_a_half_acquisition_scan_is_green(tmp_path: Path) -> None:
    write_practice_scan(tmp_path / "scan.h5", columns=64, rows=2, angles=90, faults={"half"})
    os.utime(tmp_path / "scan.h5", (LONG_AGO, LONG_AGO))
    report = preflight_file(tmp_path / "scan.h5")
    assert report.verdict == "green"
    assert "360 degrees" in texts(report, "angles.range")


def test_a_source_that_changes_is_noticed_like_the_scan_itself(
    broken: Callable[[str, Change], Path], whole: Path, tmp_path: Path
) -> None:
    with h5py.File(whole / "scan.nxs") as good, h5py.File(tmp_path / "raw.h5", "w") as raw:
        raw["frames"] = good[DATA][:]
    os.utime(tmp_path / "raw.h5", (LONG_AGO, LONG_AGO))
    for change in (replaced(DATA, h5py.ExternalLink("raw.h5", "/frames")), virtual("raw.h5")):
        scan = open_scan(broken("scan.nxs", change))
        assert str(tmp_path / "raw.h5") in scan.files
        scan.check_unchanged()
        os.utime(tmp_path / "raw.h5")
        with pytest.raises(ScanFault, match="changed while it was being used"):
            scan.check_unchanged()
        os.utime(tmp_path / "raw.h5", (LONG_AGO, LONG_AGO))
    (tmp_path / "raw.h5").rename(tmp_path / "old.h5")
    with pytest.raises(ScanFault):
        scan.check_unchanged()
