"""The journal of a job: one line of JSON for each thing that is certain, on disk before anybody is told."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stp3.durable import refusal, sync_folder
from stp3.writers import SlabRecord


@dataclass
class Account:
    """What a journal says: finished slabs by first row, later lines overruling earlier ones; the latest driver's
    number; and how many drivers began since a slab was finished."""

    slabs: dict[int, SlabRecord] = field(default_factory=dict)
    fence: int = 0
    idle_drivers: int = 0


class Journal:
    """Appends lines; each is on disk when `add` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        _cut_torn_line(path)
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - it lives as long as the journal
        sync_folder(path.parent)

    def add(self, kind: str, **content: Any) -> None:
        """Raises Stp3Error when the disk refuses."""
        line = json.dumps({"kind": kind, **content}, separators=(",", ":")).encode() + b"\n"
        try:
            if self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file.fileno())
        except OSError as error:
            raise refusal(error, self.path, len(line)) from error

    def close(self) -> None:
        self._file.close()


def read_journal(path: Path) -> Account:
    """What the journal says; a torn last line, and lines of a kind that is not known, count as never written."""
    account = Account()
    for line in _lines(path):
        account.fence = max(account.fence, int(line.get("fence", 0)))
        if line.get("kind") == "slab":
            record = SlabRecord.from_dict(line)
            account.slabs[record.rows.start] = record
            account.idle_drivers = 0
        elif line.get("kind") == "driver":
            account.idle_drivers += 1
        elif line.get("kind") == "redo":
            account.slabs.pop(line["rows"][0], None)
    return account


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        raw = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    found = []
    for text in raw[:-1]:  # the last piece has no line end: empty, or torn
        try:
            found.append(json.loads(text))
        except ValueError:
            continue
    return [line for line in found if isinstance(line, dict)]


def _cut_torn_line(path: Path) -> None:
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
