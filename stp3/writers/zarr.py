"""OME-Zarr 0.5: a Zarr version 3 pyramid with one shard for each slab, so that no shard has two writers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stp3.durable import Unit, sync_folder, write_unit
from stp3.errors import Stp3Error
from stp3.histogram import Histogram
from stp3.writers.base import Layout, SlabRecord, Writer, histogram_of
from stp3.writers.pyramid import Level, halved, levels
from stp3.writers.shards import array_metadata, shard_parts

_FOLDER = "volume.ome.zarr"
_WINDOW = 0.002, 0.998  # what viewers show black and white at first


class Zarr(Writer):
    """`volume.ome.zarr`: axes z, y, x; level 0 is the volume, each further one has half as many voxels a side."""

    name = "zarr"
    space_factor = 8 / 7

    @property
    def _folder(self) -> Path:
        return self.layout.folder / _FOLDER

    @cached_property
    def _levels(self) -> list[Level]:
        return levels(self.layout)

    @staticmethod
    def _shard_name(level: int, shard: int) -> str:
        return f"{_FOLDER}/{level}/c/{shard}/0/0"

    def _shard_of(self, rows: range) -> int:
        """The shard of a slab. Raises Stp3Error for rows that are not exactly one: a shard cannot be added to."""
        if self.layout.slab_of(rows.start) != rows:
            raise Stp3Error(f"rows {rows.start}:{rows.stop} are not one slab of this volume. Write whole slabs.")
        return (rows.start - self.layout.rows.start) // self.layout.slab_rows

    def prepare(self) -> None:
        self._write_metadata()

    def write(self, rows: range, slices: NDArray[Any]) -> tuple[Unit, ...]:
        shard, units = self._shard_of(rows), []
        for number, level in enumerate(self._levels):
            if not level.comes_with_slabs:
                break
            slices = halved(slices) if number else slices
            units.append(self._write_shard(number, shard, slices))
        return tuple(units)

    def finish(self, records: list[SlabRecord]) -> tuple[Unit, ...]:
        units = list(super().finish(records))
        for number, level in enumerate(self._levels):
            if level.comes_with_slabs:
                continue
            for shard, rows in enumerate(level.shards):
                below = self._read(
                    number - 1, range(2 * rows.start, min(2 * rows.stop, self._levels[number - 1].shape[0]))
                )
                units.append(self._write_shard(number, shard, halved(below)))
        return (*units, *self._write_metadata(histogram_of(records), units))

    def done_rows(self) -> list[int]:
        slabs = [self.layout.slab_of(row) for row in self.layout.rows[:: self.layout.slab_rows]]
        return [row for shard, slab in enumerate(slabs) if self._is_there(shard) for row in slab]

    def read(self, row: int) -> NDArray[Any]:
        if not self._is_there(self._shard_of(self.layout.slab_of(row))):
            raise FileNotFoundError(row)  # Zarr would give zeros without a word
        start = row - self.layout.rows.start
        return self._read(0, range(start, start + 1)).reshape(self.layout.slice_shape)

    def _is_there(self, shard: int) -> bool:
        return (self.layout.folder / self._shard_name(0, shard)).exists()

    def _read(self, level: int, rows: range) -> NDArray[Any]:
        import zarr

        array: Any = zarr.open_array(self._folder / str(level), mode="r")
        return np.asarray(array[rows.start : rows.stop])

    def _write_shard(self, level: int, shard: int, slices: NDArray[Any]) -> Unit:
        name = self._shard_name(level, shard)
        return self._write(name, shard_parts(self._levels[level], slices))

    def _write_metadata(self, histogram: Histogram | None = None, units: Sequence[Unit] = ()) -> list[Unit]:
        attributes = _attributes(self.layout, self._levels, histogram)
        attributes["stp3"]["xxh3_128"] = {unit.path.removeprefix(f"{_FOLDER}/"): unit.xxh128 for unit in units}
        arrays = {f"{number}/": array_metadata(level, self.layout.dtype) for number, level in enumerate(self._levels)}
        group = {
            "zarr_format": 3,
            "node_type": "group",
            "attributes": attributes,
        }
        return [
            self._write(f"{_FOLDER}/{place}zarr.json", [json.dumps(content, indent=1).encode()])
            for place, content in {**arrays, "": group}.items()
        ]

    def _write(self, name: str, parts: Any) -> Unit:
        """The file, durable with all folders that lead to it."""
        folder = (self.layout.folder / name).parent
        folder.mkdir(parents=True, exist_ok=True)
        unit = write_unit(self.layout.folder, name, parts)
        for touched in (folder, *folder.parents):
            sync_folder(touched)
            if touched == self.layout.folder:
                break
        return unit


def _attributes(layout: Layout, all_levels: list[Level], histogram: Histogram | None) -> dict[str, Any]:
    """What stands in the group: the volume in the words of OME, and how it was made."""
    return {
        "ome": {
            "version": "0.5",
            "multiscales": [_multiscale(layout, all_levels)],
            **({"omero": _omero(layout, histogram)} if histogram else {}),
        },
        "stp3": {**layout.about(), "histogram": histogram.in_words() if histogram else None},
    }


def _multiscale(layout: Layout, all_levels: list[Level]) -> dict[str, Any]:
    size = layout.voxel_size_um or 1.0
    unit = {"unit": "micrometer"} if layout.voxel_size_um else {}
    datasets = [
        {
            "path": str(number),
            "coordinateTransformations": [
                {"type": "scale", "scale": [factor * size for factor in level.factors]},
                {"type": "translation", "translation": [(factor - 1) / 2 * size for factor in level.factors]},
            ],
        }
        for number, level in enumerate(all_levels)
    ]
    axes = [{"name": name, "type": "space", **unit} for name in "zyx"]
    return {"name": layout.title, "axes": axes, "datasets": datasets, "type": "mean"}


def _omero(layout: Layout, histogram: Histogram) -> dict[str, Any]:
    """How viewers show the values at first."""
    start, end = (histogram.quantile(share) for share in _WINDOW)
    ends = (histogram.low or 0.0, histogram.high or 0.0)
    low, high = ends if layout.dtype.kind == "f" else (0, int(np.iinfo(layout.dtype).max))
    window = {"min": low, "max": high, "start": start, "end": end if end > start else start + 1}
    return {
        "channels": [{"label": layout.value_name, "color": "FFFFFF", "active": True, "window": window}],
        "rdefs": {"model": "greyscale"},
    }
