"""What is struck down comes back: every volume here equals the one that nothing happened to, voxel for voxel."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stp3.errors import UsageFault
from stp3.volume import open_volume


def test_killed_workers_are_replaced_and_no_finished_slab_is_redone(
    jobs: Any, long_scan: Path, long_volume: np.ndarray
) -> None:
    job = jobs.start(long_scan)
    jobs.wait_for_slabs(job, 2)
    for pid in jobs.workers(job):
        os.kill(pid, signal.SIGKILL)
    np.testing.assert_array_equal(jobs.done(job), long_volume, strict=True)
    assert set(jobs.journalled(job).values()) == {1}


@pytest.mark.parametrize("format", ["tiff", "hdf5", "zarr"])
def test_a_killed_driver_goes_on_where_it_was(jobs: Any, long_scan: Path, long_volume: np.ndarray, format: str) -> None:
    job = jobs.start(long_scan, format=format)
    jobs.wait_for_slabs(job, 3)
    finished = set(jobs.journalled(job))
    os.kill(job.state().pid, signal.SIGKILL)
    state = job.wait(5)
    assert state.state == "interrupted"
    assert "Resume" in str(state.error)
    assert not jobs.wait_until_gone(job), "workers outlive their driver"
    partial = open_volume(job.output)
    assert finished <= set(partial.done_rows)
    np.testing.assert_array_equal(partial.slice(min(finished)), long_volume[min(finished)])
    resolved = (job.folder / "resolved.json").read_bytes()
    job.resume()
    assert job.state().state == "running"
    np.testing.assert_array_equal(jobs.done(job), long_volume, strict=True)
    assert job.state().rows_done == 24
    assert job.state().bytes_written >= long_volume.nbytes
    assert job.state().bytes_written < 1.2 * long_volume.nbytes  # a multiscale volume adds a seventh
    assert all(jobs.journalled(job)[start] == 1 for start in finished)
    assert (job.folder / "resolved.json").read_bytes() == resolved


def test_sigterm_interrupts_within_three_seconds(jobs: Any, long_scan: Path, long_volume: np.ndarray) -> None:
    job = jobs.start(long_scan)
    jobs.wait_for_slabs(job, 2)
    start = time.monotonic()
    os.kill(job.state().pid, signal.SIGTERM)
    assert job.wait(5).state == "interrupted"
    assert time.monotonic() - start < 3
    assert "finished rows are kept" in job.state().stage
    assert not jobs.wait_until_gone(job)
    with open(job.folder / "journal.jsonl", "ab") as journal:
        journal.write(b'{"kind":"slab","rows":[22,2')  # the power went while a line was written
    damaged = job.output / "slices" / f"slice_{min(jobs.journalled(job)):05d}.tif"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    job.resume()
    np.testing.assert_array_equal(jobs.done(job), long_volume, strict=True)
    assert sorted(jobs.journalled(job).values())[-2:] == [1, 2]  # the damaged slab and no other


@pytest.mark.parametrize("slabs", [0, 2])
def test_cancel_takes_less_than_three_seconds(jobs: Any, long_scan: Path, long_volume: np.ndarray, slabs: int) -> None:
    job = jobs.start(long_scan)
    jobs.wait_for_slabs(job, slabs)
    start = time.monotonic()
    job.cancel()
    state = job.wait(5)
    assert state.state == "cancelled"
    assert time.monotonic() - start < 3
    assert state.rows_done == 2 * len(jobs.journalled(job))
    assert not jobs.wait_until_gone(job)
    if slabs:
        volume = open_volume(job.output)
        assert state.rows_done <= len(volume.done_rows) < 24
        job.resume()
        np.testing.assert_array_equal(jobs.done(job), long_volume, strict=True)


@pytest.mark.parametrize("format", ["hdf5", "tiff"])
def test_a_driver_killed_before_its_last_word_redoes_nothing(
    jobs: Any, scan_file: Path, small_volume: np.ndarray, format: str
) -> None:
    job = jobs.start(scan_file, format=format)
    jobs.done(job)
    jobs.wait_until_gone(job)
    before, state = jobs.journalled(job), job.folder / "state.json"
    state.write_text(json.dumps(json.loads(state.read_text()) | {"state": "running"}))
    assert job.state().state == "interrupted"
    job.resume()
    np.testing.assert_array_equal(jobs.done(job), small_volume, strict=True)
    assert jobs.journalled(job) == before
    assert job.state().rows_done == 11
    assert job.state().bytes_written == sum(unit.bytes for unit in open_volume(job.output).files)


def test_cancel_of_a_dead_job(jobs: Any, long_scan: Path) -> None:
    job = jobs.start(long_scan)
    jobs.wait_for_slabs(job, 1)
    os.kill(job.state().pid, signal.SIGKILL)
    jobs.wait_until_gone(job)
    job.cancel()
    assert job.state().state == "cancelled"


def test_a_second_driver_is_refused(jobs: Any, long_scan: Path) -> None:
    job = jobs.start(long_scan)
    second = [sys.executable, "-m", "stp3.cluster.driver", str(job.folder)]
    done = subprocess.run(second, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "another driver is at work" in done.stderr
    with pytest.raises(UsageFault, match="only a stopped job"):
        job.resume()
    assert job.state().state == "running"
    job.cancel()
    job.wait(5)


def test_a_stale_driver_writes_nothing_more(jobs: Any, long_scan: Path) -> None:
    job = jobs.start(long_scan)
    jobs.wait_for_slabs(job, 1)
    lock = job.folder / "driver.lock"
    lock.write_text(json.dumps(json.loads(lock.read_text()) | {"fence": 99}))  # as a newer driver would
    before, told = len(jobs.journalled(job)), (job.folder / "state.json").read_bytes()
    assert not jobs.wait_until_gone(job, 60)
    assert "another driver has taken this job over" in job.log()
    assert len(jobs.journalled(job)) <= before + 1
    assert json.loads((job.folder / "state.json").read_bytes())["state"] == json.loads(told)["state"] == "running"
    assert job.state().state == "interrupted"


def test_a_scan_replaced_during_the_job_is_noticed(jobs: Any, long_scan: Path, scan_file: Path, tmp_path: Path) -> None:
    scan = Path(shutil.copy(long_scan, tmp_path / "scan.h5"))
    job = jobs.start(scan)
    jobs.wait_for_slabs(job, 1)
    shutil.copy(scan_file, tmp_path / "other.h5")
    (tmp_path / "other.h5").replace(scan)
    state = job.wait(60)
    assert state.state == "failed"
    assert "changed while it was being used" in str(state.error)
    jobs.wait_until_gone(job)
    job.resume()
    assert "no longer the file that this job began with" in str(job.wait(60).error)


def test_a_full_disk_fails_in_words_and_room_lets_it_go_on(
    jobs: Any, scan_file: Path, small_volume: np.ndarray
) -> None:
    """A limit on the size of files, which processes inherit, is a disk that is full for slices and not for notes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (14_000, hard))
    try:
        job = jobs.start(scan_file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    state = job.wait(60)
    assert state.state == "failed"
    assert "no room for slice_" in str(state.error)
    assert "bytes" in str(state.error)
    assert job.log().count("trying again") >= 2
    jobs.wait_until_gone(job)
    job.resume()
    np.testing.assert_array_equal(jobs.done(job), small_volume, strict=True)
