"""Records of jobs as their run directories tell them: ``<jobs>/<person>/<id>/state.json``."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from ..models import JobRecord
from .run_directory import open_inside

LARGEST_STATE = 256 * 1024


def read_jobs(jobs: Path, owner: str = "*") -> list[JobRecord]:
    """The jobs of one person, or of everybody, newest first. What cannot be read is left out."""
    people = sorted(jobs.glob("*")) if owner == "*" else [jobs / owner]
    records = [record for person in people for record in _jobs_of(person)]
    return sorted(records, key=lambda record: record.created.timestamp() if record.created else 0.0, reverse=True)


def read_state(path: Path) -> JobRecord | None:
    """The record in a state.json; None where it is missing, too large, malformed or not a plain file.

    A job that claims to run on this machine while its process is gone is shown as interrupted.
    """
    try:
        with open(open_inside(path, os.O_RDONLY), "rb") as file:
            record = JobRecord.model_validate_json(file.read(LARGEST_STATE))
    except (OSError, ValidationError):
        return None
    lost = record.live and record.host == socket.gethostname() and record.pid and not _alive(record.pid)
    return record.model_copy(update={"state": "interrupted"}) if lost else record


def _jobs_of(person: Path) -> Iterator[JobRecord]:
    for path in person.glob("*/state.json"):
        record = read_state(path)
        if record is not None and record.id == path.parent.name:
            yield record.model_copy(update={"owner": person.name})


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
