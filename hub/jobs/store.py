"""Writes what the run directories tell into the database, and nothing that is there already."""

from __future__ import annotations

import time
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, exists, func, insert, select, tuple_, update

from ..models import JobRecord
from ..settings import Settings
from ..visits import KnownVisit, visit_pattern
from .run_directory import JournalNews, plain, read_journal, scan_bytes, seconds_of
from .tables import EventRow, JobRow, ScanRow, UsageRow, VisitRow, VolumeRow

LONGEST_PATH = 800
DATA_VISIT = "data"  # the folder that a practice facility shows to everybody
Key = tuple[str, str]
Row = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """A run directory and its state."""

    key: Key
    folder: Path
    record: JobRecord
    signature: str


class Store:
    """The one writer of the tables that follow the run directories."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.engine = engine
        self._settings = settings
        self._pattern = visit_pattern(settings)
        self._visits: Mapping[str, KnownVisit] = {}

    def learn(self, visits: Mapping[str, KnownVisit]) -> list[Key]:
        """Take over the visits; the jobs that count to another one now, or to one at last."""
        with self.engine.begin() as connection:
            connection.execute(delete(VisitRow))
            rows = [visit.model_dump(exclude={"people"}) for visit in visits.values()]
            if rows:
                connection.execute(insert(VisitRow), rows)
            self._visits = visits
            query = select(JobRow.owner, JobRow.id, JobRow.scan, JobRow.scope).where(JobRow.removed == 0)
            found = connection.execute(query)
            return [(row.owner, row.id) for row in found if row.scope != self._scope(row.scan, row.owner)[0]]

    def clear(self) -> None:
        """Forget all that can be read again; jobs whose run directories were removed stay."""
        with self.engine.begin() as connection:
            there = select(JobRow.number).where(JobRow.removed == 0)
            for table in (EventRow, UsageRow, VolumeRow):
                connection.execute(delete(table).where(table.job_number.in_(there)))
            connection.execute(delete(JobRow).where(JobRow.removed == 0))
            connection.execute(delete(ScanRow).where(~exists().where(JobRow.scan_number == ScanRow.number)))

    def write(self, found: list[Found], gone: list[Key]) -> int:
        """Bring these jobs up to date, in one transaction; how many there was something to write for."""
        with self.engine.begin() as connection:
            known = self._known(connection, [*(item.key for item in found), *gone])
            revision: int = connection.scalar(select(func.coalesce(func.max(JobRow.revision), 0))) or 0
            changed = [item for item in found if self._is_news(item, known.get(item.key))]
            revisions = range(revision + 1, revision + 1 + len(changed))
            self._write_jobs(connection, changed, known, revisions)
            lost = [known[key] for key in gone if key in known and not known[key]["removed"]]
            for number, row in enumerate(lost, revision + 1 + len(changed)):
                connection.execute(
                    update(JobRow).where(JobRow.number == row["number"]).values(removed=time.time(), revision=number)
                )
            self._drop_scans(connection, {row["scan_number"] for row in known.values()})
            return len(changed) + len(lost)

    def _is_news(self, item: Found, known: Row | None) -> bool:
        if known is None or known["signature"] != item.signature or known["removed"]:
            return True
        return bool(
            known["state"] != item.record.state
            or known["scope"] != self._scope(plain(item.record.scan, LONGEST_PATH), item.key[0])[0]
        )

    def _drop_scans(self, connection: Connection, numbers: set[int]) -> None:
        """Scans that no job counts to any more, for its owner turned out to be at the visit."""
        left = ~exists().where(JobRow.scan_number == ScanRow.number)
        connection.execute(delete(ScanRow).where(ScanRow.number.in_(numbers), left))

    def _known(self, connection: Connection, keys: list[Key]) -> dict[Key, Row]:
        columns = (JobRow.owner, JobRow.id, JobRow.number, JobRow.signature, JobRow.state, JobRow.journal_bytes)
        query = select(*columns, JobRow.removed, JobRow.scope, JobRow.scan_number).where(
            tuple_(JobRow.owner, JobRow.id).in_(keys)
        )
        return {(row.owner, row.id): dict(row._mapping) for row in connection.execute(query)}

    def _write_jobs(
        self, connection: Connection, changed: list[Found], known: dict[Key, Row], revisions: Iterable[int]
    ) -> None:
        if not changed:
            return
        rows = [self._job(item) | {"revision": number} for item, number in zip(changed, revisions, strict=True)]
        news = [_journal(item.folder, known.get(item.key, {}).get("journal_bytes", 0)) for item in changed]
        for row, told in zip(rows, news, strict=True):
            row["journal_bytes"] = told.end
        sizes = [scan_bytes(item.folder) for item in changed]
        scans = self._write_scans(connection, rows, sizes)
        for row in rows:
            row["scan_number"] = scans[row["scope"], row["scan"]]
        numbers = self._put(connection, rows, known)
        self._write_events(connection, rows, numbers, news, known)
        self._write_usage(connection, rows, numbers, news, sizes)
        self._write_volumes(connection, changed, numbers)

    def _put(self, connection: Connection, rows: list[Row], known: dict[Key, Row]) -> list[int]:
        """Insert or update the jobs; their numbers."""
        new = [row for row in rows if (row["owner"], row["id"]) not in known]
        old = [{**row, "at": known[key]["number"]} for row in rows if (key := (row["owner"], row["id"])) in known]
        if new:
            connection.execute(insert(JobRow), new)
        if old:
            names = [name for name in old[0] if name != "at"]
            change = update(JobRow.__table__).where(JobRow.__table__.c.number == bindparam("at"))  # type: ignore[arg-type]
            connection.execute(change.values({name: bindparam(name) for name in names}), old)
        found = self._known(connection, [(row["owner"], row["id"]) for row in rows])
        return [found[row["owner"], row["id"]]["number"] for row in rows]

    def _write_scans(self, connection: Connection, rows: list[Row], sizes: list[int]) -> dict[tuple[str, str], int]:
        seen: dict[tuple[str, str], Row] = {}
        for row, size in zip(rows, sizes, strict=True):
            key = row["scope"], row["scan"]
            scan = seen.setdefault(
                key, {"first_seen": row["created"], "last_seen": row["created"], "bytes": 0, "sample": ""}
            )
            newest = row["created"] >= scan["last_seen"]
            scan["sample"] = row["sample"] if newest else scan["sample"]
            scan["first_seen"] = min(scan["first_seen"], row["created"])
            scan["last_seen"] = max(scan["last_seen"], row["created"])
            scan["bytes"] = max(scan["bytes"], size)
        there = {(row.scope, row.path): row for row in self._scans(connection, list(seen))}
        new = [
            {"scope": scope, "path": path, **scan} for (scope, path), scan in seen.items() if (scope, path) not in there
        ]
        if new:
            connection.execute(insert(ScanRow), new)
        for key, row in there.items():
            merged = _merged(row, seen[key])
            if merged:
                connection.execute(update(ScanRow).where(ScanRow.number == row.number).values(merged))
        return {(row.scope, row.path): row.number for row in self._scans(connection, list(seen))}

    def _scans(self, connection: Connection, keys: list[tuple[str, str]]) -> list[Any]:
        return list(connection.execute(select(ScanRow.__table__).where(tuple_(ScanRow.scope, ScanRow.path).in_(keys))))

    def _write_events(
        self,
        connection: Connection,
        rows: list[Row],
        numbers: list[int],
        news: list[JournalNews],
        known: dict[Key, Row],
    ) -> None:
        events: list[Row] = []
        for row, number, told in zip(rows, numbers, news, strict=True):
            first = [] if (row["owner"], row["id"]) in known else [_submitted(row)]
            events += [{"job_number": number, **event} for event in first + told.events]
        if events:
            connection.execute(insert(EventRow), events)

    def _write_usage(
        self, connection: Connection, rows: list[Row], numbers: list[int], news: list[JournalNews], sizes: list[int]
    ) -> None:
        query = select(UsageRow.__table__).where(UsageRow.job_number.in_(numbers))
        before = {row.job_number: row for row in connection.execute(query)}
        found = {}
        for row, number, told, size in zip(rows, numbers, news, sizes, strict=True):
            was = before.get(number)
            found[number] = _usage(row, size) | {
                "compute_ms": told.compute_ms + (was.compute_ms if was else 0),
                "drivers": told.drivers + (was.drivers if was else 0),
            }
        _put_all(connection, UsageRow, found, before)

    def _write_volumes(self, connection: Connection, changed: list[Found], numbers: list[int]) -> None:
        there = set(connection.scalars(select(VolumeRow.job_number).where(VolumeRow.job_number.in_(numbers))))
        records = {number: item.record for number, item in zip(numbers, changed, strict=True)}
        volumes = {number: _volume(record) for number, record in records.items() if record.state == "done"}
        _put_all(connection, VolumeRow, volumes, there)
        gone = [number for number in there if number not in volumes]
        if gone:
            connection.execute(delete(VolumeRow).where(VolumeRow.job_number.in_(gone)))

    def _job(self, item: Found) -> Row:
        record, path = item.record, plain(item.record.scan, LONGEST_PATH)
        scope, visit = self._scope(path, item.key[0])
        return {
            **{name: getattr(record, name) for name in _SAME},
            **{name: seconds_of(getattr(record, name)) for name in ("started", "ended", "updated")},
            **{name: plain(getattr(record, name)) for name in ("stage", "profile", "output", "host")},
            "created": seconds_of(record.created) or 0.0,
            "owner": item.key[0],
            "id": item.key[1],
            "visit": visit,
            "scope": scope,
            "scan": path,
            "sample": plain(record.sample, 300),
            "error": plain(record.error) if record.error else None,
            "signature": item.signature,
            "removed": 0.0,
        }

    def _scope(self, path: str, owner: str) -> tuple[str, str | None]:
        """Who may see a job on this scan, and its visit."""
        visit = self._visit(path, owner)
        return (f"visit:{visit}" if visit else f"user:{owner}"), visit

    def _visit(self, path: str, owner: str) -> str | None:
        """The visit in whose folder a scan lies, if the hub knows its owner as one of the people there."""
        if match := self._pattern.match(path):
            visit = self._visits.get(match["visit"])
            return visit.id if visit and owner in visit.people else None
        shared = self._settings.data if self._settings.practice else None
        inside = shared is not None and ".." not in Path(path).parts and Path(path).is_relative_to(shared.expanduser())
        return DATA_VISIT if inside else None


_SAME = (
    "state",
    "slabs_done",
    "slabs_total",
    "rows_done",
    "rows_total",
    "rows_per_second",
    "seconds_left",
    "bytes_written",
)


def _usage(row: Row, size: int) -> Row:
    created, started, ended = row["created"], row["started"], row["ended"]
    return {
        "week": week_of(created),
        "wait_seconds": max(0.0, started - created) if started else None,
        "run_seconds": max(0.0, ended - started) if started and ended else None,
        "bytes_in": size,
        "bytes_out": row["bytes_written"],
    }


def week_of(seconds: float) -> str:
    """The Monday of the week (UTC), as 2026-11-16."""
    day = datetime.fromtimestamp(min(max(seconds, 0.0), 2**37), UTC).date()
    return (day - timedelta(days=day.weekday())).isoformat()


def _submitted(row: Row) -> Row:
    detail = {"owner": row["owner"], "scan": row["scan"][:500]}
    return {"place": -1, "kind": "submitted", "time": row["created"], "detail": detail}


def _volume(record: JobRecord) -> Row:
    return {
        "path": plain(record.output),
        "format": plain(record.format, 32),
        "slices": record.rows_done,
        "bytes": record.bytes_written,
    }


def _journal(folder: Path, start: int) -> JournalNews:
    """All whole lines of the journal from `start` on."""
    whole = JournalNews(start)
    while (part := read_journal(folder, whole.end)).end > whole.end:
        whole.end = part.end
        whole.events += part.events
        whole.compute_ms += part.compute_ms
        whole.drivers += part.drivers
    return whole


def _put_all(
    connection: Connection, table: type[UsageRow | VolumeRow], rows: Mapping[int, Row], there: Container[int]
) -> None:
    """Insert or update rows by the number of their job."""
    new = [{"job_number": number, **row} for number, row in rows.items() if number not in there]
    if new:
        connection.execute(insert(table), new)
    for number, row in rows.items():
        if number in there:
            connection.execute(update(table).where(table.job_number == number).values(row))


def _merged(row: Any, scan: Row) -> Row:
    """What a scan's row lacks of what was seen now."""
    wanted = {
        "first_seen": min(row.first_seen, scan["first_seen"]),
        "last_seen": max(row.last_seen, scan["last_seen"]),
        "bytes": max(row.bytes, scan["bytes"]),
        "sample": scan["sample"] if scan["last_seen"] >= row.last_seen else row.sample,
    }
    return {name: value for name, value in wanted.items() if getattr(row, name) != value}
