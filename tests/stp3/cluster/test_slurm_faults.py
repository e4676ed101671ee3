"""Faults on a real SLURM: whatever is struck down, the volume is the one that nothing happened to, voxel for voxel."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stp3.cluster.client import Job
from stp3.cluster.profiles import SlurmProfile
from stp3.cluster.watch import look_after
from stp3.testing.slurm import Slurm

ON_SLURM = SlurmProfile(
    name="test", kind="slurm", workers=2, threads=1, memory_gib=1, driver_memory_gib=0.5,
    walltime="00:10:00", slab_rows=1,
)  # fmt: skip
DRIVER_HERE = ON_SLURM.model_copy(update={"driver": "here"})


def running(slurm: Slurm, prefix: str) -> list[str]:
    return [number for number, (name, state) in slurm.jobs("running").items() if name.startswith(prefix)]


def workers(slurm: Slurm, job: Job) -> list[str]:
    return running(slurm, f"stp3w-{job.id}-")


def driver(slurm: Slurm, job: Job) -> str:
    return running(slurm, f"stp3-{job.id}-")[0]


def wait_for(job: Job, state: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while job.state().state != state:
        assert time.monotonic() < deadline, f"{job.state()}\n{job.log()}"
        time.sleep(0.05)


@pytest.mark.parametrize("seed", [1, 2])
def test_lost_workers_are_replaced(
    slurm: Slurm, jobs: Any, long_scan: Path, long_volume: np.ndarray, seed: int
) -> None:
    """Cancelled by SLURM, or killed: the process that works, or the one that looks after it."""
    chance = random.Random(seed)
    job = jobs.start(long_scan, profile=DRIVER_HERE)
    jobs.wait_for_slabs(job, chance.randint(1, 6))
    if seed % 2:
        slurm.ask("scancel", chance.choice(workers(slurm, job)))
    else:
        for pid in jobs.processes(job) - {job.state().pid}:
            if chance.random() < 0.6:
                os.kill(pid, signal.SIGKILL)
    np.testing.assert_array_equal(jobs.done(job), long_volume, strict=True)
    assert set(jobs.journalled(job).values()) == {1}


def test_a_node_that_goes_down(slurm: Slurm, jobs: Any, long_scan: Path, long_volume: np.ndarray) -> None:
    job = jobs.start(long_scan, profile=DRIVER_HERE.model_copy(update={"constraint": "plain"}))
    try:
        jobs.wait_for_slabs(job, 2)
        node = slurm.ask("squeue", "-h", "-j", workers(slurm, job)[0], "-o", "%N").strip()
        slurm.kill(node)
        slurm.ask("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
        np.testing.assert_array_equal(jobs.done(job), long_volume, strict=True)
    finally:
        slurm.start_node(node)
        slurm.ask("scontrol", "update", f"nodename={node}", "state=resume")
    assert set(jobs.journalled(job).values()) == {1}


@pytest.mark.parametrize("fault", ["killed", "cancelled", "requeued", "wall-time"])
def test_a_lost_driver_goes_on(slurm: Slurm, jobs: Any, long_scan: Path, long_volume: np.ndarray, fault: str) -> None:
    job = jobs.start(long_scan, profile=ON_SLURM)
    jobs.wait_for_slabs(job, 2)
    finished = set(jobs.journalled(job))
    was = driver(slurm, job)
    if fault == "killed":
        os.kill(job.state().pid, signal.SIGKILL)
    elif fault == "cancelled":
        slurm.ask("scancel", was)
    elif fault == "requeued":
        slurm.ask("scontrol", "requeue", was)
        wait_for(job, "waiting")
        assert "starts it again" in job.state().stage
        slurm.ask("scontrol", "update", f"jobid={was}", "starttime=now")
    else:
        slurm.ask("scancel", "--signal=USR1", "--batch", was)  # as SLURM does a minute before the end
    if fault in ("killed", "cancelled"):
        wait_for(job, "interrupted")
        assert [found.id for found in look_after([jobs.folder])] == [job.id]
    np.testing.assert_array_equal(jobs.done(job), long_volume, strict=True)
    assert all(jobs.journalled(job)[start] == 1 for start in finished)
    assert look_after([jobs.folder]) == []


def test_workers_at_the_end_of_their_time(slurm: Slurm, jobs: Any, long_scan: Path, long_volume: np.ndarray) -> None:
    """SLURM itself ends them; it looks every half a minute."""
    job = jobs.start(long_scan, profile=DRIVER_HERE)
    jobs.wait_for_slabs(job, 1)
    os.kill(job.state().pid, signal.SIGSTOP)  # a driver that stands still cannot be done before
    struck = workers(slurm, job)
    for number in struck:
        slurm.ask("scontrol", "update", f"jobid={number}", "endtime=now")
    deadline = time.monotonic() + 60
    while {slurm.jobs()[number][1] for number in struck} != {"TIMEOUT"}:
        assert time.monotonic() < deadline, slurm.jobs()
        time.sleep(0.2)
    os.kill(job.state().pid, signal.SIGCONT)
    np.testing.assert_array_equal(jobs.done(job), long_volume, strict=True)
    assert set(jobs.journalled(job).values()) == {1}


def test_a_submission_whose_answer_is_lost_is_one_job(
    slurm: Slurm, jobs: Any, scan_file: Path, small_volume: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first `sbatch` hands the job over and then fails; the second fails at once, the third is slow."""
    (tmp_path / "bin").mkdir()
    broken = tmp_path / "bin" / "sbatch"
    broken.write_text(
        f"#!/bin/sh\necho x >> {tmp_path}/calls; n=$(wc -l < {tmp_path}/calls)\n"
        f'[ $n = 1 ] && {shutil.which("sbatch")} "$@" >/dev/null\n'
        "if [ $n -le 2 ]; then echo 'sbatch: error: Batch job submission failed: Socket timed out' >&2; exit 1; fi\n"
        f'[ $n = 3 ] && sleep 2\nexec {shutil.which("sbatch")} "$@"\n'
    )
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    job = jobs.start(scan_file, profile=ON_SLURM.model_copy(update={"workers": 1}))
    np.testing.assert_array_equal(jobs.done(job), small_volume, strict=True)
    names = [name for name, _ in slurm.jobs().values() if job.id in name]
    assert sum(name.startswith("stp3-") for name in names) == 1
    assert sum(name.startswith("stp3w-") for name in names) == 1
    assert "did not take a worker" in job.log()


def test_a_controller_that_is_away_for_a_while(
    slurm: Slurm, jobs: Any, long_scan: Path, long_volume: np.ndarray
) -> None:
    job = jobs.start(long_scan, profile=DRIVER_HERE)
    jobs.wait_for_slabs(job, 1)
    slurm.kill("slurmctld")
    time.sleep(2)
    slurm.start_controller()
    np.testing.assert_array_equal(jobs.done(job), long_volume, strict=True)
    assert set(jobs.journalled(job).values()) == {1}
