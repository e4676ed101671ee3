"""Converted scans and volumes keep every number."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from stp3 import convert
from stp3.cli import main
from stp3.convert import convert_scan, convert_volume
from stp3.errors import UsageFault
from stp3.kernels.angles import exact_degrees
from stp3.scan import Frames, Scan, open_scan
from stp3.scan_files import KINDS, SCAN_FILES, frames_of
from stp3.testing import write_practice_scan
from stp3.volume import claim, complete, describe, open_volume, store
from stp3.writers import find_writer, format_names
from tests.stp3.writers.volumes import ROWS, layout

SUFFIX = {"data-exchange": ".h5", "nxtomo": ".nxs", "tdf": ".tdf.h5", "tiff": ""}


def same(stack: Frames | None, other: Frames | None) -> None:
    if stack is None or other is None:
        assert stack is other
        return
    np.testing.assert_array_equal(stack.read(), other.read(), strict=True)


def check_same(scan: Scan, other: Scan) -> None:
    for kind in KINDS:
        same(frames_of(scan, kind), frames_of(other, kind))
    np.testing.assert_array_equal(scan.theta, other.theta, strict=True)
    np.testing.assert_array_equal(scan.flat_times, other.flat_times)
    for name in ("pixel_size_um", "energy_kev", "distance_mm", "exposure_s", "sample", "theta_stated"):
        assert getattr(scan, name) == getattr(other, name), name


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    path = tmp_path_factory.mktemp("scan") / "scan.h5"
    write_practice_scan(path, columns=32, rows=5, angles=13, faults={"noise"})
    return open_scan(path)


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(SCAN_FILES, 2)))
def test_a_scan_comes_back_from_any_format_through_any_other(
    scan: Scan, tmp_path: Path, first: str, second: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convert, "_PIECE_BYTES", 2000)  # several pieces
    one, two = tmp_path / f"one{SUFFIX[first]}", tmp_path / f"two{SUFFIX[second]}"
    assert convert_scan(scan, one, first) == []
    assert open_scan(one).format == first
    assert convert_scan(open_scan(one), two, second) == []
    check_same(scan, open_scan(two))
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("format", list(SCAN_FILES))
def test_floats_and_flats_between_projections_are_kept_or_told(tmp_path: Path, scan: Scan, format: str) -> None:
    path = tmp_path / "scan.nxs"
    keys = np.array([2, 1, 0, 0, 1, 0, 0, 1])
    with h5py.File(path, "w") as file:
        file["entry/instrument/detector/data"] = np.random.default_rng(2).normal(size=(8, 3, 6)).astype(np.float32)
        file["entry/instrument/detector/image_key"] = keys
        file["entry/sample/rotation_angle"] = np.array([0, 0, 0.1, 0.7, 0.7, 1.3, 77.7, 80])
        file["entry/sample/rotation_angle"].attrs["units"] = "deg"
    odd = open_scan(path)
    np.testing.assert_array_equal(odd.flat_times, [-0.5, 1.5, 3.5])
    lost = convert_scan(odd, tmp_path / f"out{SUFFIX[format]}", format)
    back = open_scan(tmp_path / f"out{SUFFIX[format]}")
    if format == "tiff":
        assert lost == ["between which projections flats were taken"]
        back = replace(back, flat_times=odd.flat_times)
    else:
        assert lost == []
    check_same(odd, back)


def test_a_scan_without_flats_or_angles_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["exchange/data"] = np.arange(60, dtype=np.uint16).reshape(4, 3, 5)
    bare = open_scan(path)
    for name in ("nxtomo", "tiff"):
        convert_scan(bare, tmp_path / f"out{SUFFIX[name]}", name)
        check_same(bare, open_scan(tmp_path / f"out{SUFFIX[name]}"))


def test_degrees_give_the_same_bits_back() -> None:
    rng = np.random.default_rng(0)
    degrees = np.concatenate([np.linspace(0, 180, 1801), rng.uniform(-400, 400, 5000), np.arange(360) / 7])
    np.testing.assert_array_equal(np.deg2rad(exact_degrees(np.deg2rad(degrees))), np.deg2rad(degrees))
    never = np.linspace(0, np.pi, 1801)
    np.testing.assert_allclose(np.deg2rad(exact_degrees(never)), never, rtol=3e-16)
    assert exact_degrees(np.deg2rad(np.array([0.1, 45.0, 179.9]))).tolist() == [0.1, 45.0, 179.9]


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(format_names(), 2)))
def test_a_volume_keeps_every_voxel_and_all_that_is_known(
    tmp_path: Path, first: str, second: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convert, "_PIECE_BYTES", 1500)
    data = np.random.default_rng(9).integers(0, 65536, (len(ROWS), 13, 17)).astype(np.uint16)
    plan = layout(tmp_path / "a", first, "uint16", grey_range=(-1.0, 2.0), unit="1/cm", slab_rows=len(ROWS))
    writer = find_writer(first)(plan)
    claim(plan.folder, "test")
    describe(plan, "test")
    writer.prepare()
    complete(writer, [store(writer, ROWS, data)], "test")
    made = convert_volume(open_volume(tmp_path / "a"), tmp_path / "b", second)
    np.testing.assert_array_equal(np.stack([made.slice(z) for z in range(len(ROWS))]), data, strict=True)
    assert (made.rows, made.grey_range, made.voxel_size_um) == (ROWS, (-1.0, 2.0), 3.25)
    assert (made.layout.unit, made.layout.recipe) == ("1/cm", plan.recipe)
    assert made.provenance["user"] == "ada"
    assert made.provenance["converted"][0]["format"] == first
    assert made.check_files() == []
    about = [json.loads((tmp_path / name / "volume.json").read_text()) for name in "ab"]
    assert about[0]["histogram"] == about[1]["histogram"]
    assert not list(tmp_path.glob(".*"))


def test_nothing_is_written_over_unless_told(scan: Scan, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.nxs"
    call = ["convert", str(scan.path), str(out), "--format", "nxtomo"]
    assert main(call) == 0
    before = out.stat().st_ino
    assert main(call) == 2
    assert "exists already" in capsys.readouterr().err
    assert out.stat().st_ino == before
    assert main([*call, "--overwrite", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["not_kept"] == []
    assert out.stat().st_ino != before
    check_same(scan, open_scan(out))


def test_folders_of_others_and_the_scan_itself_are_never_replaced(scan: Scan, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(UsageFault, match="did not make"):
        convert_scan(scan, tmp_path / "mine", "tiff", overwrite=True)
    with pytest.raises(UsageFault, match="lie in each other"):
        convert_scan(scan, scan.path, "nxtomo", overwrite=True)
    with pytest.raises(UsageFault, match="lie in each other"):
        convert_scan(scan, scan.path.parent, "tiff", overwrite=True)
    with pytest.raises(UsageFault, match="data-exchange, nxtomo, tdf, tiff"):
        convert_scan(scan, tmp_path / "out", "bmp")
    convert_scan(scan, tmp_path / "out", "tiff")
    (tmp_path / "out" / "flat_00000.tif").unlink()
    convert_scan(scan, tmp_path / "out", "tiff", overwrite=True)
    check_same(scan, open_scan(tmp_path / "out"))


def test_stopped_half_way_nothing_is_left(scan: Scan, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    for name in SCAN_FILES:
        with pytest.raises(KeyboardInterrupt):
            convert_scan(scan, tmp_path / f"out{SUFFIX[name]}", name, on_progress=stop)
    assert list(tmp_path.iterdir()) == []
