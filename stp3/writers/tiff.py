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
from stp3.writers.base import Writer

_UM_PER_CM = 1e4


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
        units = [
            write_unit(self.layout.folder, self._file_name(row), [self._encoded(row, image)])
            for row, image in zip(rows, slices, strict=True)
        ]
        sync_folder(self._folder)
        return tuple(units)

    def _encoded(self, row: int, image: NDArray[Any]) -> memoryview:
        about = {"row": row, "recipe": self.layout.fingerprint, "grey_range": self.layout.grey_range}
        size = self.layout.voxel_size_um
        resolution: dict[str, Any] = {}
        if size:
            resolution = {"resolution": (_UM_PER_CM / size, _UM_PER_CM / size), "resolutionunit": "CENTIMETER"}
            about["voxel_size_um"] = size
        file = io.BytesIO()
        tifffile.imwrite(
            file,
            np.ascontiguousarray(image),
            photometric="minisblack",
            software="STP3",
            description=json.dumps(about),
            metadata=None,
            **resolution,
        )
        return file.getbuffer()

    def done_rows(self) -> list[int]:
        present = {path.name for path in self._folder.glob("slice_*.tif")}
        return [row for row in self.layout.rows if Path(self._file_name(row)).name in present]

    def read(self, row: int) -> NDArray[Any]:
        return np.asarray(tifffile.imread(self.layout.folder / self._file_name(row)))
