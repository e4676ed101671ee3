"""Which files are offered as scans, and that none outside the visit's folder can be opened."""

import os

import pytest

from stp3.config import DataRoot
from stp3.errors import UsageFault
from stp3.widgets.scan_list import inside, list_scans


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "visit"
    folder.mkdir()
    return DataRoot("v1", "Visit one", folder)


def write(path, age_s=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * 10)
    os.utime(path, (1_700_000_000 - age_s,) * 2)
    return path


def test_scans_of_all_folders_come_newest_first(root):
    write(root.folder / "old.h5", 20)
    write(root.folder / "day1" / "new.NXS", 10)
    write(root.folder / "day1" / "deep" / "newest.hdf5")
    write(root.folder / "notes.txt")
    write(root.folder / ".hidden.h5")
    assert [file.name for file in list_scans(root)] == ["day1/deep/newest.hdf5", "day1/new.NXS", "old.h5"]
    assert [file.bytes for file in list_scans(root)] == [10, 10, 10]


def test_a_folder_with_thousands_of_files_lists_five_hundred(root):
    for number in range(520):
        write(root.folder / f"scan_{number}.h5")
    assert len(list_scans(root)) == 500


def test_a_pipe_is_no_scan(root):
    os.mkfifo(root.folder / "scan.h5")
    assert list_scans(root) == []
    with pytest.raises(UsageFault, match="no plain file"):
        inside(root, root.folder / "scan.h5")


def test_links_that_lead_out_are_not_listed_and_not_opened(root, tmp_path):
    secret = write(tmp_path / "visit2" / "secret.h5")
    (root.folder / "link.h5").symlink_to(secret)
    (root.folder / "other").symlink_to(secret.parent)
    assert list_scans(root) == []
    for path in (
        root.folder / "link.h5",
        root.folder / "other" / "secret.h5",
        root.folder / ".." / "visit2" / "secret.h5",
        secret,
    ):
        with pytest.raises(UsageFault, match="lies outside the folder of Visit one"):
            inside(root, path)


def test_a_link_inside_the_folder_is_followed(root):
    write(root.folder / "raw" / "scan.h5")
    (root.folder / "today.h5").symlink_to(root.folder / "raw" / "scan.h5")
    assert {file.name for file in list_scans(root)} == {"raw/scan.h5", "today.h5"}


def test_a_scan_replaced_by_a_link_after_listing_is_refused(root, tmp_path):
    path = write(root.folder / "scan.h5")
    listed = list_scans(root)[0]
    path.unlink()
    path.symlink_to(write(tmp_path / "visit2" / "secret.h5"))
    with pytest.raises(UsageFault, match="outside"):
        _ = listed.path


def test_a_missing_folder_is_told_in_words(tmp_path):
    with pytest.raises(UsageFault, match="The folder of v9 cannot be opened"):
        list_scans(DataRoot("v9", "", tmp_path / "nowhere"))


def test_folders_of_frames_are_scans(root):
    for name in ("tooth/tooth_0000.tif", "tooth/tooth_0001.tif", "esrf/a0.edf", "esrf/a1.edf", "one/picture.tif"):
        write(root.folder / name)
    for kind in ("projections", "flats"):
        for number in range(2):
            write(root.folder / "bone" / kind / f"{number}.tiff")
    listed = list_scans(root)
    assert sorted(file.name for file in listed) == ["bone", "esrf", "tooth"]
    assert {file.bytes for file in listed} == {20}
    assert next(file for file in listed if file.name == "esrf").path == root.folder / "esrf"


def test_volumes_are_no_scans(root):
    for number in range(3):
        write(root.folder / "volume" / f"slice_{number}.tif")
        write(root.folder / "volume" / "slices" / f"{number}.tif")
    write(root.folder / "volume" / "volume.json")
    assert list_scans(root) == []
