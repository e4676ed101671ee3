"""The zip of a volume: whole, streamed, and nothing from elsewhere."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from stp3_hub.download import DownloadFault, NotReady, find_volume, zip_stream


def make_job(jobs: Path, job: str = "job-1", state: str = "done") -> Path:
    volume = jobs / job / "volume"
    (volume / "slices").mkdir(parents=True)
    (jobs / job / "state.json").write_text(json.dumps({"id": job, "state": state, "output": str(volume)}))
    (volume / "volume.json").write_text("{}")
    (volume / "slices" / "slice_00000.tif").write_bytes(b"\x01" * 5_000_000)
    return volume


def test_every_file_with_its_bytes(tmp_path: Path) -> None:
    volume = make_job(tmp_path)
    archive = zipfile.ZipFile(io.BytesIO(b"".join(zip_stream(find_volume(tmp_path, "job-1"), "job-1"))))
    assert archive.testzip() is None
    assert sorted(archive.namelist()) == ["job-1/slices/slice_00000.tif", "job-1/volume.json"]
    assert archive.read("job-1/slices/slice_00000.tif") == (volume / "slices" / "slice_00000.tif").read_bytes()


def test_memory_stays_small(tmp_path: Path) -> None:
    volume = make_job(tmp_path)
    with open(volume / "large.h5", "wb") as file:
        file.truncate(200_000_000)
    tracemalloc.start()
    sent = sum(len(chunk) for chunk in zip_stream(volume, "job-1"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sent > 205_000_000
    assert peak < 10_000_000


@pytest.mark.parametrize("state", ["waiting", "running", "failed", "cancelled", "interrupted"])
def test_an_unfinished_job_says_so(tmp_path: Path, state: str) -> None:
    make_job(tmp_path, state=state)
    with pytest.raises(NotReady, match=state):
        find_volume(tmp_path, "job-1")


@pytest.mark.parametrize("job", ["absent", "", ".", "..", "../job-1", "job-1/volume", "a\nb", "-x", "%2e%2e"])
def test_there_is_no_such_job(tmp_path: Path, job: str) -> None:
    make_job(tmp_path)
    with pytest.raises(DownloadFault):
        find_volume(tmp_path / "empty", job)


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    jobs = tmp_path / "jobs" / "vera"
    volume = make_job(jobs)
    secret = tmp_path / "secret"
    secret.write_text("of somebody else")
    (volume / "leak.txt").symlink_to(secret)
    assert b"of somebody else" not in b"".join(zip_stream(volume, "job-1"))
    foreign = make_job(tmp_path / "jobs" / "victor", "job-2")
    (jobs / "job-3").mkdir()
    (jobs / "job-3" / "state.json").write_text(json.dumps({"id": "job-3", "state": "done"}))
    (jobs / "job-3" / "volume").symlink_to(foreign)
    with pytest.raises(DownloadFault):
        find_volume(jobs, "job-3")
    (jobs / "job-2").symlink_to(foreign.parent)
    with pytest.raises(DownloadFault):
        find_volume(jobs, "job-2")
