"""What HDF5 readers share: safe opening, links kept inside the scan's folder, frames read lazily, units."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from stp3.errors import ScanFault
from stp3.kernels import memory
from stp3.readers.naming import kind_of

SUFFIXES = (".h5", ".hdf5", ".hdf", ".nxs", ".nx")
_LINKS = 16  # a chain of links longer than this goes round in a circle


def scan_file(path: Path) -> Path:
    """The HDF5 file meant by a path: itself, or the only one in a folder. Raises ScanFault."""
    if not path.is_dir():
        return path
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and not file.name.startswith("."))
    files = [file for file in files if kind_of(file.stem) not in ("flats", "flats after", "darks")] or files
    if not files:
        raise ScanFault(f"The folder has no file ending in {', '.join(SUFFIXES)}.")
    if len(files) > 1:
        some = ", ".join(file.name for file in files[:5]) + (", ..." if len(files) > 5 else "")
        raise ScanFault(f"The folder has {len(files)} HDF5 files; give one of them: {some}.")
    return files[0]


def misfit(path: Path) -> str | None:
    """Why there is no HDF5 file, None when there is one; a pipe is not waited for."""
    try:
        file = scan_file(path)
        if not stat.S_ISREG(file.stat().st_mode):
            return "It is not a regular file."
        with open(file, "rb") as start:
            if not start.read(1):
                return "It is empty."
            return None if h5py.is_hdf5(file) else "It is not an HDF5 file."
    except ScanFault as fault:
        return str(fault)
    except OSError as error:
        return f"It cannot be read: {os.strerror(error.errno or 0)}."


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """The HDF5 file, open for reading without a lock. Raises ScanFault; never waits on a pipe or device."""
    if reason := misfit(path):
        raise ScanFault(f"{path} cannot be opened. {reason}")
    _bring_filters()
    try:
        file = h5py.File(path, "r", locking=False, swmr=is_being_written(path))
    except OSError as error:
        if "already open for write" in str(error):
            raise ScanFault(f"{path} {STILL_OPEN}") from error
        if "truncated file" in str(error):
            raise ScanFault(
                f"{path} is cut short: it ends before its own table of contents says. Copy it again."
            ) from error
        raise ScanFault(f"{path} is damaged: {_first_line(error)}. Copy it again.") from error
    with file:
        yield file


@cache
def _bring_filters() -> None:
    """Brings the compressions that HDF5 itself lacks: Bitshuffle, Blosc, LZ4, Zstandard."""
    import hdf5plugin  # noqa: F401


STILL_OPEN = (
    "is being written, or was left open by a program that died. Wait until it is complete; if the measurement is over, "
    "free a copy of it with `h5clear -s COPY` and use the copy."
)


def is_being_written(path: Path) -> bool:
    """True when the file says that a program writes it for others to read (HDF5's "SWMR")."""
    with open(path, "rb") as file:
        head = file.read(12)
    return len(head) == 12 and head[8] >= 3 and bool(head[11] & 4)  # version and flags of the superblock


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")


@dataclass(frozen=True)
class Place:
    """Where a dataset really is, all links followed: never outside the folder of the scan."""

    file: Path
    name: str


def locate(
    file: h5py.File, name: str, root: Path, links: int = _LINKS, kind: type[h5py.HLObject] = h5py.Dataset
) -> Place | None:
    """Where the dataset (or group, by `kind`) of that name is, None when there is none.

    `root` is the folder that links must not leave. Raises ScanFault for links that may not be followed.
    """
    group: Any = file
    parts = [part for part in name.split("/") if part]
    for number, part in enumerate(parts):
        link = group.get(part, getlink=True) if isinstance(group, h5py.Group) else None
        if link is None:
            return None
        rest = "/".join(parts[number + 1 :])
        if not isinstance(link, h5py.HardLink):
            if not links:
                raise ScanFault(f"the links at {name} go round in a circle.")
            return _follow(file, group, link, rest, root, links - 1, kind)
        group = group[part]
    if not isinstance(group, kind):
        return None
    if isinstance(group, h5py.Dataset):
        check_storage(group, root, links)
    return Place(Path(os.path.realpath(file.filename)), group.name)


def _follow(
    file: h5py.File, group: h5py.Group, link: Any, rest: str, root: Path, links: int, kind: type[h5py.HLObject]
) -> Place | None:
    base = "" if link.path.startswith("/") else group.name
    target = f"{base}/{link.path}/{rest}"
    if isinstance(link, h5py.SoftLink):
        return locate(file, target, root, links, kind)
    with opened(inside(root, Path(file.filename), link.filename)) as other:
        return locate(other, f"{link.path}/{rest}", root, links, kind)


def inside(root: Path, holder: Path, filename: str) -> Path:
    """The file that `holder` refers to, when it exists under `root`. Raises ScanFault."""
    real = referred(holder, filename)
    if not real.is_relative_to(os.path.realpath(root)):
        raise ScanFault(
            f"the scan refers to {filename}, which is outside its folder ({root}). Copy the data into the folder."
        )
    if not real.is_file():
        raise ScanFault(f"the scan refers to {filename}, which does not exist. Copy it into the folder of the scan.")
    return real


def referred(holder: Path, filename: str) -> Path:
    """The real path that `holder` means: as HDF5 does it, what is gone from its absolute place is looked for beside."""
    if Path(filename).is_absolute() and not Path(filename).exists():
        filename = Path(filename).name
    return Path(os.path.realpath(Path(os.path.realpath(holder)).parent / filename))


def broken_link(file: h5py.File, name: str) -> str:
    """What the link of that name, which leads to nothing, should lead to; empty when it is no link."""
    *groups, last = (part for part in name.split("/") if part)
    group: Any = file
    for part in groups:
        if not isinstance(group.get(part, getlink=True), h5py.HardLink):
            return ""
        group = group[part]
        if not isinstance(group, h5py.Group):
            return ""
    link = group.get(last, getlink=True)
    if isinstance(link, h5py.ExternalLink):
        return f"{link.path} of {link.filename}"
    return str(link.path) if isinstance(link, h5py.SoftLink) else ""


def check_storage(dataset: h5py.Dataset, root: Path, links: int = _LINKS) -> None:
    """Raises ScanFault when the values lie in raw files, or in other files that are missing or outside `root`."""
    if dataset.external:
        raise ScanFault(f"{dataset.name} keeps its values in a raw file outside HDF5, which is not allowed.")
    if missing := [number for number in _filters(dataset) if not h5py.h5z.filter_avail(number)]:
        raise ScanFault(
            f"{dataset.name} is compressed by the HDF5 filter {missing[0]}{_FILTERS.get(missing[0], '')}, which is not "
            "known here. Repack the file where it was written: h5repack -f NONE."
        )
    if not dataset.is_virtual:
        return
    holder = Path(dataset.file.filename)
    for filename, name in {(source.file_name, source.dset_name) for source in dataset.virtual_sources()}:
        if not links or "%" in filename:
            raise ScanFault(f"{dataset.name} is put together from {filename} in a way that STP3 does not follow.")
        with opened(holder if filename == "." else inside(root, holder, filename)) as other:
            if locate(other, name, root, links - 1) is None:
                raise ScanFault(f"{dataset.name} needs {name} of {filename}, which does not exist.")


_FILTERS = {
    307: " (BZIP2)", 32000: " (LZF)", 32001: " (Blosc)", 32004: " (LZ4)", 32008: " (Bitshuffle)", 32013: " (ZFP)",
    32015: " (Zstandard)", 32017: " (SZ)", 32026: " (Blosc2)",
}  # fmt: skip


def _filters(dataset: h5py.Dataset) -> list[int]:
    created = dataset.id.get_create_plist()
    return [int(created.get_filter(place)[0]) for place in range(created.get_nfilters())]


@dataclass(frozen=True, eq=False)
class H5Frames:
    """Frames of a 3-D dataset, opened for each read; `numbers` picks some of its frames.

    The dataset is (frame, row, column), or (row, frame, column) where it holds sinograms.
    """

    place: Place
    stored_shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    numbers: NDArray[np.intp] | None = None
    sinograms: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        rows, frames = self.stored_shape[:2] if self.sinograms else self.stored_shape[1::-1]
        return frames if self.numbers is None else len(self.numbers), rows, self.stored_shape[2]

    def read(self, rows: range | None = None, frames: NDArray[np.intp] | None = None) -> NDArray[Any]:
        """Frames as stored, shape (frames, rows, columns). Raises ScanFault when the file can no longer be read."""
        rows = range(self.shape[1]) if rows is None else rows
        chosen = np.arange(self.shape[0]) if frames is None else np.asarray(frames, np.intp)
        numbers = chosen if self.numbers is None else self.numbers[chosen]
        if np.any(np.diff(numbers) <= 0):
            once, back = np.unique(numbers, return_inverse=True)
            return self._read(rows, once)[back]
        return self._read(rows, numbers)

    def unwritten(self) -> NDArray[np.bool_]:
        """Which frames were not written, or not all of them: they read as zeros. Shape (frames,). Raises ScanFault."""
        from stp3.readers.stored import unwritten

        with opened(self.place.file) as file:
            missing = unwritten(file[self.place.name], axis=1 if self.sinograms else 0)
        return missing if self.numbers is None else missing[self.numbers]

    def chunks(self) -> tuple[int, int, int] | None:
        """What HDF5 reads at least at once (frames, rows, columns); None where it reads any value by itself."""
        with opened(self.place.file) as file:
            stored: tuple[int, int, int] | None = file[self.place.name].chunks
        return (stored[1], stored[0], stored[2]) if stored and self.sinograms else stored

    def _read(self, rows: range, numbers: NDArray[np.intp]) -> NDArray[Any]:
        shape = (len(rows), len(numbers)) if self.sinograms else (len(numbers), len(rows))
        out = memory.empty((*shape, self.shape[2]), self.dtype)
        here = np.s_[rows.start : rows.stop]
        try:
            with opened(self.place.file) as file:
                dataset = file[self.place.name]
                for start, run in even_runs(numbers):
                    some, there = np.s_[run.start : run.stop : run.step], np.s_[start : start + len(run)]
                    if self.sinograms:
                        dataset.read_direct(out, (here, some), (slice(None), there))
                    else:
                        dataset.read_direct(out, (some, here), there)
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ScanFault(f"{self.place.file} can no longer be read: {_first_line(error)}. Copy it again.") from error
        return out.swapaxes(0, 1) if self.sinograms else out


def even_runs(numbers: NDArray[np.intp]) -> Iterator[tuple[int, range]]:
    """Rising numbers as few evenly spaced ranges, each with the position of its first: HDF5 reads each at once."""
    steps = np.diff(numbers)
    changes = np.append(np.flatnonzero(np.diff(steps)) + 1, len(steps))
    start = 0
    while start < len(numbers):
        if start == len(numbers) - 1:
            yield start, range(int(numbers[start]), int(numbers[start]) + 1)
            return
        last = int(changes[np.searchsorted(changes, start, side="right")]) if start < len(steps) else start
        yield start, range(int(numbers[start]), int(numbers[last]) + 1, int(steps[start]))
        start = last + 1
