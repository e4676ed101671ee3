"""The practice SLURM: it runs jobs on several nodes, loses one, and leaves nothing behind."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from stp3.testing.slurm import Slurm, missing_programs

pytestmark = pytest.mark.skipif(bool(missing_programs()), reason="SLURM is not installed")


def test_jobs_run_on_all_nodes_and_nothing_stays() -> None:
    with Slurm(nodes=2) as slurm:
        ids = [
            slurm.ask("sbatch", "--parsable", "-o", "/dev/null", "-w", node, "--wrap", "sleep 300").strip()
            for node in slurm.nodes
        ]
        wait_for(slurm, ids[0], "RUNNING")
        wait_for(slurm, ids[1], "RUNNING")
        slurm.kill("n2")
        slurm.ask("scontrol", "update", "nodename=n2", "state=down", "reason=test")
        assert slurm.jobs()[ids[0]][1] == "RUNNING"
        assert slurm.jobs()[ids[1]][1] != "RUNNING"
    assert not slurm.folder.exists()
    assert not [path for path in Path("/proc").glob("[0-9]*") if str(slurm.folder).encode() in environment(path)]


def environment(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""


def wait_for(slurm: Slurm, job: str, state: str) -> None:
    deadline = time.monotonic() + 20
    while slurm.jobs()[job][1] != state:
        assert time.monotonic() < deadline, slurm.jobs()
        time.sleep(0.05)
