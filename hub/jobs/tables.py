"""The tables of the job database. Times are seconds since 1970 (UTC).

All but `audit` and `recipes` follow the run directories and can be made from them; those two follow the service's own
journal (`decisions.py`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, Integer, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
# SQLite counts by itself only what is called INTEGER
Number = BigInteger().with_variant(Integer, "sqlite")
Seconds = Float(53)
Content = JSON()


class Base(DeclarativeBase):
    """What all tables share."""

    metadata = MetaData(naming_convention=NAMES)


class VisitRow(Base):
    """A visit, as the hub wrote it down when one of its people started a server."""

    __tablename__ = "visits"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    beamline: Mapped[str] = mapped_column(Text, index=True)


class ScanRow(Base):
    """A scan that a job was started on. `scope` as in `JobRow`."""

    __tablename__ = "scans"
    __table_args__ = (UniqueConstraint("scope", "path"),)

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    scope: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text)
    sample: Mapped[str] = mapped_column(Text)
    bytes: Mapped[int] = mapped_column(BigInteger)
    first_seen: Mapped[float] = mapped_column(Seconds, index=True)
    last_seen: Mapped[float] = mapped_column(Seconds)


class JobRow(Base):
    """A job. `scope` says who may see it: ``visit:<id>``, or ``user:<name>`` where no visit is known."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("owner", "id"),
        Index(None, "scope", "removed", "created", "number"),
        Index(None, "removed", "created", "number"),
        Index(None, "state", "removed", "created", "number"),
    )

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    owner: Mapped[str] = mapped_column(Text)
    id: Mapped[str] = mapped_column(String(128))
    scope: Mapped[str] = mapped_column(Text)
    visit: Mapped[str | None] = mapped_column(String(64))
    scan_number: Mapped[int] = mapped_column(ForeignKey(ScanRow.number), index=True)
    scan: Mapped[str] = mapped_column(Text)
    sample: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    stage: Mapped[str] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    profile: Mapped[str] = mapped_column(Text)
    output: Mapped[str] = mapped_column(Text)
    host: Mapped[str] = mapped_column(Text)
    slabs_done: Mapped[int] = mapped_column(BigInteger)
    slabs_total: Mapped[int] = mapped_column(BigInteger)
    rows_done: Mapped[int] = mapped_column(BigInteger)
    rows_total: Mapped[int] = mapped_column(BigInteger)
    rows_per_second: Mapped[float | None] = mapped_column(Seconds)
    seconds_left: Mapped[float | None] = mapped_column(Seconds)
    bytes_written: Mapped[int] = mapped_column(BigInteger)
    created: Mapped[float] = mapped_column(Seconds)
    started: Mapped[float | None] = mapped_column(Seconds)
    ended: Mapped[float | None] = mapped_column(Seconds)
    updated: Mapped[float | None] = mapped_column(Seconds)
    removed: Mapped[float] = mapped_column(Seconds, default=0.0)  # when the run directory was missed; 0: it is there
    revision: Mapped[int] = mapped_column(BigInteger, index=True)  # grows with each change of any job
    signature: Mapped[str] = mapped_column(Text)  # of the state.json that was read last
    journal_bytes: Mapped[int] = mapped_column(BigInteger)  # how far the journal was read


class EventRow(Base):
    """Something that happened to a job: a line of its journal, slabs left out. `place` orders the events of a job."""

    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("job_number", "place"),)

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    job_number: Mapped[int] = mapped_column(ForeignKey(JobRow.number))
    place: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(32))
    time: Mapped[float | None] = mapped_column(Seconds)
    detail: Mapped[dict[str, Any]] = mapped_column(Content)


class VolumeRow(Base):
    """The volume of a job that is done."""

    __tablename__ = "volumes"

    job_number: Mapped[int] = mapped_column(ForeignKey(JobRow.number), primary_key=True, autoincrement=False)
    path: Mapped[str] = mapped_column(Text)
    format: Mapped[str] = mapped_column(Text)
    slices: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)


class UsageRow(Base):
    """What a job took. `week` is the Monday of the week in which it was created (UTC)."""

    __tablename__ = "usage"
    __table_args__ = (Index(None, "week"),)

    job_number: Mapped[int] = mapped_column(ForeignKey(JobRow.number), primary_key=True, autoincrement=False)
    week: Mapped[str] = mapped_column(String(10))
    wait_seconds: Mapped[float | None] = mapped_column(Seconds)
    run_seconds: Mapped[float | None] = mapped_column(Seconds)
    compute_ms: Mapped[int] = mapped_column(BigInteger)  # of all slabs together, those that were lost included
    drivers: Mapped[int] = mapped_column(Integer)
    bytes_in: Mapped[int] = mapped_column(BigInteger)
    bytes_out: Mapped[int] = mapped_column(BigInteger)


class RecipeRow(Base):
    """A named recipe; `scope` is ``user:…``, ``visit:…`` or ``beamline:…``. What is in it is not the hub's business."""

    __tablename__ = "recipes"
    __table_args__ = (UniqueConstraint("scope", "name"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    scope: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    content: Mapped[dict[str, Any]] = mapped_column(Content)
    author: Mapped[str] = mapped_column(Text)
    created: Mapped[float] = mapped_column(Seconds)
    changed: Mapped[float] = mapped_column(Seconds)


class AuditRow(Base):
    """Who did what through this service: the lines of its journal."""

    __tablename__ = "audit"
    __table_args__ = (UniqueConstraint("person", "idempotency_key"),)

    number: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    time: Mapped[float] = mapped_column(Seconds)
    person: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(String(32))
    target: Mapped[str] = mapped_column(Text)
    detail: Mapped[dict[str, Any]] = mapped_column(Content)
    idempotency_key: Mapped[str | None] = mapped_column(Text)
