"""Records of jobs, read from files that somebody else writes."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from stp3_hub.jobs.records import read_jobs, read_state


def write(jobs: Path, person: str, job: str, **state: object) -> Path:
    folder = jobs / person / job
    folder.mkdir(parents=True)
    (folder / "state.json").write_text(json.dumps({"id": job, "state": "done", **state}))
    return folder / "state.json"


def test_newest_first_and_whose_they_are(tmp_path: Path) -> None:
    write(tmp_path, "vera", "old", created="2026-11-01T10:00:00Z", user="ada")
    write(tmp_path, "victor", "new", created="2026-11-02T10:00:00Z", rows_done=3, rows_total=8)
    write(tmp_path, "vera", "undated")
    assert [(job.id, job.owner, job.percent) for job in read_jobs(tmp_path)] == [
        ("new", "victor", 37),
        ("old", "vera", 0),
        ("undated", "vera", 0),
    ]
    assert {job.id for job in read_jobs(tmp_path, owner="vera")} == {"old", "undated"}


def test_a_lost_process_is_an_interrupted_job(tmp_path: Path) -> None:
    here = socket.gethostname()
    running = write(tmp_path, "vera", "alive", state="running", pid=os.getpid(), host=here)
    lost = write(tmp_path, "vera", "lost", state="running", pid=2**22 + 1, host=here)
    elsewhere = write(tmp_path, "vera", "far", state="running", pid=2**22 + 1, host="elsewhere")
    assert [read_state(path).state for path in (running, lost, elsewhere)] == ["running", "interrupted", "running"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": "a"}', '{"id": "../a", "state": "done"}', "\x00" * 100])
def test_what_cannot_be_read_is_left_out(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, "vera", "a")
    path.write_text(text)
    assert read_state(path) is None
    assert read_jobs(tmp_path) == []


def test_pipes_links_and_borrowed_names_are_left_out(tmp_path: Path) -> None:
    honest = write(tmp_path, "vera", "honest")
    for job in ("pipe", "link", "borrowed"):
        (tmp_path / "vera" / job).mkdir()
    os.mkfifo(tmp_path / "vera" / "pipe" / "state.json")
    (tmp_path / "vera" / "link" / "state.json").symlink_to(honest)
    (tmp_path / "vera" / "borrowed" / "state.json").write_text(honest.read_text())
    assert [job.id for job in read_jobs(tmp_path)] == ["honest"]
