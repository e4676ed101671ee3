"""Folders of EDF files, as ESRF wrote them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from stp3.errors import ScanFault
from stp3.readers.edf_folder import EDFFolder
from stp3.scan import Scan, open_scan
from stp3.testing import write_practice_scan
from stp3.testing.reader_contract import ReaderContract

FRAMES = np.arange(8 * 5 * 7, dtype=np.uint16).reshape(8, 5, 7)


class TestEDFFolder(ReaderContract):
    reader = EDFFolder()
    suffix = ""

    def file(self, path: Path) -> Path:
        return path / "tomo_0000.edf"


def put(path: Path, frame: NDArray[np.generic], order: str = "LowByteFirst", name: str = "", **more: object) -> None:
    names = {"uint16": "UnsignedShort", "float32": "FloatValue", "int32": "SignedInteger"}
    keys = {
        "HeaderID": "EH:000001:000000:000000", "ByteOrder": order, "DataType": name or names[frame.dtype.name],
        "Dim_1": frame.shape[1], "Dim_2": frame.shape[0], "motor_mne": "a b c", **more,
    }  # fmt: skip
    header = "{\r\n" + "".join(f"{key} = {value} ;\r\n" for key, value in keys.items())
    data = frame.astype(frame.dtype.newbyteorder(">" if order == "HighByteFirst" else "<"))
    with open(path, "ab") as file:
        file.write((header.ljust(1022) + "}\n").encode() + data.tobytes())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six projections and two pictures after them, with references as ESRF names them."""
    path = tmp_path / "tooth_"
    path.mkdir()
    for number, frame in enumerate(FRAMES):
        put(path / f"tooth_{number:04d}.edf", frame)
    for moment in (0, 6):
        put(path / f"refHST{moment:04d}.edf", FRAMES[0] + 500 + moment)
    put(path / "darkend0000.edf", np.full((5, 7), 300, np.int32))
    (path / "tooth_.info").write_text(
        "Prefix=                 tooth_\nEnergy=                 19\nDistance=               150\n"
        "ScanRange=              180\nTOMO_N=                 6\nDARK_N=                 20\n"
        "PixelSize=              1.4\n"
    )
    return path


def words(scan: Scan, level: str) -> str:
    return " ".join(problem.text for problem in scan.problems if problem.level == level)


def test_a_scan_of_esrf_opens_with_what_its_info_file_says(folder: Path) -> None:
    scan = open_scan(folder)
    assert_array_equal(scan.projections.read(), FRAMES[:6])
    assert_array_equal(scan.projections.read(range(2, 3), np.array([5, 1])), FRAMES[[5, 1], 2:3])
    assert_allclose(np.rad2deg(scan.theta), 30 * np.arange(6))
    assert (scan.energy_kev, scan.distance_mm, scan.pixel_size_um) == (19, 150, 1.4)
    assert "2 pictures after the 6 projections" in words(scan, "info")
    assert not words(scan, "amber")


def test_flats_stand_at_the_projection_of_their_number(folder: Path) -> None:
    assert_array_equal(open_scan(folder).flat_times, [-0.5, 5.5])
    for number in range(2):
        for moment in (0, 3, 6):
            put(folder / f"ref{number:04d}_{moment:04d}.edf", FRAMES[0] + 100 * moment)
    scan = open_scan(folder)  # the averages refHST were made of these
    assert scan.flats is not None
    assert_array_equal(scan.flats.read()[:, 0, 0], [0, 300, 600, 0, 300, 600])
    assert_array_equal(scan.flat_times, [-0.5, 2.5, 5.5, -0.5, 2.5, 5.5])


def test_a_sum_of_darks_is_divided_by_their_number(folder: Path) -> None:
    scan = open_scan(folder)
    assert scan.darks is not None
    assert_array_equal(scan.darks.read(), np.full((1, 5, 7), 15, np.float32))
    put(folder / "dark.edf", np.full((5, 7), 14, np.uint16))
    scan = open_scan(folder)
    assert scan.darks is not None
    assert_array_equal(scan.darks.read(), np.full((1, 5, 7), 14))


@pytest.mark.parametrize("dtype", ["uint16", "float32", "int32"])
@pytest.mark.parametrize("order", ["LowByteFirst", "HighByteFirst"])
def test_many_frames_of_one_file_in_either_byte_order(tmp_path: Path, dtype: str, order: str) -> None:
    for frame in FRAMES:
        put(tmp_path / "scan.edf", frame.astype(dtype), order)
    scan = open_scan(tmp_path)
    assert scan.projections.dtype == np.dtype(dtype)
    assert_array_equal(scan.projections.read(range(1, 4)), FRAMES[:, 1:4])


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"name": "Complex"}, r"bad\.edf has no Dim_1, Dim_2 and DataType .*complex"),
        ({"Compression": "GZIP"}, r"bad\.edf is compressed \(GZIP\)"),
        ({"Dim_3": 4}, r"bad\.edf should hold pictures"),
    ],
)
def test_what_is_not_read_is_named(tmp_path: Path, options: dict[str, object], fault: str) -> None:
    put(tmp_path / "bad.edf", FRAMES[0], **options)  # type: ignore[arg-type]
    with pytest.raises(ScanFault, match=fault):
        open_scan(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a header", b"{\n" + b"x" * 100_000])
def test_damaged_files_are_named(folder: Path, content: bytes) -> None:
    (folder / "tooth_0002.edf").write_bytes(content)
    with pytest.raises(ScanFault, match=r"tooth_0002\.edf"):
        open_scan(folder)


def test_the_library_of_the_format_reads_the_same(tmp_path: Path) -> None:
    import fabio

    fabio.edfimage.EdfImage(data=FRAMES[3].astype(np.float32), header={"title": "a = b; c"}).write(tmp_path / "s0.edf")
    assert_array_equal(open_scan(tmp_path).projections.read()[0], FRAMES[3])
    write_practice_scan(tmp_path / "scan", columns=32, rows=3, angles=4, format="edf")
    with fabio.open(tmp_path / "scan" / "tomo_0002.edf") as image:
        assert_array_equal(image.data, open_scan(tmp_path / "scan").projections.read()[2])
