"""Jobs on a real SLURM: from the submission to the volume, and what a site and a user see of it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stp3.cluster.profiles import SlurmProfile
from stp3.cluster.slurm_pool import describe_submission
from stp3.errors import Stp3Error
from stp3.testing.slurm import Slurm

ON_SLURM = SlurmProfile(
    name="test",
    kind="slurm",
    workers=2,
    threads=1,
    memory_gib=1,
    driver_memory_gib=0.5,
    walltime="00:10:00",
    slab_rows=2,
)  # fmt: skip


def test_a_job_on_slurm_gives_the_volume(
    slurm: Slurm, jobs: Any, long_scan: Path, long_volume: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "secret-token")
    job = jobs.start(long_scan, profile=ON_SLURM)
    assert job.state().state in ("waiting", "running")
    jobs.wait_for_slabs(job, 1)
    names = [name for name, state in slurm.jobs().values() if job.id in name and state == "RUNNING"]
    assert sum(name.startswith(f"stp3w-{job.id}-") for name in names) >= 1
    assert sum(name.startswith(f"stp3-{job.id}-") for name in names) == 1
    for pid in jobs.processes(job):
        assert b"secret-token" not in environment(pid)
    keys = [path for path in (job.folder / "tls").iterdir() if path.is_file()]
    assert keys
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}
    np.testing.assert_array_equal(jobs.done(job), long_volume, strict=True)
    assert set(jobs.journalled(job).values()) == {1}


def test_the_driver_may_run_here(slurm: Slurm, jobs: Any, scan_file: Path, small_volume: np.ndarray) -> None:
    job = jobs.start(scan_file, profile=ON_SLURM.model_copy(update={"driver": "here", "workers": 1}))
    np.testing.assert_array_equal(jobs.done(job), small_volume, strict=True)
    assert not any(name.startswith(f"stp3-{job.id}") for name, _ in slurm.jobs().values())


def test_a_waiting_job_says_why_and_can_be_cancelled(slurm: Slurm, jobs: Any, scan_file: Path) -> None:
    blockers = [
        slurm.ask("sbatch", "--parsable", "-o", "/dev/null", "-c2", "--wrap", "sleep 300").strip() for _ in range(4)
    ]
    try:
        job = jobs.start(scan_file, profile=ON_SLURM)
        deadline = time.monotonic() + 20
        while "job before you" not in job.state().stage:
            assert time.monotonic() < deadline, job.state()
            time.sleep(0.1)
        assert job.state().state == "waiting"
        assert job.state().stage.startswith("waiting: 1 job before you")
        start = time.monotonic()
        job.cancel()
        assert job.state().state == "cancelled"
        assert time.monotonic() - start < 3
        assert not [name for name in slurm.jobs("pending") if job.id in name]
    finally:
        slurm.ask("scancel", *blockers)


def test_what_slurm_refuses_is_told_at_once(slurm: Slurm, jobs: Any, scan_file: Path) -> None:
    with pytest.raises(Stp3Error, match="Invalid partition name"):
        jobs.start(scan_file, profile=ON_SLURM.model_copy(update={"partition": "nowhere"}))
    refused = jobs.start(scan_file, profile=ON_SLURM.model_copy(update={"constraint": "golden", "driver": "here"}))
    state = refused.wait(20)
    assert state.state == "failed"
    assert "SLURM does not take the job's workers" in str(state.error)
    assert "Invalid feature" in str(state.error)


def test_workers_that_cannot_start_are_told_with_their_last_words(slurm: Slurm, jobs: Any, scan_file: Path) -> None:
    broken = {"python": "/nowhere/python", "driver": "here", "workers": 1}
    state = jobs.start(scan_file, profile=ON_SLURM.model_copy(update=broken)).wait(40)
    assert state.state == "failed"
    assert "3 workers in a row ended before they could work" in str(state.error)
    assert "/nowhere/python" in str(state.error)


def test_cancel_takes_less_than_three_seconds(
    slurm: Slurm, jobs: Any, long_scan: Path, long_volume: np.ndarray
) -> None:
    job = jobs.start(long_scan, profile=ON_SLURM)
    jobs.wait_for_slabs(job, 1)
    start = time.monotonic()
    job.cancel()
    assert job.wait(5).state == "cancelled"
    assert time.monotonic() - start < 3
    assert not jobs.wait_until_gone(job, 10)
    job.resume()
    np.testing.assert_array_equal(jobs.done(job), long_volume, strict=True)


def test_what_is_shown_is_what_is_submitted(
    slurm: Slurm, jobs: Any, scan_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen by a `sbatch` that keeps what it was given, before it hands it on."""
    (tmp_path / "bin").mkdir()
    spy = tmp_path / "bin" / "sbatch"
    spy.write_text(
        f'#!/bin/sh\nscript=$(cat)\nprintf "%s\\n" "$@" "$script" > {tmp_path}/given.$$\n'
        f'printf "%s\\n" "$script" | {shutil.which("sbatch")} "$@"\n'
    )
    spy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    profile = ON_SLURM.model_copy(update={"workers": 1, "constraint": "fast", "prologue": ("export SITE_SAYS=hello",)})
    job = jobs.start(scan_file, profile=profile)
    jobs.done(job)
    given = [line for file in tmp_path.glob("given.*") for line in file.read_text().splitlines()]
    shown = describe_submission(profile, job.folder).replace("'", "")
    assert sum(line.startswith("--job-name") for line in given) == 2
    assert given.count("export SITE_SAYS=hello") == 2
    for line in given:
        if not line.startswith("--job-name") and "distributed.cli" not in line:
            assert line in shown
    command = next(line for line in given if "distributed.cli" in line).split()
    for word in command:
        assert word in shown or word.startswith(("tls://", "SLURMCluster"))


def environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def test_ctrl_c_stays_with_the_program() -> None:
    script = (
        "import signal; before = signal.getsignal(signal.SIGINT)\n"
        "import stp3.cluster.slurm_pool; assert signal.getsignal(signal.SIGINT) is before"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
