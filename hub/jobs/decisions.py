"""What people decide through this service, each on disk before it is acknowledged: ``var/decisions.jsonl``.

The tables `recipes` and `audit` follow this file as the others follow the run directories.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from ..settings import Settings
from .tables import AuditRow, RecipeRow

Row = dict[str, Any]


class Taken(Exception):
    """There is a recipe of that name already."""


class KeyUsed(Exception):
    """The Idempotency-Key was used for something else."""


@dataclass(frozen=True)
class Decision:
    """Who does what to what. With a `key`, the same is done once only."""

    person: str
    action: str
    target: str
    detail: Row
    key: str | None = None


class Decisions:
    """The one writer of `recipes` and `audit`."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._path = settings.var / "decisions.jsonl"
        self._engine = engine
        self._lock = threading.Lock()
        self._cut_torn_line()
        self._last = max((line["number"] for line in self._lines()), default=0)

    def catch_up(self) -> None:
        """Bring the tables up to date with the file."""
        with self._lock, self._engine.begin() as connection:
            self._replay(connection)

    def record(self, decision: Decision) -> Row:
        """Carry out and write down; the detail that was written, now or when the same was asked for before.

        Raises Taken and KeyUsed.
        """
        with self._lock:
            try:
                with self._engine.begin() as connection:
                    last = self._replay(connection)
                    if decision.key is not None and (earlier := _earlier(connection, decision)) is not None:
                        return earlier
                    line = {"number": last + 1, "time": time.time()} | decision.__dict__
                    _apply(connection, line)
                    self._append(line)
            except IntegrityError as fault:
                raise Taken from fault
        return decision.detail

    def _replay(self, connection: Connection) -> int:
        """Apply what the tables lack; the number of the last line."""
        there: int = connection.scalar(select(func.coalesce(func.max(AuditRow.number), 0))) or 0
        if there < self._last:
            for line in self._lines():
                if line["number"] > there:
                    _apply(connection, line)
        return max(there, self._last)

    def _append(self, line: Row) -> None:
        with open(self._path, "ab", opener=partial(os.open, mode=0o600)) as file:
            file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._last = line["number"]

    def _lines(self) -> Iterator[Row]:
        if self._path.exists():
            with open(self._path, "rb") as file:
                yield from map(json.loads, file)

    def _cut_torn_line(self) -> None:
        """A line that the end of the machine cut short was never acknowledged."""
        if self._path.exists():
            content = self._path.read_bytes()
            os.truncate(self._path, content.rfind(b"\n") + 1)


def _earlier(connection: Connection, decision: Decision) -> Row | None:
    """What the same person got for the same key; raises KeyUsed where it was for something else."""
    query = select(AuditRow.action, AuditRow.detail).where(
        AuditRow.person == decision.person, AuditRow.idempotency_key == decision.key
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    detail: Row = row.detail
    if row.action != decision.action or detail.get("request") != decision.detail.get("request"):
        raise KeyUsed
    return detail


def _apply(connection: Connection, line: Row) -> None:
    change = _CHANGES.get(line["action"])
    if change:
        change(connection, line["target"], line["detail"])
    values = {name: line[name] for name in ("number", "time", "person", "action", "target", "detail")}
    connection.execute(insert(AuditRow).values(values | {"idempotency_key": line["key"]}))


def _create(connection: Connection, target: str, detail: Row) -> None:
    connection.execute(insert(RecipeRow).values(detail["recipe"]))


def _change(connection: Connection, target: str, detail: Row) -> None:
    connection.execute(update(RecipeRow).where(RecipeRow.id == target).values(detail["recipe"]))


def _delete(connection: Connection, target: str, detail: Row) -> None:
    connection.execute(delete(RecipeRow).where(RecipeRow.id == target))


_CHANGES: dict[str, Callable[[Connection, str, Row], None]] = {
    "recipe.create": _create,
    "recipe.change": _change,
    "recipe.delete": _delete,
}
