"""Three orthogonal middle slices of a volume as small PNG files.

Each slab leaves what it knows of them in a small hidden file, which is put on disk like the slab itself and checked
like it when a job goes on; so nothing of the volume is read again.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stp3.durable import Unit, sync_folder, write_unit
from stp3.histogram import Histogram

if TYPE_CHECKING:
    from stp3.writers.base import Layout, SlabRecord

_PARTS = ".sections"
_FOLDER = "thumbnails"
_LONGEST = 512  # pixels of a thumbnail's longer side
_TAILS = 0.002, 0.998  # black and white


def keep_sections(layout: Layout, rows: range, slices: NDArray[Any]) -> Unit:
    """The file that holds a slab's lines of the two upright slices and, when it lies in this slab, the level one."""
    folder, factor = layout.folder / _PARTS, _factor(layout)
    if not folder.exists():
        folder.mkdir(exist_ok=True)
        sync_folder(layout.folder)
    parts = [
        _averaged(slices[:, slices.shape[1] // 2], (1, factor)),
        _averaged(slices[:, :, slices.shape[2] // 2], (1, factor)),
    ]
    middle = layout.rows[len(layout.rows) // 2]
    if middle in rows:
        parts.append(_averaged(slices[middle - rows.start], (factor, factor)))
    unit = write_unit(layout.folder, _part_name(rows), [part.reshape(-1) for part in parts])
    sync_folder(folder)
    return unit


def write_thumbnails(layout: Layout, records: list[SlabRecord], histogram: Histogram | None) -> tuple[Unit, ...]:
    """`thumbnails/xy.png`, `xz.png` and `yz.png`, made of what the slabs left; z points down as in the volume."""
    factor = _factor(layout)
    y, x = (_averaged_length(length, factor) for length in layout.slice_shape)
    uprights = [np.zeros((len(layout.rows), width), np.float32) for width in (x, y)]
    level = np.zeros((y, x), np.float32)
    for record in records:
        found = _read_part(layout.folder, record.rows)
        if len(found) < len(record.rows) * (x + y):
            continue  # slabs of a volume that was begun by an older version left nothing
        start, count = record.rows.start - layout.rows.start, len(record.rows)
        uprights[0][start : start + count] = found[: count * x].reshape(count, x)
        uprights[1][start : start + count] = found[count * x : count * (x + y)].reshape(count, y)
        if len(found) > count * (x + y):
            level = found[count * (x + y) :].reshape(y, x)
    window = _window(histogram, level)
    pictures = {
        "xy": level,
        **{name: _averaged(part, (factor, 1)) for name, part in zip(("xz", "yz"), uprights, strict=True)},
    }
    (layout.folder / _FOLDER).mkdir(exist_ok=True)
    units = tuple(
        write_unit(layout.folder, f"{_FOLDER}/{name}.png", [_png(_grey(picture, window))])
        for name, picture in pictures.items()
    )
    sync_folder(layout.folder / _FOLDER)
    sync_folder(layout.folder)
    return units


def remove_sections(folder: Path) -> None:
    """Takes away what slabs left for the thumbnails."""
    parts = folder / _PARTS
    for path in parts.glob("rows_*.raw"):
        path.unlink(missing_ok=True)
    if parts.exists():
        parts.rmdir()


def _part_name(rows: range) -> str:
    return f"{_PARTS}/rows_{rows.start}_{rows.stop}.raw"


def _read_part(folder: Path, rows: range) -> NDArray[np.float32]:
    try:
        return np.fromfile(folder / _part_name(rows), np.float32)
    except OSError:
        return np.empty(0, np.float32)


def _factor(layout: Layout) -> int:
    """How many voxels along each axis become one pixel."""
    return -(-max(layout.shape) // _LONGEST)


def _averaged_length(length: int, factor: int) -> int:
    return -(-length // factor)


def _averaged(picture: NDArray[Any], factors: tuple[int, int]) -> NDArray[np.float32]:
    """The picture with so many lines and columns averaged into one; the last ones of fewer."""
    for axis, factor in enumerate(factors):
        starts = np.arange(0, picture.shape[axis], factor)
        sums = np.add.reduceat(picture, starts, axis=axis, dtype=np.float32)
        lengths = np.minimum(factor, picture.shape[axis] - starts).astype(np.float32)
        picture = sums / (lengths[:, None] if axis == 0 else lengths)
    return np.asarray(picture, np.float32)


def _window(histogram: Histogram | None, level: NDArray[np.float32]) -> tuple[float, float]:
    """The values that are shown black and white."""
    histogram = histogram or Histogram.of(level)
    low, high = (histogram.quantile(share) for share in _TAILS)
    return low, high if high > low else low + 1.0


def _grey(picture: NDArray[np.float32], window: tuple[float, float]) -> NDArray[np.uint8]:
    scaled = np.nan_to_num((picture - window[0]) * (255 / (window[1] - window[0])))
    return np.asarray(np.rint(scaled.clip(0, 255)), np.uint8)


def _png(grey: NDArray[np.uint8]) -> bytes:
    """An 8 bit grey picture, shape (lines, columns), as a PNG file."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    lines, columns = grey.shape
    head = struct.pack(">2I5B", columns, lines, 8, 0, 0, 0, 0)
    filtered = np.pad(grey, ((0, 0), (1, 0)))  # each line begins with its filter: none
    pixels = zlib.compress(filtered.tobytes(), 6)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
