"""Which reader opens what, and what is said when none does."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from stp3.errors import ScanFault, UsageFault
from stp3.readers import find_reader, readers
from stp3.scan import open_scan
from stp3.testing import write_practice_scan


def test_the_built_in_readers_are_registered() -> None:
    assert {"data-exchange", "nxtomo"} <= {reader.name for reader in readers()}


def test_a_file_of_no_format_is_told_what_each_reader_missed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["measurement"] = 1.0
    missed = r"data-exchange: It has no /exchange/data; .*nxtomo: It has no entry.*tdf: It has neither"
    with pytest.raises(ScanFault, match=missed):
        find_reader(tmp_path / "other.h5")


def test_a_text_is_no_scan(tmp_path: Path) -> None:
    (tmp_path / "scan.h5").write_text("hello")
    with pytest.raises(ScanFault, match=r"not a scan that STP3 reads \(.*data-exchange.*: It is not an HDF5 file; "):
        open_scan(tmp_path / "scan.h5")


def test_a_folder_of_several_scans_is_a_fault_of_the_call(tmp_path: Path) -> None:
    for name in ("one.h5", "two.nxs"):
        write_practice_scan(tmp_path / name, columns=32, rows=1, angles=2)
    with pytest.raises(UsageFault, match=r"2 HDF5 files; give one of them: one\.h5, two\.nxs"):
        open_scan(tmp_path)


def test_an_empty_folder_is_a_fault_of_the_call(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match=r"no file ending in \.h5"):
        open_scan(tmp_path)


def test_a_path_that_is_not_there_is_a_fault_of_the_call(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match="does not exist"):
        open_scan(tmp_path / "scan.h5")
