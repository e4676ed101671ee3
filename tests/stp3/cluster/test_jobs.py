"""A job from its submission to the volume."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stp3.cluster.client import find_job, list_jobs, submit
from stp3.cluster.profiles import Profile
from stp3.cluster.run_folder import RunFolder
from stp3.cluster.tasks import reopen_job
from stp3.engine import run_slab
from stp3.errors import Stp3Error, UsageFault
from stp3.measured import read_measured
from stp3.preview import Preview
from stp3.recipe import Recipe
from stp3.scan import open_scan
from stp3.steps.flat_field_dynamic import FlatFieldDynamic
from stp3.volume import open_volume


def test_the_volume_is_the_preview_row_by_row(jobs: Any, scan_file: Path, small_volume: np.ndarray) -> None:
    job = jobs.start(scan_file, user="ada")
    state = job.state()
    assert state.state == "running"
    assert (state.user, state.sample, state.rows, state.rows_total) == ("ada", "practice phantom", (0, 11), 11)
    volume = jobs.done(job)
    np.testing.assert_array_equal(volume, small_volume, strict=True)
    preview = Preview(open_scan(scan_file))
    for row in (0, 5, 10):
        np.testing.assert_array_equal(volume[row], preview.slice(Recipe.default(), row), strict=True)
    state = job.state()
    assert (state.slabs_done, state.slabs_total, state.rows_done, state.error) == (6, 6, 11, None)
    assert state.bytes_written == sum(unit.bytes for unit in open_volume(job.output).files)
    assert set(jobs.journalled(job).values()) == {1}
    assert "rows 10:11 done" in job.log()


@pytest.mark.parametrize("format", ["hdf5", "zarr"])
def test_every_format_and_any_slab_height_give_the_same(
    jobs: Any, scan_file: Path, small_volume: np.ndarray, format: str, tmp_path: Path
) -> None:
    profile = Profile(name="other", workers=1, threads=2, memory_gib=1, slab_rows=5)
    job = jobs.start(scan_file, format=format, profile=profile, output=tmp_path / "mine", rows=range(2, 9))
    np.testing.assert_array_equal(jobs.done(job), small_volume[2:9], strict=True)
    assert job.output == tmp_path / "mine"
    assert not (tmp_path / "mine" / ".parts").exists()


def test_the_resolved_recipe_stands_beside_the_volume(jobs: Any, scan_file: Path, small_volume: np.ndarray) -> None:
    asked = Recipe.default().with_values({"output.dtype": "uint16"})
    job = jobs.start(scan_file, asked)
    stored = jobs.done(job)
    volume = open_volume(job.output)
    resolved = Recipe.load(job.output / "recipe.yaml")
    assert stored.dtype == np.uint16
    low, high = volume.grey_range or (0, 0)
    values = low + stored.astype(np.float64) / 65535 * (high - low)
    clipped = np.clip(small_volume, low, high)
    assert np.abs(values - clipped).max() <= 0.51 * (high - low) / 65535
    assert resolved.use("rotation_axis").parameters.model_dump()["column"] != "auto"
    assert volume.provenance["recipe_asked"] == asked.as_dict()
    assert volume.provenance["scan"]["head_sha256"] == open_scan(scan_file).identity.head_sha256
    assert volume.provenance["ended"] >= volume.provenance["started"]


def test_what_is_off_is_told_before_anything_starts(scan_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "old.tif").touch()
    for options, words in [
        ({"rows": range(5, 12)}, "within 0:11"),
        ({"format": "bmp"}, "output format"),
        ({"profile": "cloud"}, "profile"),
        ({"output": tmp_path / "full"}, "not empty"),
    ]:
        with pytest.raises(UsageFault, match=words):
            submit(scan_file, Recipe.default(), jobs_folder=folder, **options)
    assert list_jobs(folder) == []


def test_two_jobs_cannot_share_an_output(jobs: Any, scan_file: Path, tmp_path: Path) -> None:
    first = jobs.start(scan_file, output=tmp_path / "out")
    second = jobs.start(scan_file, output=tmp_path / "out")
    states = {first.wait(60).state, second.wait(60).state}
    assert states == {"done", "failed"}
    loser = first if first.state().state == "failed" else second
    assert "new or empty folder" in str(loser.state().error)


def test_what_cannot_work_fails_in_words(jobs: Any, scan_file: Path) -> None:
    job = jobs.start(scan_file, Recipe.default().with_values({"rotation_axis.column": 500.0}))
    state = job.wait(60)
    assert state.state == "failed"
    assert "rotation_axis must be between 0 and 63" in str(state.error)
    assert "Traceback" not in job.log()


def test_jobs_are_listed_newest_first_and_found_by_name(jobs: Any, scan_file: Path, tmp_path: Path) -> None:
    assert list_jobs(tmp_path / "nowhere") == []
    job = jobs.start(scan_file)
    (tmp_path / "jobs" / "notes").mkdir()
    assert [found.id for found in list_jobs(tmp_path / "jobs")] == [job.id]
    assert find_job(job.id, tmp_path / "jobs").state().id == job.id
    for name in ("../jobs", "20200101-000000-abcdef", ""):
        with pytest.raises(UsageFault, match="no job"):
            find_job(name, tmp_path / "jobs")
    jobs.done(job)
    with pytest.raises(UsageFault, match="nothing to cancel"):
        job.cancel()
    with pytest.raises(UsageFault, match="only a stopped job"):
        job.resume()


def test_nothing_private_gets_out(jobs: Any, long_scan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "secret-token")
    monkeypatch.setenv("STP3_SECRET", "secret-token")
    job = jobs.start(long_scan)
    jobs.wait_for_slabs(job, 1)
    pids = jobs.processes(job)
    assert len(pids) >= 3
    for pid in pids:
        assert b"secret-token" not in Path(f"/proc/{pid}/environ").read_bytes()
    ports = {port for pid in pids for port in listening(pid)}
    assert len(ports) >= 3
    for address, port in ports:
        assert address == "127.0.0.1"
        assert speaks_neither_http_nor_plain_dask(port)
    for folder in (job.folder, job.folder / "tls"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    job.cancel()
    assert job.wait(5).state == "cancelled"
    assert not [path for path in job.folder.rglob("*") if b"PRIVATE KEY" in content(path)]


def test_the_client_brings_no_dask() -> None:
    script = "import sys, json, stp3.cluster.client; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"dask", "distributed", "tornado"} & set(json.loads(done.stdout))


def test_a_driver_that_cannot_start_is_told_at_once(
    scan_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "yaml.py").write_text("raise ImportError('yaml is out')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    with pytest.raises(Stp3Error, match="ended at once: ImportError: yaml is out"):
        submit(scan_file, Recipe.default(), jobs_folder=tmp_path / "jobs")


def listening(pid: int) -> set[tuple[str, int]]:
    """The TCP addresses on which a process listens."""
    inodes = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(str(handle.readlink()).removeprefix("socket:[").removesuffix("]"))
        except OSError:
            continue
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == "0A" and rest[5] in inodes:
                address, port = local.split(":")
                v4 = socket.inet_ntoa(bytes.fromhex(address)[::-1]) if len(address) == 8 else address
                found.add((v4, int(port, 16)))
    return found


def speaks_neither_http_nor_plain_dask(port: int) -> bool:
    """True when a stranger without keys hears nothing but a refusal."""
    for opening in (b"GET /health HTTP/1.0\r\n\r\n", bytes(8) + b"\x01" + bytes(7)):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as link:
            link.sendall(opening)
            try:
                answer = link.recv(100)
            except ConnectionError:
                answer = b""
        if answer and answer[0] != 0x15:  # anything but a TLS alert
            return False
    return True


def content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() and os.access(path, os.R_OK) else b""


def test_what_a_job_measured_is_kept_and_not_measured_again(
    jobs: Any, scan_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Recipe.default().with_step("flat_field_dynamic", components=2)
    job = jobs.start(scan_file, asked)
    volume = jobs.done(job)
    np.testing.assert_array_equal(volume[4], Preview(open_scan(scan_file)).slice(asked, 4), strict=True)
    run = RunFolder(job.folder)
    resolved = run.resolved()
    assert resolved is not None
    sha256 = open_volume(job.output).provenance["measured_sha256"]
    measured = read_measured(run.measured_file, sha256)
    monkeypatch.setattr(FlatFieldDynamic, "measure", None)
    plan = reopen_job(run.spec(), resolved, measured)
    np.testing.assert_array_equal(run_slab(plan, range(3, 7)), volume[3:7], strict=True)


def test_the_same_key_gives_the_same_job(jobs: Any, scan_file: Path) -> None:
    with ThreadPoolExecutor(3) as threads:
        asked = [threads.submit(jobs.start, scan_file, key="click 1", user="ada") for _ in range(3)]
        ids = {job.result().id for job in asked}
    assert len(ids) == 1
    assert [job.id for job in list_jobs(jobs.folder)] == list(ids)
    with pytest.raises(UsageFault, match="another one"):
        jobs.start(scan_file, key="click 1", user="ada", rows=range(2))
    job = jobs.started[0]
    jobs.done(job)
    assert jobs.start(scan_file, key="click 1", user="ada").id == job.id
    assert set(jobs.journalled(job).values()) == {1}


def test_a_clone_differs_by_its_recipe_alone(jobs: Any, scan_file: Path) -> None:
    job = jobs.start(scan_file, rows=range(3, 5), format="zarr")
    first = jobs.done(job)
    clone = job.clone(job.recipe().with_values({"fbp.filter": "hann"}))
    jobs.started.append(clone)
    second = jobs.done(clone)
    assert clone.id != job.id
    assert clone.state().format == "zarr"
    assert second.shape == first.shape
    preview = Preview(open_scan(scan_file))
    expected = preview.slice(Recipe.default().with_values({"fbp.filter": "hann"}), 3)
    np.testing.assert_array_equal(second[0], expected, strict=True)
