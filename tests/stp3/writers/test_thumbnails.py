"""Thumbnails show the three middle slices, made while the slabs are written."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import pytest

from stp3.histogram import Histogram
from stp3.volume import claim, complete, describe, open_volume, store
from stp3.writers import SlabRecord, find_writer
from tests.stp3.writers.volumes import layout


def png(path: Path) -> np.ndarray:
    """The pixels of an 8 bit grey PNG whose lines are not filtered."""
    file = io.BytesIO(path.read_bytes())
    assert file.read(8) == b"\x89PNG\r\n\x1a\n"
    chunks: dict[bytes, bytes] = {}
    while length := file.read(4):
        kind = file.read(4)
        chunks[kind] = file.read(int.from_bytes(length))
        assert zlib.crc32(kind + chunks[kind]) == int.from_bytes(file.read(4))
    columns, lines = (int.from_bytes(chunks[b"IHDR"][at : at + 4]) for at in (0, 4))
    assert chunks[b"IHDR"][8:] == bytes((8, 0, 0, 0, 0))
    pixels = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(lines, columns + 1)
    assert not pixels[:, 0].any()
    return pixels[:, 1:]


def finished(folder: Path, data: np.ndarray, slab_rows: int = 4) -> Path:
    rows = range(7, 7 + len(data))
    made = layout(folder, "tiff", data.dtype.name, rows=rows, slab_rows=slab_rows, slice_shape=data.shape[1:])
    writer = find_writer("tiff")(made)
    claim(folder, "test")
    describe(made, "test")
    writer.prepare()
    slabs = [range(start, min(start + slab_rows, rows.stop)) for start in range(7, rows.stop, slab_rows)]
    complete(writer, [store(writer, slab, data[slab.start - 7 : slab.stop - 7]) for slab in slabs[::-1]], "test")
    return folder


def test_they_show_the_middle_slices(tmp_path: Path) -> None:
    data = np.random.default_rng(1).normal(size=(10, 13, 17)).astype(np.float32)
    folder = finished(tmp_path / "v", data)
    histogram = Histogram.of(data)
    low, high = histogram.quantile(0.002), histogram.quantile(0.998)
    for name, part in (("xy", data[5]), ("xz", data[:, 6]), ("yz", data[:, :, 8])):
        expected = ((part - low) / (high - low) * 255).clip(0, 255)
        np.testing.assert_allclose(png(folder / "thumbnails" / f"{name}.png"), expected, atol=0.51)
    assert {unit.path for unit in open_volume(folder).files} >= {
        f"thumbnails/{name}.png" for name in ("xy", "xz", "yz")
    }
    assert not list(folder.glob(".*"))


def test_large_ones_are_averaged_and_slab_heights_change_nothing(tmp_path: Path) -> None:
    data = np.random.default_rng(2).integers(0, 60000, (11, 700, 1025)).astype(np.uint16)
    one, other = finished(tmp_path / "a", data, 4), finished(tmp_path / "b", data, 11)
    for name in ("xy", "xz", "yz"):
        np.testing.assert_array_equal(png(one / f"thumbnails/{name}.png"), png(other / f"thumbnails/{name}.png"))
    level = png(one / "thumbnails/xy.png")
    assert level.shape == (234, 342)  # three voxels become a pixel, the last one of fewer
    low, high = (Histogram.of(data).quantile(share) for share in (0.002, 0.998))
    assert level[1, 2] == pytest.approx((data[5, 3:6, 6:9].mean() - low) / (high - low) * 255, abs=0.51)
    assert png(one / "thumbnails/xz.png").shape == (4, 342)


def test_a_volume_begun_by_an_older_version_gets_what_there_is(tmp_path: Path) -> None:
    data = np.ones((4, 13, 17), np.float32)
    writer = find_writer("tiff")(layout(tmp_path / "v", "tiff", rows=range(7, 11)))
    claim(tmp_path / "v", "test")
    writer.prepare()
    complete(writer, [SlabRecord(range(7, 11), writer.write(range(7, 11), data), 0.1, 1)], "test")
    assert png(tmp_path / "v" / "thumbnails/xy.png").shape == (13, 17)
    assert open_volume(tmp_path / "v").is_complete
