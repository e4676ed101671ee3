"""A Zarr version 3 array with one shard for each slab, so that no shard has two writers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stp3.durable import Unit, sync_folder, write_text, write_unit
from stp3.errors import Stp3Error
from stp3.writers.base import Layout, Writer

_ARRAY = "volume.zarr"


class Zarr(Writer):
    """`volume.zarr`: dimensions z, y, x; a chunk is a slice, a shard is a slab (the last may be shorter)."""

    name = "zarr"

    @property
    def _folder(self) -> Path:
        return self.layout.folder / _ARRAY

    def _shard_name(self, rows: range) -> str:
        """Where a slab goes. Raises Stp3Error for rows that are not exactly one shard: Zarr would lose slices."""
        if self.layout.slab_of(rows.start) != rows:
            raise Stp3Error(f"rows {rows.start}:{rows.stop} are not one slab of this volume. Write whole slabs.")
        return f"{_ARRAY}/c/{(rows.start - self.layout.rows.start) // self.layout.slab_rows}/0/0"

    def prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        _, entries = _in_memory(self.layout)
        content = json.loads(entries["zarr.json"].to_bytes())
        write_text(self._folder / "zarr.json", json.dumps(content, indent=1))
        sync_folder(self.layout.folder)

    def write(self, rows: range, slices: NDArray[Any]) -> tuple[Unit, ...]:
        name = self._shard_name(rows)
        array, entries = _in_memory(self.layout)
        start = rows.start - self.layout.rows.start
        array[start : start + len(rows)] = slices
        shard = entries[name.removeprefix(f"{_ARRAY}/")]
        folder = (self.layout.folder / name).parent
        folder.mkdir(parents=True, exist_ok=True)
        unit = write_unit(self.layout.folder, name, [shard.as_numpy_array()])
        for touched in (folder, folder.parent, folder.parent.parent, self._folder):
            sync_folder(touched)
        return (unit,)

    def done_rows(self) -> list[int]:
        slabs = [self.layout.slab_of(row) for row in self.layout.rows[:: self.layout.slab_rows]]
        return [row for slab in slabs if (self.layout.folder / self._shard_name(slab)).exists() for row in slab]

    def read(self, row: int) -> NDArray[Any]:
        import zarr

        if not (self.layout.folder / self._shard_name(self.layout.slab_of(row))).exists():
            raise FileNotFoundError(row)  # Zarr would give zeros without a word
        array: Any = zarr.open_array(self._folder, mode="r")
        return np.asarray(array[row - self.layout.rows.start])


def _in_memory(layout: Layout) -> tuple[Any, dict[str, Any]]:
    """The empty array kept in memory, and the files (name: bytes) that it consists of."""
    import zarr
    from zarr.storage import MemoryStore

    files: dict[str, Any] = {}
    array = zarr.create_array(
        MemoryStore(files),
        shape=layout.shape,
        dtype=layout.dtype,
        shards=(layout.slab_rows, *layout.slice_shape),
        chunks=(1, *layout.slice_shape),
        compressors=None,
        fill_value=0,
        dimension_names=("z", "y", "x"),
        config={"write_empty_chunks": True},
        attributes={
            "voxel_size_um": layout.voxel_size_um,
            "first_row": layout.rows.start,
            "grey_range": layout.grey_range,
            "recipe": layout.recipe,
            "provenance": dict(layout.provenance),
        },
    )
    return array, files
