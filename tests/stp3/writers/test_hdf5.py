"""HDF5: one contiguous file that survives what happens to those who write it, and opens as NeXus."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from stp3.histogram import Histogram
from stp3.volume import claim, complete, describe, open_volume, store
from stp3.writers import Writer, find_writer
from tests.stp3.writers.volumes import ROWS, SLAB_ROWS, layout

DATA = np.random.default_rng(6).normal(size=(10, 13, 17)).astype(np.float32)
SLABS = [range(start, min(start + SLAB_ROWS, ROWS.stop)) for start in range(ROWS.start, ROWS.stop, SLAB_ROWS)]


def begun(folder: Path, dtype: str = "float32", **changes: Any) -> Writer:
    writer = find_writer("hdf5")(layout(folder, "hdf5", dtype, **changes))
    claim(folder, "test")
    describe(writer.layout, "test")
    writer.prepare()
    return writer


def part(rows: range, data: np.ndarray = DATA) -> np.ndarray:
    return data[rows.start - ROWS.start : rows.stop - ROWS.start]


def finished(folder: Path, data: np.ndarray = DATA, **changes: Any) -> Path:
    writer = begun(folder, data.dtype.name, **changes)
    complete(writer, [store(writer, rows, part(rows, data)) for rows in SLABS[::-1]], "test")
    return folder / "volume.h5"


def test_the_file_is_one_contiguous_block_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = finished(tmp_path / "v")
    with h5py.File(path) as file:
        data = file["entry/data/data"]
        assert data.chunks is None
        offset = data.id.get_offset()
        np.testing.assert_array_equal(data[()], DATA)
    assert offset % 4096 == 0
    assert path.stat().st_size < DATA.nbytes + (1 << 18)
    assert sorted(one.name for one in path.parent.iterdir()) == [
        "recipe.yaml",
        "thumbnails",
        "volume.h5",
        "volume.json",
    ]
    assert path.stat().st_nlink == 1


def test_it_opens_as_nexus(tmp_path: Path) -> None:
    with h5py.File(finished(tmp_path / "v", unit="1/cm")) as file:
        entry = file[file.attrs["default"]]
        group = entry[entry.attrs["default"]]
        assert (file.attrs["NX_class"], entry.attrs["NX_class"], group.attrs["NX_class"]) == (
            "NXroot",
            "NXentry",
            "NXdata",
        )
        assert entry["definition"].asstr()[()] == "NXtomoproc"
        np.testing.assert_array_equal(group[group.attrs["signal"]][()], DATA)
        assert group["data"].attrs["units"] == "1/cm"
        assert [group[axis].shape[0] for axis in group.attrs["axes"]] == list(DATA.shape)
        assert [group.attrs[f"{axis}_indices"] for axis in "zyx"] == [0, 1, 2]
        assert (group["z"][1], group["z"].attrs["units"]) == (3.25, "um")
        parameters = entry["reconstruction/parameters"]
        assert parameters["recipe"].asstr()[()] == "steps: []\n"
        assert json.loads(parameters["provenance"].asstr()[()])["user"] == "ada"
        assert entry["end_time"][()].endswith(b"Z")


def test_silx_finds_the_volume_and_its_axes(tmp_path: Path) -> None:
    from silx.io import nxdata

    with h5py.File(finished(tmp_path / "v", unit="1/cm")) as file:
        found = nxdata.get_default(file)
        assert found.is_valid
        assert found.signal.shape == DATA.shape
        assert found.axes_names == ["z (µm)", "y (µm)", "x (µm)"]
        counted = nxdata.NXdata(file["entry/histogram"])
        assert counted.is_valid
        assert counted.signal[()].sum() == DATA.size


def test_grey_numbers_turn_back_and_the_histogram_is_inside(tmp_path: Path) -> None:
    greys = np.random.default_rng(7).integers(0, 65536, DATA.shape).astype(np.uint16)
    path = finished(tmp_path / "v", greys, grey_range=(-1.0, 2.5), unit="1/cm")
    with h5py.File(path) as file:
        told = file["entry/data/data"].attrs
        assert told["offset"] + 65535 * told["scaling"] == pytest.approx(2.5)
        histogram, whole = file["entry/histogram"], Histogram.of(greys)
        assert histogram["counts"][: len(whole.counts)].tolist() == list(whole.counts)
        assert histogram["counts"][len(whole.counts) :].sum() == 0
        assert histogram["value"][0] == (whole.first + 0.5) * 2.0**whole.exponent
        assert histogram["bin_width"][()] == 2.0**whole.exponent
        assert histogram["clipped_percent"][()] == pytest.approx(whole.clipped_percent)


def test_every_slab_can_be_checked_and_is_named_when_damaged(tmp_path: Path) -> None:
    path = finished(tmp_path / "v")
    volume = open_volume(path.parent)
    units = [unit for unit in volume.files if unit.path == "volume.h5"]
    with h5py.File(path) as file:
        sums = file["entry/reconstruction/checksums"]
        assert [one.decode() for one in sums["xxh3_128"]] == [unit.xxh128 for unit in units[-3:]]
        assert sums["rows"][()].tolist() == [[rows.start, rows.stop] for rows in SLABS]
    assert sum(unit.bytes for unit in units) == path.stat().st_size
    for damaged in units:
        content = bytearray(path.read_bytes())
        content[(damaged.offset or 0) + 5] ^= 1
        whole = path.read_bytes()
        path.write_bytes(content)
        (found,) = volume.check_files()
        assert found.unit == damaged
        path.write_bytes(whole)
    path.write_bytes(whole[:-1])
    (found,) = volume.check_files()
    assert "bytes long instead of" in str(found)


def test_a_killed_writer_costs_its_own_slab_and_no_other(tmp_path: Path) -> None:
    script = f"""
        import os, pickle, signal, sys
        from pathlib import Path
        from tests.stp3.writers.test_hdf5 import SLABS, begun, part
        from stp3.volume import store
        writer = begun(Path({str(tmp_path)!r}))
        print(pickle.dumps(store(writer, SLABS[1], part(SLABS[1]))).hex(), flush=True)
        handle = os.open(writer._unfinished, os.O_WRONLY)
        os.pwrite(handle, part(SLABS[2]).tobytes()[:700], writer._offset_of(SLABS[2].start))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, cwd=root)
    assert done.returncode == -signal.SIGKILL, done.stderr
    import pickle

    record = pickle.loads(bytes.fromhex(done.stdout.strip()))
    assert all(unit.is_intact(tmp_path) for unit in record.units)
    half = open_volume(tmp_path)
    assert half.done_rows == list(SLABS[1])
    np.testing.assert_array_equal(half.slice(SLAB_ROWS), DATA[SLAB_ROWS])
    assert not (tmp_path / "volume.h5").exists()
    writer = begun(tmp_path)
    records = [record, *(store(writer, rows, part(rows)) for rows in (SLABS[2], SLABS[0]))]
    complete(writer, records, "test")
    with h5py.File(tmp_path / "volume.h5") as file:
        np.testing.assert_array_equal(file["entry/data/data"][()], DATA)
    assert open_volume(tmp_path).check_files() == []


def test_killed_before_the_last_word_no_slab_is_lost(tmp_path: Path) -> None:
    writer = begun(tmp_path)
    records = [store(writer, rows, part(rows)) for rows in SLABS]
    writer.finish(records)  # and nobody said that the volume is complete
    assert not open_volume(tmp_path).is_complete
    assert all(unit.is_intact(tmp_path) for record in records for unit in record.units)
    again = begun(tmp_path)
    complete(again, records, "test")
    assert open_volume(tmp_path).check_files() == []
    assert not (tmp_path / "volume.h5.unfinished").exists()
