"""Frames in many files: of each only the wanted rows are read, straight from where they lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stp3.errors import ScanFault
from stp3.kernels import memory
from stp3.kernels.threads import pieces, share
from stp3.scan import regular_file

COMPRESSED = -1
_TOGETHER = 32  # frames that a thread reads at once
_READERS = 8  # files read at once: a file server answers one after the other slowly
Decode = Callable[[Path, Sequence[int], range], Iterable[NDArray[Any]]]
"""Rows of some of the frames of a file, frame after frame."""


@dataclass(frozen=True)
class FileFormat:
    """How the frames of one file lie: all of the same size and type, each whole at its offset or `COMPRESSED`."""

    rows: int
    columns: int
    dtype: np.dtype[Any]
    offsets: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class FileFrames:
    """Frames in files of one folder, opened for each read.

    Frame i is number `page[i]` in `files[file[i]]` and begins at byte `offset[i]`; `decode` gives rows of those that
    are compressed.
    """

    folder: Path
    files: tuple[str, ...]
    file: NDArray[np.int32]
    page: NDArray[np.int32]
    offset: NDArray[np.int64]
    rows: int
    columns: int
    stored: np.dtype[Any]
    decode: Decode | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.file), self.rows, self.columns

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.stored.newbyteorder("=")

    def read(self, rows: range | None = None, frames: NDArray[np.intp] | None = None) -> NDArray[Any]:
        """Frames, shape (frames, rows, columns), in this machine's byte order. Raises ScanFault."""
        rows = range(self.rows) if rows is None else rows
        wanted = np.arange(len(self.file)) if frames is None else np.asarray(frames, np.intp)
        out = memory.empty((len(wanted), len(rows), self.columns), self.stored)

        def read_some(some: slice) -> None:
            places = np.arange(some.start, some.stop)
            for of_one in np.split(places, np.flatnonzero(np.diff(self.file[wanted[some]])) + 1):
                self._read_file(out, of_one, wanted[of_one], rows)

        share(read_some, pieces(len(wanted), _TOGETHER), _READERS)
        return out if self.stored.isnative else out.byteswap(inplace=True).view(self.dtype)

    def _read_file(self, out: NDArray[Any], places: NDArray[np.intp], frames: NDArray[np.intp], rows: range) -> None:
        path = self.folder / self.files[self.file[frames[0]]]
        packed = self.offset[frames] == COMPRESSED
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe is not waited for
            try:
                for place, frame in zip(places[~packed], frames[~packed], strict=True):
                    self._fill(out[place], descriptor, int(self.offset[frame]), rows, path)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise ScanFault(f"{path} can no longer be read: {os.strerror(error.errno or 0)}.") from error
        if packed.any() and self.decode:
            decoded = self.decode(path, [int(page) for page in self.page[frames[packed]]], rows)
            for place, values in zip(places[packed], decoded, strict=True):
                out[place] = values

    def _fill(self, out: NDArray[Any], descriptor: int, offset: int, rows: range, path: Path) -> None:
        buffer = out.view(np.uint8).reshape(-1).data
        start, done = offset + rows.start * self.columns * self.stored.itemsize, 0
        while done < len(buffer):
            count = os.preadv(descriptor, [buffer[done:]], start + done)
            if not count:
                raise ScanFault(f"{path} is cut short: it ends before its frame does. Copy it again.")
            done += count


def frames_of(
    folder: Path, files: Sequence[str], look: Callable[[Path], FileFormat], decode: Decode | None = None
) -> FileFrames:
    """The frames of those files, one file after the other. Raises ScanFault, with the file that does not fit."""
    formats = [look(regular_file(folder / name)) for name in files]
    first = formats[0]
    for name, one in zip(files, formats, strict=True):
        ends = max(one.offsets, default=0) + one.rows * one.columns * one.dtype.itemsize
        if COMPRESSED not in one.offsets and ends > (folder / name).stat().st_size:
            raise ScanFault(f"{folder / name} is cut short: it ends before its last frame does. Copy it again.")
        if (one.rows, one.columns, one.dtype) != (first.rows, first.columns, first.dtype):
            raise ScanFault(
                f"{folder / name} has {one.rows} rows x {one.columns} columns of {one.dtype}, {files[0]} has "
                f"{first.rows} x {first.columns} of {first.dtype}. Take it out of the folder."
            )
    counts = [len(one.offsets) for one in formats]
    return FileFrames(
        folder, tuple(files), np.repeat(np.arange(len(files), dtype=np.int32), counts),
        np.concatenate([np.arange(count, dtype=np.int32) for count in counts]),
        np.concatenate([np.array(one.offsets, np.int64) for one in formats]),
        first.rows, first.columns, first.dtype, decode,
    )  # fmt: skip
