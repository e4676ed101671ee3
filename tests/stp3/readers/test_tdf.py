"""The traps of the beamline's own format."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from stp3.errors import ScanFault
from stp3.readers import find_reader
from stp3.readers.data_exchange import DataExchange
from stp3.readers.tdf import TDF
from stp3.scan import Scan, open_scan
from stp3.testing import write_practice_scan
from stp3.testing.reader_contract import ReaderContract

FRAMES = np.arange(6 * 2 * 4, dtype=np.uint16).reshape(6, 2, 4)
SINOGRAMS = FRAMES.swapaxes(0, 1)


class TestTDF(ReaderContract):
    reader = TDF()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scan.h5"


def scan_with(path: Path, axes: str = "y:theta:x", **changes: NDArray[np.generic] | None) -> Scan:
    """A scan of 6 angles x 2 rows x 4 columns, opened; each change is a dataset of /exchange, None leaves it out."""
    content = {
        "data": SINOGRAMS,
        "data_white": np.full((2, 3, 4), 1000, np.uint16),
        "data_dark": np.full((2, 2, 4), 10, np.uint16),
    }
    with h5py.File(path, "w") as file:
        for name, value in (content | changes).items():
            if value is not None:
                file[f"exchange/{name}"] = value
        file["exchange/data"].attrs["axes"] = axes
    return TDF().open(path)


def with_table(path: Path, names: list[str], seconds: list[int], **attributes: str) -> Scan:
    rows = [(name, f"2019-03-01 10:00:{second:02d}.500") for name, second in zip(names, seconds, strict=True)]
    with h5py.File(path, "a") as file:
        file["provenance/detector_output"] = np.array(rows, [("filename", "S255"), ("timestamp", "S255")])
        file["provenance/detector_output"].attrs.update(attributes)
    return TDF().open(path)


def words(scan: Scan, level: str) -> str:
    return " ".join(problem.text for problem in scan.problems if problem.level == level)


def test_sinograms_become_projections(path: Path) -> None:
    scan = scan_with(path)
    assert scan.projections.shape == (6, 2, 4)
    assert_array_equal(scan.projections.read(), FRAMES)
    assert_array_equal(scan.projections.read(range(1, 2), np.array([4, 1])), FRAMES[[4, 1], 1:])


def test_a_range_of_rows_is_one_piece_of_the_file_and_of_memory(path: Path) -> None:
    read = scan_with(path).projections.read(range(2))
    assert read.swapaxes(0, 1).flags.c_contiguous


def test_the_converters_marks_are_believed_more_than_its_axes(path: Path) -> None:
    scan_with(path)
    with h5py.File(path, "a") as file:
        file["exchange/data"].attrs.update({"axes": "theta:y:x", "min": "0.0", "max": "47"})
    assert find_reader(path).name == "tdf"
    with h5py.File(path, "a") as file:  # as numbers they are nobody's mark
        file["exchange/data"].attrs.update({"min": 0.0, "max": 47.0})
    assert find_reader(path).name == "data-exchange"


def test_other_files_are_data_exchange(path: Path) -> None:
    scan_with(path, axes="theta:y:x")
    assert "not marked as sinograms" in (TDF().misfit(path) or "")
    assert DataExchange().misfit(path) is None


def test_angles_are_0_to_180_without_the_end(path: Path) -> None:
    scan = scan_with(path)
    assert_allclose(scan.theta, np.deg2rad([0, 30, 60, 90, 120, 150]))
    assert "the end left out" in words(scan, "info")


def test_flats_are_told_apart_by_their_timestamps(path: Path) -> None:
    scan_with(path)
    names = [
        f"{kind}_{number:04d}.tif" for kind, count in (("flat", 3), ("dark", 2), ("tomo", 6)) for number in range(count)
    ]
    seconds = [1, 23, 40, 2, 3, *range(10, 40, 5)]
    scan = with_table(path, names, seconds, flat_prefix="flat", dark_prefix="dark", tomo_prefix="tomo")
    assert_allclose(scan.flat_times, [-0.5, 2.5, 5.5])


def test_prefixes_of_which_one_begins_like_another(path: Path) -> None:
    scan_with(path)
    names = ["s_flat_1"] * 3 + ["s_dark_1"] * 2 + ["s_1"] * 6
    scan = with_table(
        path, names, [50, 51, 1, 2, 3, *range(10, 40, 5)], flat_prefix="s_flat", dark_prefix="s_dark", tomo_prefix="s_"
    )
    assert_allclose(scan.flat_times, [5.5, 5.5, -0.5])


def test_frames_that_share_one_his_file_go_by_their_order(path: Path) -> None:
    scan_with(path)
    scan = with_table(path, ["all.his"] * 11, [1, 2, 50, 3, 4, *range(10, 40, 5)])
    assert_allclose(scan.flat_times, [-0.5, -0.5, 5.5])


@pytest.mark.parametrize("table", [None, 4])
def test_without_a_table_that_fits_flats_count_as_before(path: Path, table: int | None) -> None:
    scan = scan_with(path)
    if table:
        scan = with_table(path, ["a.his"] * table, [0] * table)
    assert_array_equal(scan.flat_times, [-0.5] * 3)
    assert "when its flats were taken" in words(scan, "info")


def test_half_precision_is_turned_back(path: Path) -> None:
    values = np.linspace(0, 1.5, 48, dtype=np.float32).reshape(2, 6, 4)
    scan_with(path, data=(values * 10000).astype(np.float16), data_white=None, data_dark=None)
    with h5py.File(path, "a") as file:
        file["exchange/data"].attrs["rescale_factor"] = "10000.0"
    scan = TDF().open(path)
    assert scan.projections.dtype == np.float32
    assert_allclose(scan.projections.read(), values.swapaxes(0, 1), rtol=2**-11)
    with h5py.File(path, "a") as file:
        file["exchange/data"].attrs["rescale_factor"] = "none"
    with pytest.raises(ScanFault, match=r"rescale_factor of /exchange/data .* 'none'"):
        TDF().open(path)


def test_derived_files_need_no_flats(path: Path) -> None:
    scan = scan_with(path, data=SINOGRAMS.astype(np.float32), data_white=None, data_dark=None)
    assert scan.flats is None
    assert not words(scan, "amber")
    assert "divided by flats" in words(scan, "info")
    assert "no flat frames" in words(scan_with(path, data_white=None), "amber")


@pytest.mark.parametrize("post", ["post", "after"])
def test_the_legacy_layout_keeps_flats_of_after_apart(path: Path, post: str) -> None:
    flats, darks = np.full((2, 2, 4), 900, np.uint16), np.full((2, 1, 4), 5, np.uint16)
    with h5py.File(path, "w") as file:
        file["tomo"], file["flat"], file["dark"] = SINOGRAMS, flats, darks
        file[f"flat_{post}"], file[f"dark_{post}"] = flats + 1, darks + 1
    scan = open_scan(path)
    assert scan.format == "tdf"
    assert_array_equal(scan.projections.read(), FRAMES)
    assert scan.flats is not None
    assert scan.darks is not None
    assert_array_equal(scan.flats.read(range(1, 2))[:, 0, 0], [900, 900, 901, 901])
    assert_array_equal(scan.flats.read(None, np.array([3, 0]))[:, 0, 0], [901, 900])
    assert_array_equal(scan.darks.read()[:, 0, 0], [5, 6])
    assert_allclose(scan.flat_times, [-0.5, -0.5, 5.5, 5.5])


def test_energies_are_believed_in_the_unit_they_state(path: Path) -> None:
    scan_with(path)
    for unit, value in (("eV", 22000.0), ("KeV", 22.0)):
        with h5py.File(path, "a") as file:
            file.pop("measurement", None)
            file["measurement/instrument/monochromator/energy"] = value
            file["measurement/instrument/monochromator/energy"].attrs["units"] = unit
        assert TDF().open(path).energy_kev == pytest.approx(22)


def test_flats_of_another_size_are_refused(path: Path) -> None:
    with pytest.raises(ScanFault, match=r"\(2, 5\) rows and columns, the projections \(2, 4\)"):
        scan_with(path, data_white=np.ones((2, 3, 5), np.uint16))


def test_chunks_hold_the_same_numbers(tmp_path: Path) -> None:
    scans = []
    for layout in ("contiguous", "frames"):
        write_practice_scan(tmp_path / f"{layout}.h5", columns=32, rows=3, angles=9, format="tdf", layout=layout)
        scans.append(open_scan(tmp_path / f"{layout}.h5").projections.read())
    write_practice_scan(tmp_path / "other.h5", columns=32, rows=3, angles=9)
    other = open_scan(tmp_path / "other.h5").projections.read()
    for scan in scans:
        assert_array_equal(scan, other)
