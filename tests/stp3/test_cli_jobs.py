"""run and jobs: real jobs, followed, stopped and resumed from the command line."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from stp3 import cli
from stp3.cli_jobs import ProgressLine, clock, progress
from stp3.cluster.client import find_job, list_jobs
from stp3.cluster.run_folder import JobState
from stp3.preview import Preview
from stp3.recipe import Recipe
from stp3.scan import open_scan
from stp3.testing import Truth, write_practice_scan
from stp3.volume import open_volume


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "jobs"
    monkeypatch.setenv("STP3_JOBS", str(folder))
    return folder


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    write_practice_scan(tmp_path / "scan.h5", columns=64, rows=6, angles=90, faults={"noise"})
    return tmp_path / "scan.h5"


def test_run_makes_the_volume_that_previews_promised(
    scan: Path, jobs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    axis = Truth.load(scan).rotation_axis
    out = tmp_path / "volume"
    change = f"rotation_axis.column={axis}"
    assert cli.main(["run", str(scan), "-o", str(out), "--set", change, "--rows", "1:5", "--json"]) == 0
    stdout, stderr = capsys.readouterr()
    state = json.loads(stdout)
    assert (state["state"], state["rows_done"], state["output"]) == ("done", 4, str(out))
    assert "100 %" in stderr
    assert "\r" not in stderr
    volume = open_volume(out)
    recipe = Recipe.default().with_values({"rotation_axis.column": axis})
    assert volume.shape == (4, 64, 64)
    np.testing.assert_array_equal(volume.slice(2), Preview(open_scan(scan)).slice(recipe, 3))

    assert cli.main(["run", str(scan), "-o", str(out), "--set", change]) == 2
    assert "not empty" in capsys.readouterr().err


def test_a_detached_job_is_listed_shown_cancelled_and_resumed(
    scan: Path, jobs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change = f"rotation_axis.column={Truth.load(scan).rotation_axis}"
    assert cli.main(["run", str(scan), "-o", str(tmp_path / "volume"), "--set", change, "--detach"]) == 0
    name = capsys.readouterr().out.strip()
    assert find_job(name).folder == jobs / name

    assert cli.main(["jobs", "cancel", name]) == 0
    assert capsys.readouterr().out == f"job {name} is cancelled.\n"
    assert cli.main(["jobs", "--json"]) == 0
    assert [(job["id"], job["state"]) for job in json.loads(capsys.readouterr().out)] == [(name, "cancelled")]
    assert cli.main(["jobs", "cancel", name]) == 2
    assert "nothing to cancel" in capsys.readouterr().err

    assert cli.main(["jobs", "resume", name]) == 0
    assert "6 slices" in capsys.readouterr().out
    assert cli.main(["jobs", "show", name]) == 0
    assert "done" in capsys.readouterr().out
    assert cli.main(["jobs", "log", name]) == 0
    assert "INFO" in capsys.readouterr().out
    assert cli.main(["jobs", "list"]) == 0
    assert name in capsys.readouterr().out


def test_a_job_that_fails_gives_1_and_the_cause(
    scan: Path, jobs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blank = tmp_path / "blank.h5"
    write_practice_scan(blank, columns=64, rows=2, angles=30)
    import h5py

    with h5py.File(blank, "a") as file:
        file["exchange/data"][:] = 30_000  # nothing to see: no axis can be found
    assert cli.main(["run", str(blank), "-o", str(tmp_path / "volume")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "failed: " in err
    assert "Traceback" not in err


def test_ctrl_c_cancels_the_job(jobs: Path, tmp_path: Path) -> None:
    write_practice_scan(tmp_path / "scan.h5", columns=512, rows=192, angles=360)
    command = [sys.executable, "-m", "stp3.cli", "run", str(tmp_path / "scan.h5"), "-o", str(tmp_path / "volume")]
    change = ["--set", "rotation_axis.column=255"]
    process = subprocess.Popen([*command, *change], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (found := list_jobs()) or found[0].state().pid is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.5)  # now it follows the job
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert out == ""
    assert "was cancelled" in err
    assert "Traceback" not in err
    assert found[0].state().state == "cancelled"


def test_one_damaged_record_does_not_hide_the_jobs(
    jobs: Path, scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (jobs / "20260101-000000-abcdef").mkdir(parents=True)
    assert cli.main(["jobs", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == []
    assert "20260101-000000-abcdef" in err


def state(**changes: object) -> JobState:
    plain = {
        "id": "x",
        "state": "running",
        "scan": "s",
        "output": "o",
        "rows": (0, 64),
        "rows_total": 64,
        "created": "now",
    }
    return JobState.model_validate(plain | changes)


def test_progress_is_told_as_far_as_it_is_known() -> None:
    assert progress(state(stage="finding the axis")) == "finding the axis"
    known = state(slabs_total=8, slabs_done=2, rows_done=16, rows_per_second=3.21, seconds_left=75.2)
    assert progress(known) == "25 %  slab 2 of 8  3.2 rows/s  1:15 left"
    assert progress(known.model_copy(update={"state": "done"})) == "25 %  slab 2 of 8  3.2 rows/s"


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "0:00"), (65, "1:05"), (3725, "1:02:05")])
def test_time_left_reads_like_a_clock(seconds: float, words: str) -> None:
    assert clock(seconds) == words


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_line_changes_in_place_on_a_terminal_only() -> None:
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        line = ProgressLine(stream)
        for text in ("10 %", "10 %", "20 %", "30 %"):
            line.show(text)
        line.end("100 %")
    assert terminal.getvalue() == "\r\x1b[K10 %\r\x1b[K20 %\r\x1b[K30 %\r\x1b[K100 %\n"
    assert file.getvalue() == "10 %\n100 %\n"  # within five seconds only the first and the last
