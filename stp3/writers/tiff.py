"""A stack of TIFF files, one for each slice, named by detector row."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from stp3.durable import Unit, sync_folder, write_unit
from stp3.kernels.threads import share
from stp3.writers.base import Writer

_UM_PER_CM = 1e4
_FILES_AT_ONCE = 4  # waiting until a file is on disk takes longer than writing it
_LONGEST_HEAD = 1 << 20


class _Head(io.BytesIO):
    """A file of which only the beginning is kept: the pixels need not be copied to be written."""

    def write(self, data: Any) -> int:
        if self.tell() < _LONGEST_HEAD:
            return super().write(data)
        self.seek(len(data), io.SEEK_CUR)
        return len(data)


class TIFF(Writer):
    """`slices/slice_00012.tif` for detector row 12."""

    name = "tiff"

    @property
    def _folder(self) -> Path:
        return self.layout.folder / "slices"

    def _file_name(self, row: int) -> str:
        width = max(5, len(str(self.layout.rows.stop - 1)))
        return f"slices/slice_{row:0{width}d}.tif"

    def prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        sync_folder(self.layout.folder)

    def write(self, rows: range, slices: NDArray[Any]) -> tuple[Unit, ...]:
        def store(number: int) -> Unit:
            image = np.ascontiguousarray(slices[number])
            name = self._file_name(rows[number])
            return write_unit(self.layout.folder, name, [self._head(rows[number], image), image.reshape(-1)])

        units = share(store, range(len(rows)), _FILES_AT_ONCE)
        sync_folder(self._folder)
        return tuple(units)

    def _head(self, row: int, image: NDArray[Any]) -> bytes:
        """What stands before the pixels in the file."""
        size = self.layout.voxel_size_um
        resolution: dict[str, Any] = {}
        if size:
            resolution = {"resolution": (_UM_PER_CM / size, _UM_PER_CM / size), "resolutionunit": "CENTIMETER"}
        file = _Head()
        with tifffile.TiffWriter(file) as tiff:
            offsets = tiff.write(
                shape=image.shape,
                dtype=image.dtype,
                photometric="minisblack",
                software="STP3",
                description=self._description(row),
                metadata=None,
                returnoffset=True,
                **resolution,
            )
        start, _ = offsets or (0, 0)
        return file.getvalue()[:start].ljust(start, b"\0")

    def _description(self, row: int) -> str:
        """Lines as ImageJ writes them, so that Fiji and Bio-Formats know the distance of slices too, and our own.

        ImageJ takes pixels per centimetre together with the unit um as micrometres. For grey numbers it is told how
        they become values again.
        """
        layout, lines = self.layout, {"ImageJ": "1.54f"}
        if layout.voxel_size_um:
            lines |= {"unit": "um", "spacing": repr(layout.voxel_size_um)}
        if layout.grey_range:
            low, high = layout.grey_range
            step = (high - low) / np.iinfo(layout.dtype).max
            lines |= {"cf": "0", "c0": repr(low), "c1": repr(step), "vunit": layout.unit or "value"}
        about = {"row": row, **layout.about()}
        lines |= {"stp3": json.dumps(about)}
        return "".join(f"{name}={text}\n" for name, text in lines.items())

    def done_rows(self) -> list[int]:
        present = {path.name for path in self._folder.glob("slice_*.tif")}
        return [row for row in self.layout.rows if Path(self._file_name(row)).name in present]

    def read(self, row: int) -> NDArray[Any]:
        return np.asarray(tifffile.imread(self.layout.folder / self._file_name(row)))
