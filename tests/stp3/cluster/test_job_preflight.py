"""Jobs on scans that are not in order: red is refused before all else, amber is recorded with the volume."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import pytest

from stp3.cli import main
from stp3.cluster.client import list_jobs, submit
from stp3.errors import ScanFault
from stp3.recipe import Recipe
from stp3.volume import open_volume


def changed(scan_file: Path, tmp_path: Path, name: str) -> Path:
    """The scan without what that dataset holds: the dataset itself, or for the projections their second half."""
    path = tmp_path / "changed.h5"
    shutil.copy(scan_file, path)
    with h5py.File(path, "a") as file:
        if name != "exchange/data":
            del file[name]
            return path
        counts = file[name][:]
        del file[name]
        data = file.create_dataset(name, counts.shape, counts.dtype, chunks=(1, *counts.shape[1:]))
        data[: len(counts) // 2] = counts[: len(counts) // 2]
    return path


def test_a_red_scan_is_refused_and_leaves_nothing(scan_file: Path, tmp_path: Path) -> None:
    path = changed(scan_file, tmp_path, "exchange/data")
    with pytest.raises(ScanFault, match="were never written and would read as zeros"):
        submit(path, Recipe.default(), jobs_folder=tmp_path / "jobs", output=tmp_path / "volume")
    assert list_jobs(tmp_path / "jobs") == []
    assert not (tmp_path / "volume").exists()


def test_what_is_amber_stands_in_the_job_and_in_the_volume(jobs: Any, scan_file: Path, tmp_path: Path) -> None:
    job = jobs.start(changed(scan_file, tmp_path, "exchange/data_dark"))
    assert [text for text in job.accepted if "no dark frames" in text]
    jobs.done(job)
    accepted = open_volume(job.output).provenance["accepted"]
    assert ("amber", "darks") in {(finding["level"], finding["code"]) for finding in accepted}
    spec = json.loads((job.folder / "spec.json").read_text())
    assert spec["accepted"] == accepted


def test_the_command_says_what_it_accepts_or_why_it_refuses(
    scan_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STP3_JOBS", str(tmp_path / "jobs"))
    path = changed(scan_file, tmp_path, "exchange/data")
    assert main(["run", str(path), "-o", str(tmp_path / "volume")]) == 1
    assert "never written" in capsys.readouterr().err
    path = changed(scan_file, tmp_path, "exchange/data_dark")
    assert main(["run", str(path), "-o", str(tmp_path / "volume"), "--rows", "3:4"]) == 0
    assert "amber: The scan has no dark frames" in capsys.readouterr().err
