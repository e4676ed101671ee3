"""Links that leave the folder, files that lie about what they hold, and huge ones."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest
from numpy.typing import NDArray

from stp3.errors import ScanFault
from stp3.readers.data_exchange import DataExchange
from stp3.readers.hdf5 import even_runs
from stp3.scan import Scan
from stp3.testing import write_practice_scan

FRAMES = np.arange(6 * 2 * 4, dtype=np.uint16).reshape(6, 2, 4)


@pytest.fixture
def visit(tmp_path: Path) -> Path:
    folder = tmp_path / "visit"
    (folder / "raw").mkdir(parents=True)
    return folder


def raw(path: Path, name: str = "frames", data: NDArray[np.uint16] = FRAMES) -> Path:
    with h5py.File(path, "a") as file:
        file[name] = data
    return path


def opened(path: Path) -> Scan:
    return DataExchange().open(path)


def link(visit: Path, target: str | Path, name: str = "frames") -> Path:
    """A scan whose frames are an external link."""
    with h5py.File(visit / "scan.h5", "w") as file:
        file["exchange/theta"] = np.arange(6.0)
        file["exchange/data"] = h5py.ExternalLink(str(target), name)
    return visit / "scan.h5"


def virtual(visit: Path, *sources: tuple[str | Path, str], count: int = 6) -> Path:
    """A scan whose frames are a virtual dataset; each source gives its share of them."""
    share = count // len(sources)
    layout = h5py.VirtualLayout((count, 2, 4), np.uint16)
    for number, (target, name) in enumerate(sources):
        layout[number * share : (number + 1) * share] = h5py.VirtualSource(str(target), name, (share, 2, 4))
    with h5py.File(visit / "scan.h5", "w") as file:
        file["exchange/theta"] = np.arange(float(count))
        file.create_virtual_dataset("exchange/data", layout)
    return visit / "scan.h5"


def level_red(scan: Scan) -> str:
    return " ".join(problem.text for problem in scan.problems if problem.level == "red")


def test_links_inside_the_folder_of_the_scan_are_followed(visit: Path) -> None:
    raw(visit / "raw" / "frames.h5")
    for target in ("raw/frames.h5", visit / "raw" / "frames.h5"):
        np.testing.assert_array_equal(opened(link(visit, target)).projections.read(), FRAMES)
        scan = opened(virtual(visit, (target, "frames")))
        np.testing.assert_array_equal(scan.projections.read(range(1, 2)), FRAMES[:, 1:])
        assert not level_red(scan)


def test_links_that_leave_the_folder_are_refused(visit: Path, tmp_path: Path) -> None:
    secret = raw(tmp_path / "visit-of-others.h5")  # its path begins like the visit's
    (visit / "raw" / "innocent.h5").symlink_to(secret)
    for target in (secret, "../visit-of-others.h5", "raw/innocent.h5", "raw/../../visit-of-others.h5"):
        for path in (link(visit, target), virtual(visit, (target, "frames"))):
            with pytest.raises(ScanFault, match="outside its folder"):
                opened(path)


def test_a_chain_of_links_is_checked_at_every_step(visit: Path, tmp_path: Path) -> None:
    secret = raw(tmp_path / "secret.h5")
    with h5py.File(visit / "raw" / "step.h5", "w") as file:
        file["frames"] = h5py.ExternalLink(str(secret), "frames")
        layout = h5py.VirtualLayout((6, 2, 4), np.uint16)
        layout[:] = h5py.VirtualSource(str(secret), "frames", (6, 2, 4))
        file.create_virtual_dataset("virtual", layout)
    for name in ("frames", "virtual"):
        for path in (link(visit, "raw/step.h5", name), virtual(visit, ("raw/step.h5", name))):
            with pytest.raises(ScanFault, match="outside its folder"):
                opened(path)


def test_angles_behind_a_link_that_leaves_the_folder_are_refused(visit: Path, tmp_path: Path) -> None:
    secret = raw(tmp_path / "secret.h5", "angles")
    path = raw(visit / "scan.h5", "exchange/data")
    with h5py.File(path, "a") as file:
        file["exchange/theta"] = h5py.ExternalLink(str(secret), "angles")
    with pytest.raises(ScanFault, match="outside its folder"):
        opened(path)


def test_links_in_a_circle_end(visit: Path) -> None:
    with h5py.File(visit / "scan.h5", "w") as file:
        file["exchange/data"] = h5py.SoftLink("/other")
        file["other"] = h5py.SoftLink("/exchange/data")
    with pytest.raises(ScanFault, match="circle"):
        opened(visit / "scan.h5")


@pytest.mark.parametrize("make", [link, lambda visit, target: virtual(visit, (target, "frames"))])
def test_a_missing_source_is_refused_and_not_read_as_zeros(visit: Path, make: object) -> None:
    with pytest.raises(ScanFault, match=r"raw/gone\.h5, which does not exist"):
        opened(make(visit, "raw/gone.h5"))  # type: ignore[operator]


def test_a_source_without_the_dataset_is_refused(visit: Path) -> None:
    raw(visit / "raw" / "frames.h5", "others")
    with pytest.raises(ScanFault, match=r"needs frames of raw/frames\.h5"):
        opened(virtual(visit, ("raw/frames.h5", "frames")))


def test_a_virtual_dataset_with_gaps_is_told(visit: Path) -> None:
    raw(visit / "raw" / "frames.h5")
    layout = h5py.VirtualLayout((8, 2, 4), np.uint16)
    layout[:6] = h5py.VirtualSource("raw/frames.h5", "frames", (6, 2, 4))
    with h5py.File(visit / "scan.h5", "w") as file:
        file.create_virtual_dataset("exchange/data", layout)
    assert "25.00% of /exchange/data" in level_red(opened(visit / "scan.h5"))


def test_raw_files_outside_hdf5_are_refused(visit: Path) -> None:
    with h5py.File(visit / "scan.h5", "w") as file:
        file.create_dataset("exchange/data", (1, 2, 4), np.uint8, external=[("/etc/hostname", 0, 8)])
    with pytest.raises(ScanFault, match="raw file outside HDF5"):
        opened(visit / "scan.h5")


def test_chunks_never_written_are_told(visit: Path) -> None:
    for name, chunks in (("some", (1, 2, 4)), ("none", None)):
        with h5py.File(visit / f"{name}.h5", "w") as file:
            data = file.create_dataset("exchange/data", (10, 2, 4), np.uint16, chunks=chunks)
            if chunks:
                data[:7] = 5
    assert "30.00% of /exchange/data" in level_red(opened(visit / "some.h5"))
    assert "100.00% of /exchange/data" in level_red(opened(visit / "none.h5"))


def test_a_huge_scan_opens_at_once_and_is_never_held(tmp_path: Path) -> None:
    """30 GB of frames, most of them a hole in the file, opened in a process that may not have 2 GB."""
    path = tmp_path / "huge.h5"
    with h5py.File(path, "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        space = h5py.h5s.create_simple((3600, 2048, 2048))
        h5py.h5d.create(file.create_group("exchange").id, b"data", h5py.h5t.NATIVE_UINT16, space, plist)
        file["exchange/theta"] = np.arange(3600) / 20
        file["exchange/data"][1800, 1000] = 7
    assert path.stat().st_size > 30e9
    code = (
        "import sys, time, numpy as np; from stp3.scan import open_scan; start = time.perf_counter();"
        "scan = open_scan(sys.argv[1]); print(time.perf_counter() - start);"
        "row = scan.projections.read(range(1000, 1001)); print(row[1800, 0, 5], row[0, 0, 5])"
    )
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))  # noqa: E731
    out = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, preexec_fn=limit, check=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    ).stdout.split()  # fmt: skip
    path.unlink()
    assert float(out[0]) < 20  # reading 30 GB takes longer on any disk
    assert out[1:] == ["7", "0"]


def test_a_row_of_many_frames_is_read_quickly(tmp_path: Path) -> None:
    write_practice_scan(tmp_path / "scan.nxs", columns=128, rows=16, angles=1800, format="nxtomo")
    from stp3.readers.nxtomo import NXtomo

    scan = NXtomo().open(tmp_path / "scan.nxs")
    start = time.process_time()
    scan.projections.read(range(3, 4))
    scan.projections.read(range(3, 4), np.arange(0, 1800, 3))
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    ("numbers", "runs"),
    [
        ([], []),
        ([4], [range(4, 5)]),
        ([0, 1, 2], [range(3)]),
        ([0, 3, 6], [range(0, 7, 3)]),
        ([0, 1, 2, 7, 9, 11, 12], [range(3), range(7, 12, 2), range(12, 13)]),
    ],
)
def test_rising_numbers_become_few_runs(numbers: list[int], runs: list[range]) -> None:
    found = list(even_runs(np.array(numbers, np.intp)))
    assert [run for _, run in found] == runs
    assert [start for start, _ in found] == [sum(map(len, runs[:count])) for count in range(len(runs))]


@pytest.mark.parametrize("filter_name", ["Bitshuffle", "Blosc", "LZ4", "Zstd"])
def test_compressions_of_other_beamlines_open(visit: Path, filter_name: str) -> None:
    with h5py.File(visit / "scan.h5", "w") as file:
        file["exchange/theta"] = np.arange(6.0)
        file.create_dataset("exchange/data", data=FRAMES, chunks=(1, 2, 4), **getattr(hdf5plugin, filter_name)())
    assert np.array_equal(opened(visit / "scan.h5").projections.read(), FRAMES)
