"""Real jobs on small practice scans; each test ends with no process and no private file left."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stp3.cluster.client import Job, submit
from stp3.cluster.profiles import Profile
from stp3.recipe import Recipe
from stp3.run import reconstruct
from stp3.scan import open_scan
from stp3.testing import write_practice_scan
from stp3.testing.slurm import Slurm, missing_programs
from stp3.volume import Volume, open_volume

SMALL = Profile(name="small", workers=2, threads=1, memory_gib=1, slab_rows=2)


class Jobs:
    """Starts jobs and looks at them from outside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[Job] = []

    def start(self, scan: Path, recipe: Recipe | None = None, **options: Any) -> Job:
        options = {"profile": SMALL, "jobs_folder": self.folder} | options
        self.started.append(submit(scan, recipe or Recipe.default(), **options))
        return self.started[-1]

    @staticmethod
    def done(job: Job, seconds: float = 90) -> np.ndarray:
        """All voxels of a job that must end well; its files are what their checksums say."""
        state = job.wait(seconds)
        assert state.state == "done", f"{state}\n{job.log()}"
        volume = open_volume(job.output)
        assert volume.is_complete
        assert volume.check_files() == []
        return voxels(volume)

    @staticmethod
    def processes(job: Job) -> set[int]:
        """The driver and its workers: all whose environment names the run directory."""
        found = set()
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if job.id.encode() in (path / "environ").read_bytes():
                    found.add(int(path.name))
            except OSError:
                continue
        return found

    @classmethod
    def workers(cls, job: Job) -> list[int]:
        pids = cls.processes(job) - {job.state().pid}
        return sorted(pid for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes())

    @classmethod
    def wait_until_gone(cls, job: Job, seconds: float = 5) -> set[int]:
        deadline = time.monotonic() + seconds
        while (left := cls.processes(job)) and time.monotonic() < deadline:
            time.sleep(0.02)
        return left

    @staticmethod
    def wait_for_slabs(job: Job, count: int, seconds: float = 60) -> None:
        """Returns when that many slabs stand in the journal; the job must still be at work then."""
        deadline = time.monotonic() + seconds
        while len(Jobs.journalled(job)) < count:
            assert not job.state().is_over, f"{job.state()}\n{job.log()}"
            assert time.monotonic() < deadline, job.log()
            time.sleep(0.01)

    @staticmethod
    def wait_for_journal(job: Job, seconds: float = 60) -> None:
        """Returns when the driver has begun its journal."""
        deadline = time.monotonic() + seconds
        while not (job.folder / "journal.jsonl").exists():
            assert time.monotonic() < deadline, job.log()
            time.sleep(0.01)

    @staticmethod
    def journalled(job: Job) -> Counter[int]:
        """How often each slab (by its first row) stands in the journal."""
        try:
            lines = (job.folder / "journal.jsonl").read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return Counter()
        records = (json.loads(line) for line in lines if line.endswith(b"}"))
        return Counter(record["rows"][0] for record in records if record["kind"] == "slab")

    def sweep(self) -> list[str]:
        """What is left of all jobs; ends what still runs."""
        left = []
        for job in self.started:
            if pids := self.wait_until_gone(job):
                left.append(f"{job.id}: processes {pids}\n{job.log()}")
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
            if (job.folder / "tls").exists():
                left.append(f"{job.id}: private files")
            left += [f"half a file: {path}" for path in job.output.rglob(".*.part")]
        return left


def voxels(volume: Volume) -> np.ndarray:
    return np.stack([volume.slice(z) for z in range(volume.shape[0])])


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    started = Jobs(tmp_path / "jobs")
    yield started
    assert started.sweep() == []


@pytest.fixture(scope="session")
def scan_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small scan: a job on it takes little more than its start."""
    path = tmp_path_factory.mktemp("scans") / "small.h5"
    write_practice_scan(path, columns=64, rows=11, angles=91, faults={"noise"})
    return path


@pytest.fixture(scope="session")
def long_scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan with slabs long enough to strike while they are worked on."""
    path = tmp_path_factory.mktemp("scans") / "long.h5"
    write_practice_scan(path, columns=384, rows=24, angles=541, faults={"noise"})
    return path


@pytest.fixture(scope="session")
def small_volume(scan_file: Path, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    return voxels(
        reconstruct(open_scan(scan_file), Recipe.default(), tmp_path_factory.mktemp("volumes") / "small", threads=1)
    )


@pytest.fixture(scope="session")
def long_volume(long_scan: Path, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """What every job on the long scan must give, whatever happens to it."""
    return voxels(
        reconstruct(open_scan(long_scan), Recipe.default(), tmp_path_factory.mktemp("volumes") / "long", threads=1)
    )


_ALIVE = "pending,running,suspended,configuring,completing"


@pytest.fixture(scope="session")
def running_slurm() -> Iterator[Slurm]:
    """A real SLURM of three nodes; skips where it is not installed."""
    if missing := missing_programs():
        pytest.skip(f"SLURM is not installed: {', '.join(missing)} missing")
    with Slurm() as slurm:
        yield slurm


@pytest.fixture
def slurm(running_slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    """The SLURM that this test's commands talk to; each test ends with no job in its queue."""
    for name, value in running_slurm.environment.items():
        monkeypatch.setenv(name, value)
    yield running_slurm
    deadline = time.monotonic() + 10
    while (left := running_slurm.jobs(_ALIVE)) and time.monotonic() < deadline:
        time.sleep(0.1)
    if left:
        running_slurm.ask("scancel", *left)
    assert left == {}
