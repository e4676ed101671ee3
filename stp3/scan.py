"""A scan: what was measured, read lazily and never written to."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from stp3 import config
from stp3.detector import from_detector, on_detector
from stp3.errors import ScanFault, UsageFault

Level = Literal["info", "amber", "red"]


class Frames(Protocol):
    """A stack of frames on disk, shape (frames, rows, columns); picklable, opened for each read."""

    @property
    def shape(self) -> tuple[int, int, int]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def read(self, rows: range | None = None, frames: NDArray[np.intp] | None = None) -> NDArray[Any]:
        """Frames as stored, shape (frames, rows, columns); `rows` and `frames` select, None takes all."""
        ...


def unwritten(frames: Frames) -> NDArray[np.bool_]:
    """Which frames were not written, or not all of them, shape (frames,); stacks may tell by a method of that name."""
    told: NDArray[np.bool_] | None = getattr(frames, "unwritten", lambda: None)()
    return np.zeros(frames.shape[0], np.bool_) if told is None else told


def chunks(frames: Frames) -> tuple[int, int, int]:
    """What is read at least at once (frames, rows, columns); stacks may tell by a method of that name."""
    told: tuple[int, int, int] | None = getattr(frames, "chunks", lambda: None)()
    return told or (1, 1, 1)


@dataclass(frozen=True)
class Problem:
    """Something about a scan that the user should know, in words; `code` is the same for all of its kind."""

    level: Level
    text: str
    code: str = "scan"


@dataclass(frozen=True)
class ScanIdentity:
    """What tells one measured file from another, and from itself rewritten."""

    path: str
    inode: int
    size: int
    mtime_ns: int
    head_sha256: str

    @classmethod
    def of(cls, path: Path, files: Sequence[str] = ()) -> ScanIdentity:
        """The identity of a file now; the hash covers its first mebibyte. Raises ScanFault.

        Of a scan in several files, named from the folder `path` (or that of the file `path`): of all of them together,
        the hash then covering their names, sizes and times too.
        """
        folder = path if path.is_dir() else path.parent
        try:
            real = path.resolve(strict=True)
            stats = [regular_file(file).stat() for file in (folder / name for name in files)]
            stat = real.stat() if files else regular_file(real).stat()
            with open(folder / files[0] if files else real, "rb") as file:
                head = hashlib.sha256(file.read(1 << 20))
        except OSError as error:
            raise ScanFault(f"{path} cannot be read: {os.strerror(error.errno or 0)}.") from error
        for name, one in zip(files, stats, strict=True):
            head.update(f"{name}:{one.st_ino}:{one.st_size}:{one.st_mtime_ns};".encode())
        stats = stats or [stat]
        size, time = sum(one.st_size for one in stats), max(one.st_mtime_ns for one in stats)
        return cls(str(real), stat.st_ino, size, time, head.hexdigest())


def regular_file(path: Path) -> Path:
    """The path itself when it is a plain file: a pipe would be waited for. Raises ScanFault."""
    try:
        if S_ISREG(path.stat().st_mode):
            return path
    except OSError as error:
        raise ScanFault(f"{path} cannot be read: {os.strerror(error.errno or 0)}.") from error
    raise ScanFault(f"{path} is not a regular file.")


@dataclass(frozen=True)
class Scan:
    """One measured scan.

    A scan that is part of another says where on the detector it begins and how many pixels became one.
    `theta` is in radians, one angle a projection. `flat_times` places each flat on the axis of projection
    numbers: below 0 before the first projection, above `angles - 1` after the last one. `currents` and `flat_currents`
    are the ring current of each projection and flat, in any one unit; None where they are not stated.
    `theta_stated` is False where the angles had to be assumed. `stated` holds what the scan itself says where the user
    corrected it, by the names of Metadata. `files` are all that a scan in several files consists of, named from the
    folder that `path` is or lies in.
    """

    path: Path
    format: str
    identity: ScanIdentity
    projections: Frames
    theta: NDArray[np.float64]
    flats: Frames | None = None
    darks: Frames | None = None
    flat_times: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    pixel_size_um: float | None = None
    energy_kev: float | None = None
    distance_mm: float | None = None
    row_start: int = 0
    column_start: int = 0
    binning: int = 1
    sample: str = ""
    problems: tuple[Problem, ...] = ()
    files: tuple[str, ...] = ()
    exposure_s: float | None = None
    currents: NDArray[np.float64] | None = None
    flat_currents: NDArray[np.float64] | None = None
    theta_stated: bool = True
    stated: Mapping[str, Any] = field(default_factory=dict)

    @property
    def angles(self) -> int:
        return self.projections.shape[0]

    @property
    def rows(self) -> int:
        return self.projections.shape[1]

    @property
    def columns(self) -> int:
        return self.projections.shape[2]

    def row_on_detector(self, row: float) -> float:
        """Which row of the whole detector a row of this part stands for."""
        return on_detector(row, self.row_start, self.binning)

    def on_detector(self, column: float) -> float:
        """Which column of the whole detector that column of this part is."""
        return on_detector(column, self.column_start, self.binning)

    def from_detector(self, column: float) -> float:
        """Where a column of the whole detector is among those of this part."""
        return from_detector(column, self.column_start, self.binning)

    def check_row(self, row: int) -> int:
        """The row itself when the scan has it. Raises UsageFault."""
        if not 0 <= row < self.rows:
            raise UsageFault(f"row must be between 0 and {self.rows - 1} (the scan has {self.rows} rows), got {row}.")
        return row

    def check_unchanged(self) -> None:
        """Raises ScanFault when the file is no longer the one that was opened."""
        if ScanIdentity.of(self.path, self.files) != self.identity:
            raise ScanFault(f"{self.path} changed while it was being used. Open it again when it is complete.")


def open_scan(
    path: str | os.PathLike[str],
    *,
    metadata: Mapping[str, Any] | None = None,
    layout: str | None = None,
    flats: Sequence[str | os.PathLike[str]] = (),
    darks: Sequence[str | os.PathLike[str]] = (),
) -> Scan:
    """The scan in a file or folder, by the first reader that knows its format. Raises UsageFault or ScanFault.

    `metadata` corrects what the scan states of itself, or does not: `{"energy_kev": 25}` (see stp3.metadata). `layout`
    names one of the site's layouts of HDF5 files. `flats` and `darks` are HDF5 files that hold those of the scan;
    without them files beside it are used that are named so, where the scan has none of its own.
    The files are parsed in a limited child process: they may crash or hang their reader, not this process.
    """
    from stp3 import limited

    scan = _there(path)
    references = [[Path(file) for file in files] for files in (flats, darks)]
    roots = [config.root_of(file) for file in (scan, *references[0], *references[1])]
    site = config.layouts_file()
    readable = [*roots, site] if site else roots
    return limited.call(open_unguarded, scan, metadata, layout, *references, about=scan, readable=readable)


def open_unguarded(
    path: str | os.PathLike[str],
    metadata: Mapping[str, Any] | None = None,
    layout: str | None = None,
    flats: Sequence[str | os.PathLike[str]] = (),
    darks: Sequence[str | os.PathLike[str]] = (),
) -> Scan:
    """The same in this process, for workers, which may be lost. Raises UsageFault or ScanFault."""
    from stp3.metadata import Metadata, corrected
    from stp3.readers import find_reader
    from stp3.readers.by_layout import layout_readers
    from stp3.readers.references import with_references

    scan_path = _there(path)
    reader = layout_readers(layout)[0] if layout else find_reader(scan_path)
    scan = with_references(reader.open(scan_path), [Path(file) for file in flats], [Path(file) for file in darks])
    return corrected(scan, Metadata.of(metadata)) if metadata else scan


def _there(path: str | os.PathLike[str]) -> Path:
    if not Path(path).exists():
        raise UsageFault(f"{path} does not exist. Give the path of a scan (a file or a folder).")
    return Path(path)
