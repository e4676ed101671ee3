"""Part of a scan as a scan: cropped, binned, fewer angles. Everything after it works as if that had been measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stp3.kernels import memory
from stp3.kernels.threads import pieces
from stp3.scan import chunks, unwritten

if TYPE_CHECKING:
    from stp3.scan import Frames, Scan

_TOGETHER = 32  # frames averaged at once


@dataclass(frozen=True, eq=False)
class PartOfFrames:
    """Some rows, columns and frames (`numbers`, None takes all) of a stack, squares of `binning` pixels averaged."""

    frames: Frames
    rows: range
    columns: range
    binning: int = 1
    numbers: NDArray[np.intp] | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        count = self.frames.shape[0] if self.numbers is None else len(self.numbers)
        return count, len(self.rows) // self.binning, len(self.columns) // self.binning

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.frames.dtype if self.binning == 1 else np.dtype(np.float32)

    def read(self, rows: range | None = None, frames: NDArray[np.intp] | None = None) -> NDArray[Any]:
        """Frames, shape (frames, rows, columns): as stored, or float32 averages."""
        rows = range(self.shape[1]) if rows is None else rows
        size = self.binning
        stored = range(self.rows.start + rows.start * size, self.rows.start + rows.stop * size)
        if self.numbers is not None:
            frames = self.numbers if frames is None else self.numbers[frames]
        data = self.frames.read(stored, frames)[:, :, self.columns.start : self.columns.stop]
        return data if size == 1 else _averaged(data, size, len(rows), self.shape[2])

    def unwritten(self) -> NDArray[np.bool_]:
        """Which frames were not written, or not all of them. Shape (frames,). Raises ScanFault."""
        missing = unwritten(self.frames)
        return missing if self.numbers is None else missing[self.numbers]

    def chunks(self) -> tuple[int, int, int]:
        """What is read at least at once (frames, rows, columns of the detector)."""
        return chunks(self.frames)


def _averaged(data: NDArray[Any], size: int, rows: int, columns: int) -> NDArray[np.float32]:
    out = memory.empty((len(data), rows, columns))
    for some in pieces(len(data), _TOGETHER):
        part = data[some, : rows * size, : columns * size].astype(np.float32)
        lines = part[:, ::size]
        for row in range(1, size):
            lines = lines + part[:, row::size]
        squares = lines[:, :, ::size]
        for column in range(1, size):
            squares = squares + lines[:, :, column::size]
        np.divide(squares, np.float32(size * size), out=out[some])
    return out


def cropped(scan: Scan, *, left: int, right: int, top: int, bottom: int) -> Scan:
    """The scan without so many columns and rows at its sides, at least one of each being left."""
    rows, columns = range(top, scan.rows - bottom), range(left, scan.columns - right)
    return _with_frames(
        scan,
        lambda frames: PartOfFrames(frames, rows, columns),
        row_start=scan.row_start + top * scan.binning,
        column_start=scan.column_start + left * scan.binning,
    )


def binned(scan: Scan, size: int) -> Scan:
    """The scan as a detector with pixels so many times as wide and high would have measured it."""
    rows, columns = range(scan.rows), range(scan.columns)
    return _with_frames(
        scan,
        lambda frames: PartOfFrames(frames, rows, columns, size),
        binning=scan.binning * size,
        pixel_size_um=scan.pixel_size_um * size if scan.pixel_size_um else None,
    )


def with_angles(scan: Scan, numbers: range) -> Scan:
    """The scan with those of its projections only; flats keep their moments between them."""
    rows, columns = range(scan.rows), range(scan.columns)
    return replace(
        scan,
        projections=PartOfFrames(
            scan.projections, rows, columns, numbers=np.arange(scan.angles)[numbers.start : numbers.stop : numbers.step]
        ),
        theta=scan.theta[numbers.start : numbers.stop : numbers.step],
        flat_times=(scan.flat_times - numbers.start) / numbers.step,
        currents=None if scan.currents is None else scan.currents[numbers.start : numbers.stop : numbers.step],
    )


def _with_frames(scan: Scan, part: Any, **changes: Any) -> Scan:
    return replace(
        scan,
        projections=part(scan.projections),
        flats=part(scan.flats) if scan.flats else None,
        darks=part(scan.darks) if scan.darks else None,
        **changes,
    )
