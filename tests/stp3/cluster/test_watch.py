"""The watch: it goes on with what was lost, and knows when to stop."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np

from stp3.cluster.watch import look_after


def test_a_job_whose_driver_is_killed_goes_on(jobs: Any, long_scan: Path, long_volume: np.ndarray) -> None:
    job = jobs.start(long_scan)
    assert look_after([jobs.folder]) == []
    jobs.wait_for_slabs(job, 1)
    os.kill(job.state().pid, signal.SIGKILL)
    jobs.wait_until_gone(job)
    assert [found.id for found in look_after([jobs.folder.parent])] == [job.id]
    np.testing.assert_array_equal(jobs.done(job), long_volume, strict=True)
    assert look_after([jobs.folder]) == []


def test_a_job_that_loses_one_driver_after_another_is_given_up(jobs: Any, scan_file: Path) -> None:
    job = jobs.start(scan_file)
    jobs.wait_for_journal(job)
    os.kill(job.state().pid, signal.SIGKILL)
    jobs.wait_until_gone(job)
    journal = job.folder / "journal.jsonl"
    lost = b'{"kind":"driver","fence":%d,"pid":1,"host":"here","time":""}\n'
    journal.write_bytes(b"".join(lost % fence for fence in (1, 2, 3)))
    assert look_after([jobs.folder]) == []
    journal.write_bytes(b"".join(lost % fence for fence in (1, 2)))
    assert len(look_after([jobs.folder])) == 1
    jobs.done(job)


def test_cancelled_and_failed_jobs_are_left_alone(jobs: Any, long_scan: Path, tmp_path: Path) -> None:
    job = jobs.start(long_scan)
    job.cancel()
    assert job.wait(10).state == "cancelled"
    assert look_after([jobs.folder, tmp_path / "nowhere"]) == []
