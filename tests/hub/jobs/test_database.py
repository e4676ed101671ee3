"""The tables as migrations make them; the database made anew is the one that lived."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, select, text
from stp3_hub.jobs.__main__ import rebuild
from stp3_hub.jobs.database import Busy, connect, migrate, only_writer
from stp3_hub.jobs.decisions import Decision, Decisions
from stp3_hub.jobs.follower import Follower
from stp3_hub.jobs.tables import AuditRow, Base, EventRow, JobRow, RecipeRow, ScanRow, UsageRow, VolumeRow
from stp3_hub.settings import Settings

DRIVER = {"kind": "driver", "fence": 1, "time": "2026-11-17T10:00:02Z"}
SLAB = {"kind": "slab", "seconds": 0.1}


def test_migrations_make_the_tables_of_this_version(empty_url: str) -> None:
    engine = connect(empty_url)
    migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_a_database_of_the_version_before_keeps_what_it_holds(empty_url: str, settings: Settings, run: Any) -> None:
    engine = connect(empty_url)
    migrate(engine, "r1")
    assert "recipes" not in inspect(engine).get_table_names()
    run("vera", "one")
    Follower(settings, engine).round()
    migrate(engine)
    migrate(engine)
    with engine.connect() as connection:
        assert connection.scalars(select(JobRow.id)).all() == ["one"]
        assert connection.scalars(select(RecipeRow.id)).all() == []
    engine.dispose()


def test_sqlite_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'jobs.sqlite'}")
    with engine.connect() as connection:
        found = [connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")]
    assert found == ["wal", 2, 1]


def content(engine: Engine) -> dict[str, list[Any]]:
    """All that a database says, without the numbers it gave."""
    job = (JobRow.owner, JobRow.id)
    tables: dict[str, Any] = {
        "jobs": select(*(c for c in JobRow.__table__.c if c.name not in {"number", "revision", "scan_number"})),
        "scans": select(*(c for c in ScanRow.__table__.c if c.name != "number")),
        "events": select(*job, EventRow.place, EventRow.kind, EventRow.time, EventRow.detail).join(
            JobRow, JobRow.number == EventRow.job_number
        ),
        "volumes": _with_job(VolumeRow),
        "usage": _with_job(UsageRow),
        "recipes": select(RecipeRow.__table__),
        "audit": select(AuditRow.__table__),
    }
    with engine.connect() as connection:
        return {name: sorted(repr(tuple(row)) for row in connection.execute(query)) for name, query in tables.items()}


def _with_job(table: Any) -> Any:
    columns = (c for c in table.__table__.c if c.name != "job_number")
    return select(JobRow.owner, JobRow.id, *columns).join(JobRow, JobRow.number == table.job_number)


def test_made_anew_it_is_the_one_that_lived(
    engine: Engine, settings: Settings, follower: Follower, run: Callable[..., Path], tmp_path: Path
) -> None:
    decisions = Decisions(settings, engine)
    for number in range(12):
        run("vera", f"job{number}", state="running", journal=[DRIVER, SLAB], scan=f"/scans/{number % 3}")
        follower.round()
    for number in range(12):
        state = ("done", "failed", "interrupted")[number % 3]
        run("vera", f"job{number}", state=state, journal=[SLAB, DRIVER], scan=f"/scans/{number % 3}", bytes_written=9)
    run("lena", "both", "B")
    follower.round(everything=True)
    recipe = {"id": "1", "scope": "user:vera", "name": "x", "content": {"a": 1}, "author": "vera"}
    recipe |= {"created": 1.5, "changed": 1.5}
    decisions.record(Decision("vera", "recipe.create", "1", {"request": {}, "recipe": recipe}, "key"))
    decisions.record(Decision("vera", "recipe.change", "1", {"recipe": {"name": "y"}}))
    lived = content(engine)
    assert len(lived["jobs"]) == 13
    fresh = settings.model_copy(update={"database_url": f"sqlite:///{tmp_path / 'fresh.sqlite'}"})
    assert "13 jobs" in rebuild(fresh)
    assert content(connect(fresh.database_url)) == lived
    assert "13 jobs" in rebuild(settings)
    assert content(engine) == lived


def test_what_was_decided_while_the_database_was_away_is_caught_up(engine: Engine, settings: Settings) -> None:
    Decisions(settings, engine).record(Decision("vera", "job.cancel", "vera/1", {}))
    path = settings.var / "decisions.jsonl"
    path.write_bytes(path.read_bytes() + path.read_bytes().replace(b'"number":1', b'"number":2') + b'{"torn')
    decisions = Decisions(settings, engine)
    decisions.record(Decision("vera", "job.cancel", "vera/3", {}))
    with engine.connect() as connection:
        assert connection.scalars(select(AuditRow.number).order_by(AuditRow.number)).all() == [1, 2, 3]


def test_only_one_writes(settings: Settings) -> None:
    with only_writer(settings), pytest.raises(Busy, match="Close it first"), only_writer(settings):
        pass
