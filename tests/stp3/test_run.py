"""`run` gives the preview's rows, in every format, whatever the slab height."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from stp3.errors import ScanFault, UsageFault
from stp3.plan import Plan, resolve
from stp3.preview import Preview
from stp3.provenance import provenance
from stp3.recipe import Recipe
from stp3.run import begin, reconstruct, write_slab
from stp3.scan import Scan, open_scan
from stp3.testing import write_practice_scan
from stp3.volume import open_volume
from stp3.writers import format_names

COLUMN = {"rotation_axis.column": 30.75}


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    path = tmp_path_factory.mktemp("scan") / "scan.h5"
    write_practice_scan(path, columns=63, rows=9, angles=91, faults={"noise"})
    return open_scan(path)


@pytest.fixture(scope="module")
def preview_rows(scan: Scan) -> np.ndarray:
    preview = Preview(scan)
    return np.stack([preview.slice(Recipe.default().with_values(COLUMN), row) for row in range(scan.rows)])


@pytest.mark.parametrize("format", format_names())
def test_a_preview_row_is_that_row_of_the_volume(
    scan: Scan, preview_rows: np.ndarray, tmp_path: Path, format: str
) -> None:
    heard: list[tuple[int, int]] = []
    recipe = Recipe.default().with_values(COLUMN)
    volume = reconstruct(
        scan, recipe, tmp_path / "v", rows=range(1, 9), format=format, on_progress=lambda *rows: heard.append(rows)
    )
    for z, row in enumerate(range(1, 9)):
        np.testing.assert_array_equal(volume.slice(z), preview_rows[row], strict=True)
    assert heard[-1] == (8, 8)
    assert volume.voxel_size_um == scan.pixel_size_um
    assert volume.provenance["recipe_asked"] == recipe.as_dict()
    assert Recipe.from_dict(volume.provenance["recipe"]).fingerprint == volume.layout.fingerprint
    assert not list((tmp_path / "v").rglob("*part*"))


def test_a_part_of_the_slice_makes_a_smaller_volume(scan: Scan, tmp_path: Path) -> None:
    recipe = Recipe.default().with_values({**COLUMN, "fbp.window": [10, 50, 20, 31]})
    volume = reconstruct(scan, recipe, tmp_path / "v", rows=range(4, 6))
    assert volume.layout.slice_shape == (11, 40)
    np.testing.assert_array_equal(volume.slice(1), Preview(scan).slice(recipe, 5))
    outside = recipe.with_values({"fbp.window": [10, 64, 20, 31]})
    with pytest.raises(UsageFault, match="left, right = 10, 64"):
        reconstruct(scan, outside, tmp_path / "outside")
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("slab_rows", [1, 4, 9])
def test_slab_height_and_threads_change_no_byte(
    scan: Scan, preview_rows: np.ndarray, tmp_path: Path, slab_rows: int
) -> None:
    recipe = Recipe.default().with_values(COLUMN)
    plan = Plan(scan, recipe, range(9), slab_rows)
    writer = begin(plan, tmp_path, "tiff", "test", provenance(plan, recipe))
    for rows in plan.slabs():
        write_slab(plan, writer, rows, threads=slab_rows)
    np.testing.assert_array_equal(np.stack([writer.read(row) for row in range(9)]), preview_rows, strict=True)


@pytest.mark.parametrize("dtype", ["uint16", "uint8"])
def test_integers_keep_to_the_stated_grey_range(
    scan: Scan, preview_rows: np.ndarray, tmp_path: Path, dtype: str
) -> None:
    volume = reconstruct(scan, Recipe.default().with_values({**COLUMN, "output.dtype": dtype}), tmp_path / "v")
    assert volume.dtype == np.dtype(dtype)
    assert volume.grey_range is not None
    low, high = volume.grey_range
    step = (high - low) / np.iinfo(dtype).max
    stored = np.stack([volume.slice(z) for z in range(9)]).astype(np.float64)
    assert np.abs(low + stored * step - np.clip(preview_rows, low, high)).max() <= 0.51 * step


def test_a_resolved_recipe_measures_nothing_again(tmp_path: Path) -> None:
    write_practice_scan(tmp_path / "scan.h5", columns=128, rows=4, angles=181)
    scan = open_scan(tmp_path / "scan.h5")
    plan = resolve(Recipe.default().with_values({"output.dtype": "uint16"}), scan)
    text = plan.recipe.to_yaml()
    assert "auto" not in text
    assert resolve(Recipe.from_yaml(text), scan).recipe == plan.recipe


@pytest.mark.parametrize("budget_mib", [400, 800])
def test_a_run_stays_inside_its_memory(tmp_path: Path, budget_mib: int) -> None:
    write_practice_scan(tmp_path / "scan.h5", columns=640, rows=128, angles=500)
    script = f"""
        import re
        import stp3
        scan = stp3.open_scan({str(tmp_path / "scan.h5")!r})
        recipe = stp3.Recipe.default().with_values({{"rotation_axis.column": 320.0}})
        stp3.reconstruct(scan, recipe, {str(tmp_path / "v")!r}, memory_bytes={budget_mib} << 20, threads=2)
        print(int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) / 1024)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert float(done.stdout) <= 1.1 * budget_mib


