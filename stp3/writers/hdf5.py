"""One HDF5 file for the whole volume (NeXus, NXtomoproc).

An HDF5 file that several write, or that a killed process leaves open, is lost as a whole. So slabs are kept as plain
arrays in the hidden folder `.parts` and the file is put together at the end.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from stp3.durable import Unit, checksum, refusal, sync_folder, write_unit
from stp3.errors import Stp3Error
from stp3.writers.base import Layout, SlabRecord, Writer

_FILE = "volume.h5"
_DATASET = "/entry/data/data"


class HDF5(Writer):
    """`volume.h5` with the voxels in /entry/data/data."""

    name = "hdf5"
    space_factor = 2.0  # the parts and the file made of them

    @property
    def _file(self) -> Path:
        return self.layout.folder / _FILE

    @property
    def _parts(self) -> Path:
        return self.layout.folder / ".parts"

    @staticmethod
    def _part_name(rows: range) -> str:
        return f".parts/rows_{rows.start}_{rows.stop}.raw"

    def prepare(self) -> None:
        self._parts.mkdir(parents=True, exist_ok=True)
        sync_folder(self.layout.folder)

    def write(self, rows: range, slices: NDArray[Any]) -> tuple[Unit, ...]:
        unit = write_unit(self.layout.folder, self._part_name(rows), [np.ascontiguousarray(slices)])
        sync_folder(self._parts)
        return (unit,)

    def finish(self, records: list[SlabRecord]) -> tuple[Unit, ...]:
        temporary = self._file.with_name(f".{_FILE}.{os.getpid()}.part")
        try:
            with h5py.File(temporary, "w") as file:
                _describe(file, self.layout, self._assemble(file, records))
            with open(temporary, "rb") as written:
                os.fsync(written.fileno())
            unit = Unit(_FILE, temporary.stat().st_size, checksum(temporary))
            temporary.replace(self._file)
        except (OSError, RuntimeError) as error:
            reason = error if isinstance(error, OSError) else OSError(*error.args)
            raise refusal(reason, self._file, self.layout.nbytes) from error
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(self.layout.folder)
        return (unit,)

    def _assemble(self, file: h5py.File, records: list[SlabRecord]) -> h5py.Dataset:
        data = file.create_dataset(_DATASET, self.layout.shape, self.layout.dtype)
        for record in records:
            unit = record.units[0]
            if not unit.is_intact(self.layout.folder):
                raise Stp3Error(f"the finished slab {unit.path} was changed or removed. Resume the job to redo it.")
            start = record.rows.start - self.layout.rows.start
            data[start : start + len(record.rows)] = self._part(record.rows)
        return data

    def _part(self, rows: range) -> NDArray[Any]:
        path = self.layout.folder / self._part_name(rows)
        return np.memmap(path, self.layout.dtype, "r", shape=(len(rows), *self.layout.slice_shape))

    def tidy(self) -> None:
        if not self._file.exists():
            return
        for path in self._parts.glob("rows_*.raw"):
            path.unlink()
        if self._parts.exists():
            self._parts.rmdir()

    def done_rows(self) -> list[int]:
        if self._file.exists():
            return list(self.layout.rows)
        parts = (path.stem.split("_") for path in self._parts.glob("rows_*.raw"))
        return sorted(row for _, start, stop in parts for row in range(int(start), int(stop)))

    def read(self, row: int) -> NDArray[Any]:
        if self._file.exists():
            with h5py.File(self._file, "r", locking=False) as file:
                return np.asarray(file[_DATASET][row - self.layout.rows.start])
        slab = self.layout.slab_of(row)
        return np.array(self._part(slab)[row - slab.start])


def _describe(file: h5py.File, layout: Layout, data: h5py.Dataset) -> None:
    """Everything around the voxels, in the words of NeXus."""
    file.attrs["default"] = "entry"
    entry = _group(file, "entry", "NXentry", default="data")
    entry["definition"] = "NXtomoproc"
    group = _group(file, "entry/data", "NXdata", signal="data", axes=["z", "y", "x"])
    data.attrs["interpretation"] = "image"
    data.attrs["first_row"] = layout.rows.start
    if layout.grey_range:
        data.attrs["grey_range"] = layout.grey_range
    for axis, (name, length) in enumerate(zip("zyx", layout.shape, strict=True)):
        group[name] = np.arange(length) * (layout.voxel_size_um or 1.0)
        group[name].attrs["units"] = "um" if layout.voxel_size_um else "voxel"
        group.attrs[f"{name}_indices"] = axis
    process = _group(file, "entry/reconstruction", "NXprocess")
    process["program"] = "STP3"
    process["version"] = str(layout.provenance.get("versions", {}).get("stp3", ""))
    process["date"] = str(layout.provenance.get("started", ""))
    parameters = _group(file, "entry/reconstruction/parameters", "NXcollection")
    parameters["recipe"] = layout.recipe
    parameters["recipe_fingerprint"] = layout.fingerprint
    parameters["provenance"] = json.dumps(dict(layout.provenance))
    if layout.voxel_size_um:
        parameters["voxel_size"] = layout.voxel_size_um
        parameters["voxel_size"].attrs["units"] = "um"


def _group(file: h5py.File, path: str, nexus_class: str, **attributes: Any) -> h5py.Group:
    group = file.require_group(path)
    group.attrs["NX_class"] = nexus_class
    group.attrs.update(attributes)
    return group
