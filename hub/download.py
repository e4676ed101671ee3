"""A finished volume as one zip file, made while it is sent."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from .jobs.records import read_state
from .models import JOB_ID

READ_BYTES = 1 << 20


class DownloadFault(Exception):
    """There is nothing to download; the text says why."""


class NotReady(DownloadFault):
    """The job has not finished its volume."""


def find_volume(jobs: Path, job_id: str) -> Path:
    """The volume folder of a finished job below `jobs`; raises NotReady or DownloadFault."""
    if not re.fullmatch(JOB_ID, job_id):
        raise DownloadFault("There is no such job.")
    folder = jobs / job_id
    record = read_state(folder / "state.json")
    if record is None or folder.is_symlink():
        raise DownloadFault(f"There is no job {job_id}.")
    if record.state != "done":
        raise NotReady(f"Job {job_id} is {record.state}: its volume can be downloaded when it is done.")
    volume = folder / "volume"
    if not _inside(volume, jobs) or not volume.is_dir():
        raise DownloadFault(f"The volume of job {job_id} is not kept with the job; it was written to {record.output}.")
    return volume


def zip_stream(volume: Path, name: str) -> Iterator[bytes]:
    """The bytes of a zip with every file of `volume` under the folder `name`.

    Stored, not compressed (volumes hardly shrink), ZIP64, no temporary file and no more than a few MB in memory.
    Links that lead out of the folder are left out.
    """
    outlet = _Outlet()
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for path in _files(volume):
            member = zipfile.ZipInfo.from_file(path, f"{name}/{path.relative_to(volume).as_posix()}")
            with path.open("rb") as source, archive.open(member, "w", force_zip64=True) as target:
                while data := source.read(READ_BYTES):
                    target.write(data)
                    yield outlet.take()
    yield outlet.take()


def _files(volume: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(volume):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            if path.is_file() and _inside(path, volume):
                yield path


def _inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


class _Outlet:
    """A file that only takes, for the zip writer: what it was given is fetched and forgotten."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._position = 0

    def write(self, data: bytes, /) -> int:
        """Keep `data` until it is taken."""
        self._pieces.append(bytes(data))
        self._position += len(data)
        return len(data)

    def tell(self) -> int:
        """How much was written so far."""
        return self._position

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""

    def take(self) -> bytes:
        """What was written since the last call."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data
