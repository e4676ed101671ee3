"""Folders of TIFF files, as beamlines and people name and number them."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.testing import assert_allclose, assert_array_equal

from stp3.errors import ScanFault, UsageFault
from stp3.readers.tiff_folder import TIFFFolder
from stp3.scan import Scan, open_scan
from stp3.testing import write_practice_scan
from stp3.testing.reader_contract import ReaderContract

FRAMES = np.arange(6 * 5 * 7, dtype=np.uint16).reshape(6, 5, 7)


class TestTIFFFolder(ReaderContract):
    reader = TIFFFolder()
    suffix = ""

    def file(self, path: Path) -> Path:
        return path / "tomo_0000.tif"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "tooth"
    path.mkdir()
    return path


def put(folder: Path, name: str, frame: object = FRAMES[0], **options: object) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    tifffile.imwrite(path, frame, photometric="minisblack", **options)


def put_series(folder: Path, pattern: str = "tooth_{:04d}.tif", first: int = 0, **options: object) -> None:
    for number, frame in enumerate(FRAMES, first):
        put(folder, pattern.format(number), frame, **options)


def words(scan: Scan, level: str) -> str:
    return " ".join(problem.text for problem in scan.problems if problem.level == level)


@pytest.mark.parametrize(
    ("pattern", "first"), [("tooth_{}.tif", 7), ("t1_{:06d}.TIFF", 0), ("{:03d}_tooth.tif", 1), ("s2.5um{}.tif", 95)]
)
def test_frames_come_in_the_order_of_their_numbers(folder: Path, pattern: str, first: int) -> None:
    put_series(folder, pattern, first)
    assert_array_equal(open_scan(folder).projections.read(), FRAMES)


@pytest.mark.parametrize(
    ("flat", "after", "dark"),
    [
        ("flat_{:04d}.tif", "flat_after_{:04d}.tif", "dark_{:04d}.tif"),
        ("Flats/im{}.tif", "postFlats/im{}.tif", "Darks/im{}.tif"),
        ("toothFF{:03d}.tif", "toothFF_post{:03d}.tif", "tooth_DF_{:03d}.tif"),
        ("pre/white{}.tif", "post/white{}.tif", "darkfield/d{}.tif"),
    ],
)
def test_flats_and_darks_are_known_by_words_in_their_names(folder: Path, flat: str, after: str, dark: str) -> None:
    put_series(folder)
    for number in range(3):
        put(folder, flat.format(number), FRAMES[0] + 1000)
        put(folder, dark.format(number), FRAMES[0] * 0 + 3)
    put(folder, after.format(0), FRAMES[0] + 2000)
    scan = open_scan(folder)
    assert scan.flats is not None
    assert scan.darks is not None
    assert_array_equal(scan.flats.read()[:, 0, 0], [1000, 1000, 1000, 2000])
    assert_array_equal(scan.flat_times, [-0.5, -0.5, -0.5, 5.5])
    assert_array_equal(scan.darks.read(), np.full((3, 5, 7), 3))


def test_words_that_only_begin_like_a_flat_are_no_flats(folder: Path) -> None:
    put_series(folder, "flatfish_{:04d}.tif")
    scan = open_scan(folder)
    assert scan.angles == 6
    assert "no flat frames" in words(scan, "amber")


@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}, {"imagej": True}, {"rowsperstrip": 2}])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_pages_of_one_file_are_frames(folder: Path, options: dict[str, object], dtype: str) -> None:
    put(folder, "projections.tif", FRAMES.astype(dtype), **options)
    put(folder, "flats.tif", FRAMES[:2].astype(dtype), **options)
    scan = open_scan(folder)
    assert scan.projections.dtype == np.dtype(dtype)
    assert scan.projections.dtype.isnative
    assert_array_equal(scan.projections.read(), FRAMES)
    assert_array_equal(scan.projections.read(range(1, 3), np.array([4, 0, 4])), FRAMES[[4, 0, 4], 1:3])
    assert scan.flats is not None
    assert scan.flats.shape == (2, 5, 7)


@pytest.mark.parametrize(
    "options",
    [{"compression": "zlib"}, {"compression": "zlib", "rowsperstrip": 2}, {"compression": "zlib", "tile": (16, 16)}],
)
@pytest.mark.parametrize("predictor", [True, False])
def test_compressed_frames_are_decoded(folder: Path, options: dict[str, object], predictor: bool) -> None:
    put(folder, "projections.tif", FRAMES, predictor=predictor, **options)
    scan = open_scan(folder)
    for rows in (range(5), range(1, 4), range(4, 5)):
        assert_array_equal(scan.projections.read(rows, np.array([5, 2])), FRAMES[[5, 2], rows.start : rows.stop])


def test_only_the_strips_of_the_wanted_rows_are_decoded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_series(folder, compression="zlib", rowsperstrip=1)
    scan, decoded = open_scan(folder), []
    decode = tifffile.TiffPage.decode.func  # type: ignore[attr-defined]
    monkeypatch.setattr(
        tifffile.TiffPage, "decode", property(lambda page: lambda *args: decoded.append(args[1]) or decode(page)(*args))
    )
    scan.projections.read(range(2, 4))
    assert sorted(decoded) == [2] * 6 + [3] * 6


def test_angles_stand_beside_the_frames(folder: Path) -> None:
    put_series(folder)
    (folder / "notes.txt").write_text("12 frames\n3 darks")
    (folder / "angles.txt").write_text("# number, angle\n" + "\n".join(f"{n}, {30.5 * n}" for n in range(6)))
    scan = open_scan(folder)
    assert_allclose(np.rad2deg(scan.theta), 30.5 * np.arange(6))
    assert "angles.txt" in scan.files


@pytest.mark.parametrize(("before", "after"), [(4, 0), (0, 4), (3, 1), (1, 3)])
def test_angles_of_flats_and_darks_are_left_out(folder: Path, before: int, after: int) -> None:
    put_series(folder)
    for name in ("flat", "dark"):
        for number in range(2):
            put(folder, f"{name}_{number}.tif")
    angles = [-90.0] * before + [-90 + 36.0 * number for number in range(6)] + [90.0] * after
    (folder / "theta.csv").write_text("\n".join(map(str, angles)))
    scan = open_scan(folder)
    assert_allclose(np.rad2deg(scan.theta), -90 + 36 * np.arange(6))
    assert not words(scan, "amber")


def test_a_list_of_angles_that_does_not_fit_is_told(folder: Path) -> None:
    put_series(folder)
    (folder / "angles.txt").write_text("\n".join(str(30 * n) for n in range(8)))
    assert "states 8 angles for 6 projections" in words(open_scan(folder), "amber")
    (folder / "angles.txt").write_text("0\n30\n60\n90")
    with pytest.raises(ScanFault, match=r"angles\.txt states 4 angles for 6"):
        open_scan(folder)


def test_without_angles_half_a_turn_is_taken_and_told(folder: Path) -> None:
    put_series(folder)
    scan = open_scan(folder)
    assert_allclose(scan.theta, np.linspace(0, np.pi, 6))
    assert "No angles are stated" in words(scan, "amber")
    (folder / "scan.yaml").write_text("angle_range_deg: 360\nenergy_kev: 21\nsample: tooth\n")
    scan = open_scan(folder)
    assert_allclose(scan.theta, np.linspace(0, 2 * np.pi, 6))
    assert (scan.energy_kev, scan.sample) == (21, "tooth")
    (folder / "scan.yaml").write_text("energy: 21\n")
    with pytest.raises(ScanFault, match=r"scan\.yaml: there is no 'energy' among energy_kev"):
        open_scan(folder)


def test_a_missing_number_is_named(folder: Path) -> None:
    put_series(folder)
    (folder / "tooth_0003.tif").unlink()
    with pytest.raises(UsageFault, match=r"Frame 3 is missing after tooth_0002\.tif: the next is tooth_0004\.tif"):
        open_scan(folder)


def test_two_files_of_one_number_are_named(folder: Path) -> None:
    put_series(folder, "tooth_{:03d}.tif")
    put(folder, "tooth_4.tif")
    with pytest.raises(UsageFault, match=r"same number|several series"):
        open_scan(folder)


def test_several_series_are_not_guessed_among(folder: Path) -> None:
    put_series(folder)
    put_series(folder, "bone_{:04d}.tif")
    with pytest.raises(UsageFault, match=r"several series of frames: bone_# \(6\), tooth_# \(6\)"):
        open_scan(folder)
    put_series(folder, "proj_{:04d}.tif")
    assert open_scan(folder).projections.shape == (6, 5, 7)


def test_a_folder_of_flats_only_is_refused(folder: Path) -> None:
    put_series(folder, "flat_{:04d}.tif")
    with pytest.raises(UsageFault, match="there are no projections"):
        open_scan(folder)


@pytest.mark.parametrize(
    ("name", "frame", "fault"),
    [
        (
            "tooth_0002.tif",
            np.zeros((5, 8), np.uint16),
            r"tooth_0002\.tif has 5 rows x 8 columns of uint16, tooth",
        ),
        ("tooth_0002.tif", np.zeros((5, 7), np.float32), r"tooth_0002\.tif has 5 rows x 7 columns of float32"),
        ("flat_0000.tif", np.zeros((4, 7), np.uint16), r"flat_0000\.tif has 4 rows x 7 columns, the projections"),
        ("tooth_0003.tif", np.zeros((2, 5, 7), np.complex64), r"tooth_0003\.tif has pixels of 64 bits"),
    ],
)
def test_what_does_not_fit_is_named(folder: Path, name: str, frame: object, fault: str) -> None:
    put_series(folder)
    put(folder, name, frame)
    with pytest.raises(ScanFault, match=fault):
        open_scan(folder)


def test_colour_pictures_and_damaged_files_are_named(folder: Path) -> None:
    put_series(folder)
    (folder / "tooth_0004.tif").write_bytes(b"II*\0 and then nothing of the kind")
    with pytest.raises(ScanFault, match=r"tooth_0004\.tif"):
        open_scan(folder)
    tifffile.imwrite(folder / "tooth_0004.tif", np.zeros((5, 7, 3), np.uint8), photometric="rgb")
    with pytest.raises(ScanFault, match=r"tooth_0004\.tif .* colour"):
        open_scan(folder)


def test_links_out_of_the_folder_are_refused(folder: Path) -> None:
    put_series(folder)
    put(folder.parent, "secret.tif")
    (folder / "tooth_0006.tif").symlink_to(folder.parent / "secret.tif")
    with pytest.raises(UsageFault, match=r"tooth_0006\.tif is a link out of the folder"):
        open_scan(folder)


def test_the_only_folder_with_frames_is_gone_into(folder: Path) -> None:
    put_series(folder)
    (folder / "angles.txt").write_text("\n".join(str(7 * n) for n in range(6)))
    (folder.parent / "logs" / "today").mkdir(parents=True)
    scan = open_scan(folder.parent)
    assert scan.path == folder
    assert_allclose(np.rad2deg(scan.theta), 7 * np.arange(6))


def test_a_file_of_it_names_the_folder_to_give(folder: Path) -> None:
    put_series(folder)
    with pytest.raises(ScanFault, match=f"tiff: TIFF files are read by the folder; give {folder}"):
        open_scan(folder / "tooth_0000.tif")


def test_many_page_files_hold_the_same_scan(tmp_path: Path) -> None:
    scans = []
    for layout in ("contiguous", "frames"):
        write_practice_scan(tmp_path / layout, columns=32, rows=3, angles=9, format="tiff", layout=layout)
        scans.append(open_scan(tmp_path / layout))
    one, other = scans
    assert len(other.files) == 6
    assert_array_equal(one.projections.read(), other.projections.read())
    assert_array_equal(one.flat_times, other.flat_times)
    assert_array_equal(one.theta, other.theta)


def test_a_measured_folder_is_the_scan_of_its_nxtomo_file(measured: Path, tmp_path: Path) -> None:
    with tarfile.open(measured / "i13_24737_tiff.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    folder, nexus = open_scan(tmp_path), open_scan(measured / "i13_24737_nxtomo.nxs")
    assert folder.flats is not None
    assert nexus.flats is not None
    assert_array_equal(folder.projections.read(), nexus.projections.read())
    assert_array_equal(folder.flats.read(), nexus.flats.read())
    assert_allclose(folder.theta, nexus.theta, rtol=0, atol=1e-12)
    assert "111 angles for 91 projections" in words(folder, "amber")
