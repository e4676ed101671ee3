"""One contiguous HDF5 file for the whole volume (NeXus, NXtomoproc), slabs written in place.

An HDF5 file that a killed process had open for writing is lost as a whole. So HDF5 makes the file once, with room for
all voxels, and lets go of it; slabs are then written as plain bytes where they belong, by as many processes as there
are. The file gets its name when it is complete.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xxhash
from numpy.typing import NDArray

from stp3.durable import Unit, checksum, refusal, sync_folder, write_unit
from stp3.errors import Stp3Error
from stp3.writers import nexus
from stp3.writers.base import SlabRecord, Writer

_FILE = "volume.h5"
_UNFINISHED = "volume.h5.unfinished"
_DONE = ".done"  # a file for each slab that is in its place
_PIECE = 1 << 24  # bytes written at once
_HEAD = 1 << 16  # room for what describes the volume, so that it stands before the voxels
_ALIGNED = {"alignment_threshold": 4096, "alignment_interval": 4096}


class HDF5(Writer):
    """`volume.h5` with the voxels in /entry/data/data."""

    name = "hdf5"

    @property
    def _file(self) -> Path:
        return self.layout.folder / _FILE

    @property
    def _unfinished(self) -> Path:
        return self.layout.folder / _UNFINISHED

    @property
    def _done(self) -> Path:
        return self.layout.folder / _DONE

    @cached_property
    def _offset(self) -> int:
        """Where the voxels begin in the file."""
        return self._place(nexus.DATA)

    def prepare(self) -> None:
        if not self._file.exists() and not self._unfinished.exists():
            self._make_file()
        self._done.mkdir(exist_ok=True)
        sync_folder(self.layout.folder)

    def write(self, rows: range, slices: NDArray[Any]) -> tuple[Unit, ...]:
        offset = self._offset_of(rows.start)
        content = np.ascontiguousarray(slices).reshape(-1).view(np.uint8).data
        self._put(offset, content)
        write_unit(self.layout.folder, f"{_DONE}/rows_{rows.start}_{rows.stop}", [])
        sync_folder(self._done)
        return (Unit(_UNFINISHED, content.nbytes, xxhash.xxh3_128(content).hexdigest(), offset),)

    def finish(self, records: list[SlabRecord]) -> tuple[Unit, ...]:
        voxels = tuple(replace(unit, path=_FILE) for unit in super().finish(records) if unit.offset)
        if len(voxels) != len(records):
            raise Stp3Error(
                "this volume was begun by an older version of STP3. Start the job again in an empty folder."
            )
        for name, content in nexus.last_words(self.layout, records).items():
            self._put(self._place(name), content.tobytes())
        if not self._file.exists():
            os.link(self._unfinished, self._file)  # the other name goes when the volume is described as complete
        sync_folder(self.layout.folder)
        end = self._offset + self.layout.nbytes
        around = (range(self._offset), range(end, self._file.stat().st_size))
        return (*(self._unit(part) for part in around if part), *voxels)

    def _unit(self, part: range) -> Unit:
        return Unit(_FILE, len(part), checksum(self._file, part.start, len(part)), part.start)

    def tidy(self) -> None:
        if not self._file.exists():
            return
        self._unfinished.unlink(missing_ok=True)
        for path in self._done.glob("rows_*"):
            path.unlink()
        if self._done.exists():
            self._done.rmdir()

    def done_rows(self) -> list[int]:
        if self._file.exists():
            return list(self.layout.rows)
        slabs = (path.name.split("_") for path in self._done.glob("rows_*"))
        return sorted(row for _, start, stop in slabs for row in range(int(start), int(stop)))

    def read(self, row: int) -> NDArray[Any]:
        path = self._file if self._file.exists() else self._unfinished
        slab = self.layout.slab_of(row)
        if path == self._unfinished and not (self._done / f"rows_{slab.start}_{slab.stop}").exists():
            raise FileNotFoundError(f"row {row} is not in its place")
        count = int(np.prod(self.layout.slice_shape))
        image = np.fromfile(path, self.layout.dtype, count, offset=self._offset_of(row))
        return image.reshape(self.layout.slice_shape)

    def _make_file(self) -> None:
        """The file with all that is known before the first voxel; there complete or not at all."""
        temporary = self.layout.folder / f".{_FILE}.{os.getpid()}.part"
        try:
            with h5py.File(temporary, "w", meta_block_size=_HEAD, **_ALIGNED) as file:
                nexus.describe(file, self.layout)
                end = file[nexus.DATA].id.get_offset() + self.layout.nbytes
            os.truncate(temporary, max(end, temporary.stat().st_size))
            with open(temporary, "rb") as written:
                os.fsync(written.fileno())
            temporary.replace(self._unfinished)
        except (OSError, RuntimeError) as error:
            reason = error if isinstance(error, OSError) else OSError(*error.args)
            raise refusal(reason, self._file, self.layout.nbytes) from error
        finally:
            temporary.unlink(missing_ok=True)

    def _place(self, name: str) -> int:
        path = self._file if self._file.exists() else self._unfinished
        try:
            with h5py.File(path, "r", locking=False) as file:
                return int(file[name].id.get_offset())
        except (OSError, KeyError) as error:
            raise Stp3Error(
                f"{path} was changed or removed ({error}). Start the job again in an empty folder."
            ) from error

    def _offset_of(self, row: int) -> int:
        slice_bytes = self.layout.nbytes // len(self.layout.rows)
        return self._offset + (row - self.layout.rows.start) * slice_bytes

    def _put(self, offset: int, content: bytes | memoryview) -> None:
        """Those bytes in their place, durable. Raises Stp3Error when the disk refuses."""
        path, view = self._unfinished if self._unfinished.exists() else self._file, memoryview(content)
        try:
            handle = os.open(path, os.O_WRONLY)
            try:
                done = 0
                while done < len(view):
                    done += os.pwrite(handle, view[done : done + _PIECE], offset + done)
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise refusal(error, path, len(view)) from error
