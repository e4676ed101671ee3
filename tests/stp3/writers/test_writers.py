"""Every writer stores what it is given, tells what is there, and leaves nothing half done."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import tifffile

from stp3.durable import remove_unfinished, write_unit
from stp3.errors import Stp3Error, UsageFault
from stp3.volume import check_free, check_space, claim, describe, open_volume
from stp3.writers import SlabRecord, Writer, find_writer, format_names
from tests.stp3.writers.volumes import ROWS, SLAB_ROWS, layout

RNG = np.random.default_rng(3)


def voxels(dtype: str = "float32") -> np.ndarray:
    return (RNG.normal(size=(len(ROWS), 13, 17)) * 100).astype(dtype)


def slabs() -> list[range]:
    return [range(start, min(start + SLAB_ROWS, ROWS.stop)) for start in range(ROWS.start, ROWS.stop, SLAB_ROWS)]


def write_all(writer: Writer, data: np.ndarray, order: list[range]) -> list[SlabRecord]:
    claim(writer.layout.folder, "test")
    describe(writer.layout, "test")
    writer.prepare()
    records = []
    for rows in order:
        units = writer.write(rows, data[rows.start - ROWS.start : rows.stop - ROWS.start])
        records.append(SlabRecord(rows, units, 0.1, 1))
    return records


@pytest.mark.parametrize("dtype", ["float32", "uint16", "uint8"])
@pytest.mark.parametrize("format", format_names())
def test_what_is_written_is_read(tmp_path: Path, format: str, dtype: str) -> None:
    data = voxels(dtype)
    writer = pickle.loads(pickle.dumps(find_writer(format)(layout(tmp_path / "v", format, dtype))))
    records = write_all(writer, data, slabs()[::-1])
    describe(writer.layout, "test", files=writer.finish(sorted(records, key=lambda record: record.rows.start)))
    writer.tidy()
    volume = open_volume(tmp_path / "v")
    assert volume.is_complete
    assert (volume.shape, volume.dtype, volume.rows) == (data.shape, data.dtype, ROWS)
    assert volume.done_rows == list(ROWS)
    for z in range(len(ROWS)):
        np.testing.assert_array_equal(volume.slice(z), data[z], strict=True)
    assert volume.check_files() == []
    assert not list((tmp_path / "v").rglob("*.part*"))


@pytest.mark.parametrize("format", format_names())
def test_finished_slabs_are_seen_while_others_are_missing(tmp_path: Path, format: str) -> None:
    data = voxels()
    (record,) = write_all(find_writer(format)(layout(tmp_path, format)), data, slabs()[1:2])
    volume = open_volume(tmp_path)
    assert not volume.is_complete
    assert volume.done_rows == list(slabs()[1])
    np.testing.assert_array_equal(volume.slice(SLAB_ROWS + 1), data[SLAB_ROWS + 1])
    with pytest.raises(Stp3Error, match="cannot be read yet"):
        volume.slice(0)
    with pytest.raises(UsageFault, match="between 0 and 9"):
        volume.slice(10)
    assert all(unit.is_intact(tmp_path) for unit in record.units)


@pytest.mark.parametrize("format", format_names())
def test_a_changed_byte_is_noticed(tmp_path: Path, format: str) -> None:
    records = write_all(find_writer(format)(layout(tmp_path, format)), voxels(), slabs())
    unit = records[0].units[0]
    path = tmp_path / unit.path
    content = bytearray(path.read_bytes())
    content[(unit.offset or 0) + unit.bytes - 100] ^= 1
    path.write_bytes(content)
    assert not records[0].units[0].is_intact(tmp_path)
    assert records[1].units[0].is_intact(tmp_path)


def test_tiff_says_what_it_is(tmp_path: Path) -> None:
    grey = layout(tmp_path, "tiff", "uint16", grey_range=(-1.0, 2.5), unit="1/cm")
    write_all(find_writer("tiff")(grey), voxels("uint16"), slabs())
    with tifffile.TiffFile(tmp_path / "slices" / "slice_00008.tif") as file:
        page = file.pages[0]
        assert file.is_imagej
        told = file.imagej_metadata
        numerator, denominator = page.tags["XResolution"].value
        assert page.tags["ResolutionUnit"].value == 3  # centimetre
    assert numerator / denominator == pytest.approx(1e4 / 3.25)
    assert (told["unit"], told["spacing"], told["vunit"]) == ("um", 3.25, "1/cm")
    assert told["c0"] + 65535 * told["c1"] == pytest.approx(2.5)
    about = json.loads(page.description.partition("stp3=")[2])
    assert about["row"] == 8
    assert about["grey_range"] == [-1.0, 2.5]
    assert about["recipe"] == "steps: []\n"
    assert about["provenance"]["user"] == "ada"


def test_tiff_without_a_pixel_size_claims_none(tmp_path: Path) -> None:
    write_all(find_writer("tiff")(layout(tmp_path, "tiff", voxel_size_um=None)), voxels(), slabs()[:1])
    with tifffile.TiffFile(tmp_path / "slices" / "slice_00008.tif") as file:
        assert "unit" not in file.imagej_metadata
        assert file.pages[0].tags["ResolutionUnit"].value == 1


def test_any_text_fits_into_a_tiff(tmp_path: Path) -> None:
    said = {"user": "Zoë µ \\u0041 \n[x]=1", "notes": "long " * 20_000}
    write_all(find_writer("tiff")(layout(tmp_path, "tiff", provenance=said)), data := voxels(), slabs()[:1])
    with tifffile.TiffFile(tmp_path / "slices" / "slice_00008.tif") as file:
        assert json.loads(file.pages[0].description.partition("stp3=")[2])["provenance"] == said
        np.testing.assert_array_equal(file.asarray(), data[1])


def test_a_large_slice_is_written_whole(tmp_path: Path) -> None:
    image = RNG.normal(size=(300, 400)).astype(np.float32)
    writer = find_writer("tiff")(layout(tmp_path, "tiff", slice_shape=image.shape))
    writer.prepare()
    (unit,) = writer.write(range(7, 8), image[None])
    np.testing.assert_array_equal(tifffile.imread(tmp_path / unit.path), image)
    assert unit.is_intact(tmp_path)


def test_file_names_widen_with_the_rows(tmp_path: Path) -> None:
    rows = range(123_456, 123_457)
    writer = find_writer("tiff")(layout(tmp_path, "tiff", rows=rows))
    writer.prepare()
    writer.write(rows, voxels()[:1])
    assert (tmp_path / "slices" / "slice_123456.tif").exists()


def test_a_slab_of_zeros_is_there_all_the_same(tmp_path: Path) -> None:
    writer = find_writer("zarr")(layout(tmp_path, "zarr"))
    write_all(writer, np.zeros_like(voxels()), slabs())
    assert writer.done_rows() == list(ROWS)


def test_an_existing_volume_is_never_written_over(tmp_path: Path) -> None:
    claim(tmp_path / "v", "one")
    check_free(tmp_path / "v", "one")
    with pytest.raises(UsageFault, match="not empty"):
        claim(tmp_path / "v", "two")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(UsageFault, match="not empty"):
        claim(tmp_path / "other", "one")
    with pytest.raises(UsageFault, match="is a file"):
        check_free(tmp_path / "other" / "thesis.tex", "one")


def test_too_small_a_disk_is_told_before_the_start(tmp_path: Path) -> None:
    huge = find_writer("tiff")(layout(tmp_path, "tiff", slice_shape=(1 << 20, 1 << 20)))
    with pytest.raises(Stp3Error, match="needs 43980465111040 bytes"):
        check_space(huge)


def test_a_full_disk_leaves_words_and_no_half_file(tmp_path: Path) -> None:
    script = f"""
        import resource
        from pathlib import Path
        from stp3.durable import write_unit
        from stp3.errors import Stp3Error
        write_unit(Path({str(tmp_path)!r}), "fits", [b"x" * 1000])
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        try:
            write_unit(Path({str(tmp_path)!r}), "large", [b"x" * 5000])
        except Stp3Error as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert "no room for large" in done.stdout
    assert "5000 bytes" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["fits"]


def test_left_overs_of_a_dead_writer_are_removed(tmp_path: Path) -> None:
    write_unit(tmp_path, "good", [b"x"])
    (tmp_path / "slices").mkdir()
    (tmp_path / "slices" / ".slice_00001.tif.99.part").touch()
    remove_unfinished(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["good", "slices"]


def test_an_unknown_format_is_named_with_the_known_ones() -> None:
    with pytest.raises(UsageFault, match="hdf5, tiff, zarr"):
        find_writer("bmp")
