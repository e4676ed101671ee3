"""Jobs that iterate: they stop between iterations, and say how close they came."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from stp3.recipe import Recipe

COLUMN = 30.0


def iterating(iterations: int) -> Recipe:
    steps = ["flat_field", "minus_log", {"step": "rotation_axis", "column": COLUMN}]
    return Recipe.from_dict({"steps": [*steps, {"step": "sirt", "iterations": iterations}]})


def test_the_journal_and_the_log_tell_the_last_residual(jobs: Any, scan_file: Path) -> None:
    job = jobs.start(scan_file, iterating(5), rows=range(2))
    jobs.done(job)
    lines = [json.loads(line) for line in (job.folder / "journal.jsonl").read_text().splitlines()]
    told = [line["residual"] for line in lines if line["kind"] == "slab"]
    assert len(told) == 1
    assert 0 < told[0] < 1
    assert f"relative residual {told[0]:.3g}" in job.log()


def test_a_job_far_from_done_with_its_first_slab_is_cancelled_at_once(jobs: Any, scan_file: Path) -> None:
    job = jobs.start(scan_file, iterating(10_000))
    deadline = time.monotonic() + 60
    while job.state().stage != "reconstructing":
        assert time.monotonic() < deadline, job.log()
        time.sleep(0.02)
    time.sleep(0.5)
    job.cancel()
    assert job.wait(5).state == "cancelled"
    assert not jobs.journalled(job)
    assert not jobs.wait_until_gone(job)