def test_an_interrupt_stops_between_iterations(scan: Scan, tmp_path: Path) -> None:
    steps = [
        "flat_field",
        "minus_log",
        {"step": "rotation_axis", "column": 30.75},
        {"step": "sirt", "iterations": 9999},
    ]
    asking = threading.get_ident()

    def interrupt() -> None:
        while not (tmp_path / "v" / "volume.json").exists():
            time.sleep(0.05)
        time.sleep(0.5)
        signal.pthread_kill(asking, signal.SIGINT)

    soon = threading.Thread(target=interrupt)
    soon.start()
    with pytest.raises(KeyboardInterrupt):
        reconstruct(scan, Recipe.from_dict({"steps": steps}), tmp_path / "v")
    soon.join()
    assert not open_volume(tmp_path / "v").done_rows


def test_an_existing_output_is_refused_before_any_work(scan: Scan, tmp_path: Path) -> None:
    (tmp_path / "kept.tif").write_bytes(b"precious")
    with pytest.raises(UsageFault, match="not empty"):
        reconstruct(scan, Recipe.default(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.tif"]


def test_a_scan_that_changed_stores_nothing(scan: Scan, tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    path.write_bytes(scan.path.read_bytes())
    own = open_scan(path)
    recipe = Recipe.default().with_values(COLUMN)
    plan = Plan(own, recipe, range(9), 3)
    writer = begin(plan, tmp_path / "v", "tiff", "test", provenance(plan, recipe))
    write_slab(plan, writer, range(3), threads=1)
    write_practice_scan(tmp_path / "other.h5", columns=40, rows=9, angles=30)
    (tmp_path / "other.h5").replace(path)
    with pytest.raises(ScanFault, match="changed while it was being used"):
        write_slab(plan, writer, range(3, 6), threads=1)
    assert writer.done_rows() == [0, 1, 2]


def test_a_full_disk_is_told_with_the_bytes_needed(scan: Scan, tmp_path: Path) -> None:
    script = f"""
        import resource, signal
        import stp3
        from stp3.errors import Stp3Error
        scan, recipe = stp3.open_scan({str(scan.path)!r}), stp3.Recipe.default().with_values({COLUMN})
        resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))
        try:
            stp3.reconstruct(scan, recipe, {str(tmp_path / "v")!r})
        except Stp3Error as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert "no room for slice_00000.tif" in done.stdout
    assert re.search(r"it needs 1\d{4} bytes", done.stdout)  # 121 x 28 float32, and all about the volume
    assert not list((tmp_path / "v").rglob(".*.part"))
