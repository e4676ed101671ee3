"""OME-Zarr: what others read is what was written, at every level, whatever the slabs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from stp3.errors import Stp3Error
from stp3.volume import claim, complete, describe, open_volume, store
from stp3.writers import find_writer
from stp3.writers.pyramid import halved, levels
from tests.stp3.writers.volumes import layout

RNG = np.random.default_rng(4)


def made(folder: Path, data: np.ndarray, slab_rows: int, **changes: Any) -> Path:
    rows = range(7, 7 + len(data))
    changes = {"rows": rows, "slab_rows": slab_rows, "slice_shape": data.shape[1:], **changes}
    plan = layout(folder, "zarr", data.dtype.name, **changes)
    claim(folder, "test")
    describe(plan, "test")
    writer = find_writer("zarr")(plan)
    writer.prepare()
    slabs = [range(start, min(start + slab_rows, rows.stop)) for start in range(7, rows.stop, slab_rows)]
    complete(writer, [store(writer, slab, data[slab.start - 7 : slab.stop - 7]) for slab in slabs[::-1]], "test")
    return folder / "volume.ome.zarr"


def mean_of_blocks(data: np.ndarray) -> np.ndarray:
    """The definition: the mean of up to 2 x 2 x 2 voxels, one by one."""
    out = np.empty([-(-length // 2) for length in data.shape])
    for z, y, x in np.ndindex(out.shape):
        out[z, y, x] = data[2 * z : 2 * z + 2, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].astype(float).mean()
    return out


def test_a_level_is_the_mean_of_eight_voxels() -> None:
    data = RNG.normal(size=(5, 7, 9)).astype(np.float32)
    np.testing.assert_allclose(halved(data), mean_of_blocks(data), rtol=1e-5, atol=1e-6)
    greys = RNG.integers(0, 65536, (4, 6, 5)).astype(np.uint16)
    np.testing.assert_allclose(halved(greys), mean_of_blocks(greys), atol=0.51)
    assert halved(np.full((2, 2, 2), 65535, np.uint16)).max() == 65535


@pytest.mark.parametrize("dtype", ["float32", "uint16", "uint8"])
@pytest.mark.parametrize("slab_rows", [4, 5, 6, 40], ids="slabs of {} rows".format)
def test_all_levels_are_read_by_zarr(tmp_path: Path, slab_rows: int, dtype: str) -> None:
    data = (RNG.normal(size=(19, 530, 301)) * 20 + 100).astype(dtype)
    group = zarr.open_group(made(tmp_path / "v", data, slab_rows), mode="r")
    assert sorted(group.array_keys()) == ["0", "1", "2"]
    for name in "012":
        array: Any = group[name]
        np.testing.assert_array_equal(array[:], data, strict=True)
        assert array.metadata.dimension_names == ("z", "y", "x")
        data = halved(data)
    assert open_volume(tmp_path / "v").check_files() == []


def test_slabs_bring_the_levels_that_they_do_not_cut(tmp_path: Path) -> None:
    def with_slabs(slab_rows: int, rows: int = 600) -> list[bool]:
        shape = {"rows": range(rows), "slab_rows": slab_rows, "slice_shape": (2048, 2048)}
        return [level.comes_with_slabs for level in levels(layout(tmp_path, "zarr", **shape))]

    assert with_slabs(64) == [True] * 4
    assert with_slabs(12) == [True, True, True, False]
    assert with_slabs(7) == [True, False, False, False]
    assert with_slabs(7, rows=7) == [True] * 4
    last = levels(layout(tmp_path, "zarr", rows=range(600), slab_rows=64, slice_shape=(2048, 2048)))[-1]
    assert (last.shape, last.factors, last.shard_rows, last.chunk) == ((75, 256, 256), (8, 8, 8), 8, (8, 128, 128))


@pytest.mark.parametrize("width", [384, 640, 300])
def test_hardly_more_is_stored_than_there_are_voxels(tmp_path: Path, width: int) -> None:
    data = np.zeros((4, width, width), np.uint16)
    shards = made(tmp_path / "v", data, 4).glob("0/c/*/0/0")
    assert sum(path.stat().st_size for path in shards) < 1.02 * data.nbytes


def test_the_metadata_are_those_of_ome(tmp_path: Path) -> None:
    data = RNG.integers(0, 60000, (3, 300, 520)).astype(np.uint16)
    folder = made(tmp_path / "v", data, 2, provenance={"user": "ada", "scan": {"sample": "amber"}}, unit="1/cm",
                  grey_range=(-1.0, 2.0))  # fmt: skip
    attributes = json.loads((folder / "zarr.json").read_text())["attributes"]
    (image,) = attributes["ome"]["multiscales"]
    assert attributes["ome"]["version"] == "0.5"
    assert image["name"] == "amber"
    assert image["axes"] == [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    assert [level["path"] for level in image["datasets"]] == ["0", "1", "2"]
    assert [[change["type"] for change in level["coordinateTransformations"]] for level in image["datasets"]] == [
        ["scale", "translation"]
    ] * 3
    assert image["datasets"][2]["coordinateTransformations"][0]["scale"] == [13.0] * 3  # 4 voxels of 3.25
    assert image["datasets"][2]["coordinateTransformations"][1]["translation"] == [4.875] * 3  # their middle
    window = attributes["ome"]["omero"]["channels"][0]["window"]
    assert (window["min"], window["max"]) == (0, 65535)
    assert 0 < window["start"] < 1000 < 59000 < window["end"] < 60000
    assert attributes["stp3"]["grey_range"] == [-1.0, 2.0]
    assert attributes["stp3"]["provenance"]["user"] == "ada"
    assert sum(attributes["stp3"]["histogram"]["counts"]) == data.size
    sums = {unit.path: unit.xxh128 for unit in open_volume(tmp_path / "v").files}
    assert attributes["stp3"]["xxh3_128"]["1/c/0/0/0"] == sums["volume.ome.zarr/1/c/0/0/0"]
    assert len(attributes["stp3"]["xxh3_128"]) == 5


def test_the_model_of_ome_zarr_takes_it(tmp_path: Path) -> None:
    models = pytest.importorskip("ome_zarr_models.v05")
    folder = made(tmp_path / "v", RNG.normal(size=(9, 300, 520)).astype(np.float32), 4)
    image = models.Image.from_zarr(zarr.open_group(folder, mode="r"))
    assert len(image.attributes.ome.multiscales[0].datasets) == 3


def test_the_reader_of_napari_ome_zarr_shows_it(tmp_path: Path) -> None:
    parse_url = pytest.importorskip("ome_zarr.io").parse_url
    reader = pytest.importorskip("ome_zarr.reader").Reader
    data = RNG.normal(size=(9, 300, 520)).astype(np.float32)
    (node,) = reader(parse_url(made(tmp_path / "v", data, 4)))()
    assert [level.shape for level in node.data] == [(9, 300, 520), (5, 150, 260), (3, 75, 130)]
    np.testing.assert_array_equal(node.data[0].compute(), data)
    np.testing.assert_array_equal(node.data[1].compute(), halved(data))
    assert [axis["name"] for axis in node.metadata["axes"]] == ["z", "y", "x"]
    low, high = node.metadata["contrast_limits"][0]
    assert data.min() < low < -2 < 2 < high < data.max()


def test_without_a_pixel_size_no_unit_is_claimed(tmp_path: Path) -> None:
    folder = made(tmp_path / "v", RNG.normal(size=(2, 5, 6)).astype(np.float32), 2, voxel_size_um=None)
    (image,) = json.loads((folder / "zarr.json").read_text())["attributes"]["ome"]["multiscales"]
    assert image["axes"] == [{"name": name, "type": "space"} for name in "zyx"]
    assert image["datasets"][0]["coordinateTransformations"][0]["scale"] == [1.0] * 3


def test_rows_that_are_no_slab_are_refused(tmp_path: Path) -> None:
    writer = find_writer("zarr")(layout(tmp_path, "zarr"))
    writer.prepare()
    with pytest.raises(Stp3Error, match="not one slab"):
        writer.write(range(8, 12), np.zeros((4, 13, 17), np.float32))
