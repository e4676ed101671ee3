"""One shard of a Zarr version 3 array (codec sharding_indexed): chunks as they are, then where each of them begins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from stp3.kernels import memory
from stp3.writers.pyramid import Level, Shape

_ABSENT = np.uint64(0xFFFF_FFFF_FFFF_FFFF)


def shard_parts(level: Level, slices: NDArray[Any]) -> Iterator[NDArray[Any] | bytes]:
    """The bytes of the shard that holds those slices of a level, shape (rows, y, x), piece by piece."""
    rows, lines, columns = level.chunk
    grid = _grid(level)
    index = np.full((*grid, 2), _ABSENT, "<u8")
    nbytes = rows * lines * columns * slices.dtype.itemsize
    offset = 0
    for layer, start in enumerate(range(0, len(slices), rows)):
        index[layer, ..., 0] = offset + nbytes * np.arange(grid[1] * grid[2]).reshape(grid[1:])
        index[layer, ..., 1] = nbytes
        offset += nbytes * grid[1] * grid[2]
        yield _chunks(slices[start : start + rows], level.chunk, grid)
    packed = index.tobytes()
    yield packed + int(google_crc32c.value(packed)).to_bytes(4, "little")


def array_metadata(level: Level, dtype: np.dtype[Any]) -> dict[str, Any]:
    """The `zarr.json` of a level."""
    little = {"name": "bytes", "configuration": {"endian": "little"}}
    inner = {"chunk_shape": list(level.chunk), "codecs": [little], "index_location": "end"}
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(level.shape),
        "data_type": dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(_shard_shape(level))}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0.0 if dtype.kind == "f" else 0,
        "codecs": [
            {"name": "sharding_indexed", "configuration": inner | {"index_codecs": [little, {"name": "crc32c"}]}}
        ],
        "dimension_names": ["z", "y", "x"],
        "attributes": {},
    }


def _grid(level: Level) -> Shape:
    """Chunks of a shard along each axis."""
    _, y, x = level.shape
    rows, lines, columns = level.chunk
    return -(-level.shard_rows // rows), -(-y // lines), -(-x // columns)


def _shard_shape(level: Level) -> Shape:
    (z, y, x), (rows, lines, columns) = _grid(level), level.chunk
    return z * rows, y * lines, x * columns


def _chunks(slices: NDArray[Any], chunk: Shape, grid: Shape) -> NDArray[Any]:
    """A layer of chunks one after the other, those at the edges filled up with zeros."""
    rows, lines, columns = chunk
    room = (rows, grid[1] * lines, grid[2] * columns)
    if slices.shape != room:
        full = np.zeros(room, slices.dtype)
        full[: slices.shape[0], : slices.shape[1], : slices.shape[2]] = slices
        slices = full
    split = slices.reshape(rows, grid[1], lines, grid[2], columns).transpose(1, 3, 0, 2, 4)
    out = memory.empty(split.shape, slices.dtype)
    np.copyto(out, split)
    return out.reshape(-1)
