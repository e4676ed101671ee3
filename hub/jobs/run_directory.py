"""What a run directory tells besides its state: the journal, the size of the scan, the log.

Its owner may write what he likes into it, so every file is read with a limit, no link is followed and no pipe waited
for, and what is not as expected counts as not there.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LARGEST_RESOLVED = 4 << 20
JOURNAL_READ = 8 << 20
LONGEST_KIND = 32
LONGEST_DETAIL = 4000
MOST_EVENTS = 1000  # of one job: drivers that start, slabs that are done again, the end
LARGEST = 2**53


@dataclass
class JournalNews:
    """What a journal says beyond a place: events with their places, the time of all slabs, how far it was read."""

    end: int
    events: list[dict[str, Any]] = field(default_factory=list)
    compute_ms: int = 0
    drivers: int = 0


def signature(path: str) -> str:
    """What changes whenever the file is written anew; empty where it is not there."""
    try:
        found = os.lstat(path)
    except OSError:
        return ""
    return f"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}"


def open_inside(path: Path, flags: int) -> int:
    """A file of a run directory, open; raises OSError where it, or the directory, is a link, or it is no plain file.

    The folder above the run directory is the hub's and believed; what is below may be swapped at any moment.
    """
    folder = os.open(path.parent, os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        # O_NONBLOCK: a pipe of that name must not hang the service
        descriptor = os.open(path.name, flags | os.O_NONBLOCK | os.O_NOFOLLOW, 0o600, dir_fd=folder)
        found = os.fstat(descriptor)
        # a second name of somebody else's file
        foreign = found.st_uid not in {os.fstat(folder).st_uid, os.getuid()} or found.st_nlink > 1
        if not stat.S_ISREG(found.st_mode) or foreign:
            os.close(descriptor)
            raise OSError(errno.EPERM, os.strerror(errno.EPERM), str(path))
        return descriptor
    finally:
        os.close(folder)


def read_journal(folder: Path, start: int) -> JournalNews:
    """The whole lines of the journal from byte `start` on."""
    raw = read_part(folder / "journal.jsonl", start, JOURNAL_READ)
    news = JournalNews(start + raw.rfind(b"\n") + 1)
    place = start
    for text in raw[: news.end - start].splitlines(keepends=True):
        line = _line(text)
        if line.get("kind") == "slab":
            news.compute_ms += max(0, min(int(_number(line.get("seconds")) * 1000), 10**9))
        elif isinstance(line.get("kind"), str) and len(news.events) < MOST_EVENTS:
            news.events.append(_event(line, place))
            news.drivers += line["kind"] == "driver"
        place += len(text)
    return news


def scan_bytes(folder: Path) -> int:
    """The size of the scan as the driver found it; 0 where it is not known."""
    content = _line(read_part(folder / "resolved.json", 0, LARGEST_RESOLVED))
    for name in ("provenance", "scan"):
        content = content.get(name) or {}
        if not isinstance(content, dict):
            return 0
    size = _number(content.get("size"))
    return int(size) if 0 <= size < LARGEST else 0


def log_end(folder: Path, most: int = 64 << 10) -> str:
    """The last lines of the driver's log."""
    try:
        with open(open_inside(folder / "driver.log", os.O_RDONLY), "rb") as file:
            start = max(0, os.fstat(file.fileno()).st_size - most)
            file.seek(start)
            text = file.read(most).decode(errors="replace")
    except OSError:
        return ""
    return text.partition("\n")[2] if start else text


def read_part(path: Path, start: int, most: int) -> bytes:
    """At most that many bytes of a plain file; empty where there is none."""
    try:
        with open(open_inside(path, os.O_RDONLY), "rb") as file:
            file.seek(start)
            return file.read(most)
    except OSError:
        return b""


def seconds_of(moment: object) -> float | None:
    """Seconds since 1970 of a time as ISO 8601 or datetime (without a zone: UTC); None where it is none."""
    try:
        when = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        if not isinstance(when, datetime):
            return None
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def plain(text: str | None, most: int = 4000) -> str:
    """Text as a database takes it."""
    return (text or "").replace("\0", "\ufffd")[:most]


def _line(text: bytes) -> dict[str, Any]:
    try:
        content = json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _event(line: dict[str, Any], place: int) -> dict[str, Any]:
    detail = {
        plain(key, 32): value if isinstance(value, bool | None) else plain(str(value), 500)
        for key, value in list(line.items())[:16]
        if key not in {"kind", "time"}
    }
    kept = detail if len(json.dumps(detail)) <= LONGEST_DETAIL else {}
    return {
        "place": place,
        "kind": plain(line["kind"], LONGEST_KIND),
        "time": seconds_of(line.get("time")),
        "detail": kept,
    }


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and abs(value) < LARGEST else 0.0
