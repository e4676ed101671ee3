"""A scan: what was measured, read lazily and never written to."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

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


@dataclass(frozen=True)
class Problem:
    """Something about a scan that the user should know, in words."""

    level: Level
    text: str


@dataclass(frozen=True)
class ScanIdentity:
    """What tells one measured file from another, and from itself rewritten."""

    path: str
    inode: int
    size: int
    mtime_ns: int
    head_sha256: str

    @classmethod
    def of(cls, path: Path) -> ScanIdentity:
        """The identity of a file now; the hash covers its first mebibyte. Raises ScanFault."""
        try:
            real = path.resolve(strict=True)
            stat = real.stat()
            if not S_ISREG(stat.st_mode):  # a pipe would be waited for
                raise ScanFault(f"{path} is not a regular file.")
            with open(real, "rb") as file:
                head = hashlib.sha256(file.read(1 << 20)).hexdigest()
        except OSError as error:
            raise ScanFault(f"{path} cannot be read: {os.strerror(error.errno or 0)}.") from error
        return cls(str(real), stat.st_ino, stat.st_size, stat.st_mtime_ns, head)


@dataclass(frozen=True)
class Scan:
    """One measured scan.

    A scan that is part of another says where on the detector it begins and how many pixels became one.
    `theta` is in radians, one angle a projection. `flat_times` places each flat on the axis of projection
    numbers: below 0 before the first projection, above `angles - 1` after the last one.
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
        if ScanIdentity.of(self.path) != self.identity:
            raise ScanFault(f"{self.path} changed while it was being used. Open it again when it is complete.")


def open_scan(path: str | os.PathLike[str]) -> Scan:
    """The scan in a file or folder, by the first reader that knows its format. Raises UsageFault or ScanFault."""
    from stp3.readers import find_reader

    scan_path = Path(path)
    if not scan_path.exists():
        raise UsageFault(f"{scan_path} does not exist. Give the path of a scan (a file or a folder).")
    return find_reader(scan_path).open(scan_path)
