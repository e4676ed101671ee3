"""How fast scans are read and volumes written, against `dd` on the same disk.

python bench/io.py [--folder FOLDER] [--gigabytes 1] [--columns 2048] [--rows 512] [--slab-rows 64] [--dtype float32]
                   [--only read|row|write]

Reading: a scan of uint16 counts is made in each layout (one frame after the other; a chunk for each frame, plain,
with gzip and, where hdf5plugin is installed, with Blosc/LZ4), its pages are dropped from the cache (posix_fadvise),
and it is read as a job reads it: all angles of a slab, slab by slab. "of dd" is the rate against `dd` on the same
file, measured just before, in bytes of the file for dd and in bytes of counts for the scan. One row is what a preview
reads. Writing: slabs of a volume through each writer, on disk and with their checksums, histogram and thumbnails,
against `dd` with conv=fdatasync. Files are removed afterwards.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np

from stp3.readers.hdf5 import H5Frames, Place
from stp3.volume import claim, complete, describe, store
from stp3.writers import Layout, find_writer, format_names

try:
    import hdf5plugin
except ImportError:
    hdf5plugin = None
_BLOCK = 1 << 22


def main() -> None:
    options = parse()
    folder = Path(tempfile.mkdtemp(prefix="stp3-io-", dir=options.folder))
    try:
        if options.only in (None, "read", "row"):
            bench_reading(folder, options)
        if options.only in (None, "write"):
            bench_writing(folder, options)
    finally:
        shutil.rmtree(folder)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--folder", type=Path, help="on the disk to be measured (default: the system's temporary folder)"
    )
    parser.add_argument("--gigabytes", type=float, default=1.0, help="of counts, and of voxels")
    parser.add_argument("--columns", type=int, default=2048)
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--slab-rows", type=int, default=64)
    parser.add_argument("--dtype", choices=("float32", "uint16", "uint8"), default="float32", help="of voxels")
    parser.add_argument("--only", choices=("read", "row", "write"))
    return parser.parse_args()


def layouts(frame: tuple[int, int]) -> Iterator[tuple[str, dict[str, object]]]:
    """The ways in which beamlines store projections."""
    chunk = {"chunks": (1, *frame)}
    yield "contiguous", {}
    yield "chunks of a frame", chunk
    yield "gzip", {**chunk, "compression": "gzip", "compression_opts": 1, "shuffle": True}
    if hdf5plugin:
        yield "Blosc/LZ4", {**chunk, **hdf5plugin.Blosc(cname="lz4", clevel=5)}


def bench_reading(folder: Path, options: argparse.Namespace) -> None:
    frame = options.rows, options.columns
    angles = max(int(options.gigabytes * 1e9 / (2 * frame[0] * frame[1])), 2)
    print(f"reading {angles} angles x {frame[0]} rows x {frame[1]} columns of uint16")
    print("layout               on disk         dd      slabs   of dd  core s/GB     a row     again")
    for name, settings in layouts(frame):
        path = folder / "scan.h5"
        write_scan(path, angles, frame, settings)
        stack = H5Frames(Place(path, "/exchange/data"), (angles, *frame), np.dtype(np.uint16))
        size, plain = path.stat().st_size, 2 * angles * frame[0] * frame[1]
        row_cold, row_warm = time_row(path, stack)
        line = f"{name:18s} {size / 1e9:6.2f} GB"
        if options.only == "row":
            print(f"{line} {'':>39s} {1e3 * row_cold:6.0f} ms {1e3 * row_warm:6.0f} ms")
        else:
            dd = size / cold(path, lambda path=path: dd_read(path))[0]
            wall, core = cold(path, lambda stack=stack: read_slabs(stack, options.slab_rows))
            print(
                f"{line} {dd / 1e9:5.2f} GB/s {plain / wall / 1e9:5.2f} GB/s {100 * plain / wall / dd:5.0f} %"
                f" {core / plain * 1e9:10.2f} {1e3 * row_cold:6.0f} ms {1e3 * row_warm:6.0f} ms"
            )
        path.unlink()


def write_scan(path: Path, angles: int, frame: tuple[int, int], settings: dict[str, object]) -> None:
    """Counts whose upper bits are smooth and whose lower ones are noise, as those of a detector."""
    rng = np.random.default_rng(1)
    beam = (20_000 + 10_000 * np.sin(np.linspace(0, 9, frame[1]))).astype(np.uint16)
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        data = file.create_dataset("exchange/data", (angles, *frame), np.uint16, **settings)
        for number in range(angles):
            data[number] = beam + rng.integers(0, 256, frame, np.uint8)
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def cold(path: Path, work: Callable[[], None]) -> tuple[float, float]:
    """Wall and core seconds of the work when none of the file is in memory."""
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    start, core = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - core


def dd_read(path: Path) -> None:
    subprocess.run(["dd", f"if={path}", "of=/dev/null", f"bs={_BLOCK}", "status=none"], check=True)


def read_slabs(stack: H5Frames, slab_rows: int) -> None:
    rows = stack.shape[1]
    for start in range(0, rows, slab_rows):
        stack.read(range(start, min(start + slab_rows, rows)))


def time_row(path: Path, stack: H5Frames) -> tuple[float, float]:
    """Seconds for one row of all angles, from the disk and from memory."""
    middle = stack.shape[1] // 2

    def read() -> None:
        stack.read(range(middle, middle + 1))

    first, _ = cold(path, read)
    start = time.perf_counter()
    read()
    return first, time.perf_counter() - start


def bench_writing(folder: Path, options: argparse.Namespace) -> None:
    dtype = np.dtype(options.dtype)
    rows = max(int(options.gigabytes * 1e9 / (options.columns**2 * dtype.itemsize)), 1)
    rng = np.random.default_rng(2)
    slab = (rng.normal(100, 20, (min(options.slab_rows, rows), options.columns, options.columns))).astype(dtype)
    rate = dd_write(folder, int(options.gigabytes * 1e9))
    print(f"\nwriting {rows} slices of {options.columns} x {options.columns} {dtype}")
    print(f"dd with fdatasync: {rate / 1e9:.2f} GB/s")
    print("format       slabs   of dd  core s/GB    finish    on disk")
    for name in format_names():
        print(f"{name:8s} {time_writer(folder / name, name, rows, slab, rate)}")
        shutil.rmtree(folder / name)


def dd_write(folder: Path, size: int) -> float:
    """Bytes a second."""
    path, start = folder / "zeros", time.perf_counter()
    count = max(size // _BLOCK, 1)
    command = ["dd", "if=/dev/zero", f"of={path}", f"bs={_BLOCK}", f"count={count}", "conv=fdatasync", "status=none"]
    subprocess.run(command, check=True)
    seconds = time.perf_counter() - start
    path.unlink()
    return count * _BLOCK / seconds


def time_writer(folder: Path, format: str, rows: int, slab: np.ndarray, dd: float) -> str:
    layout = Layout(
        folder, format, range(rows), len(slab), slab.shape[1:], slab.dtype, 1.0, None, "bench", "steps: []\n", {}
    )  # fmt: skip
    writer = find_writer(format)(layout)
    claim(folder, "bench")
    describe(layout, "bench")
    writer.prepare()
    start, core = time.perf_counter(), time.process_time()
    records = []
    for first in range(0, rows, len(slab)):
        some = range(first, min(first + len(slab), rows))
        records.append(store(writer, some, slab[: len(some)]))
    wall, core = time.perf_counter() - start, time.process_time() - core
    start = time.perf_counter()
    complete(writer, records, "bench")
    finish = time.perf_counter() - start
    on_disk = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    rate = layout.nbytes / wall
    return (
        f"{rate / 1e9:5.2f} GB/s {100 * rate / dd:5.0f} % {core / layout.nbytes * 1e9:10.2f}"
        f" {finish:7.2f} s {on_disk / 1e9:7.2f} GB"
    )


if __name__ == "__main__":
    main()
