"""The database says what the run directories say: live, after a start, rebuilt."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select
from stp3_hub.jobs.follower import Follower
from stp3_hub.jobs.tables import EventRow, JobRow, ScanRow, UsageRow, VolumeRow
from stp3_hub.models import Visit
from stp3_hub.settings import Settings
from stp3_hub.visits import record_visits

DRIVER = {"kind": "driver", "fence": 1, "pid": 7, "host": "node", "time": "2026-11-17T10:00:02Z"}
SLAB = {"kind": "slab", "fence": 1, "rows": [0, 4], "units": [], "seconds": 1.25}
COMPLETE = {"kind": "complete", "fence": 1, "time": "2026-11-17T10:00:30Z"}
TIMES = {"started": "2026-11-17T10:00:01Z", "ended": "2026-11-17T10:00:31Z", "updated": "2026-11-17T10:00:31Z"}


def rows(engine: Engine, table: Any, *columns: Any) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(select(*columns or (table.__table__,)))]


def states(engine: Engine) -> dict[str, str]:
    return {row[0]: row[1] for row in rows(engine, JobRow, JobRow.id, JobRow.state, JobRow.removed) if not row[2]}


def test_a_finished_job_is_there_whole(engine: Engine, follower: Follower, run: Callable[..., Path]) -> None:
    folder = run(
        "vera", "one", journal=[DRIVER, SLAB, SLAB, COMPLETE], rows_done=8, rows_total=8, bytes_written=640, **TIMES
    )
    (folder / "resolved.json").write_text(json.dumps({"provenance": {"scan": {"size": 4096}}}))
    assert follower.round() == 1
    assert follower.round(everything=True) == 0
    assert rows(engine, JobRow, JobRow.owner, JobRow.id, JobRow.scope, JobRow.visit) == [
        ("vera", "one", "visit:A", "A")
    ]
    kinds = rows(engine, EventRow, EventRow.kind, EventRow.time)
    assert kinds == [("submitted", 1794909600.0), ("driver", 1794909602.0), ("complete", 1794909630.0)]
    usage = rows(engine, UsageRow, UsageRow.week, UsageRow.wait_seconds, UsageRow.run_seconds, UsageRow.compute_ms)
    assert usage == [("2026-11-16", 1.0, 30.0, 2500)]
    assert rows(engine, UsageRow, UsageRow.bytes_in, UsageRow.bytes_out, UsageRow.drivers) == [(4096, 640, 1)]
    assert rows(engine, VolumeRow, VolumeRow.path, VolumeRow.slices, VolumeRow.bytes) == [
        (str(folder / "volume"), 8, 640)
    ]
    assert rows(engine, ScanRow, ScanRow.scope, ScanRow.bytes) == [("visit:A", 4096)]


def test_a_running_job_is_followed(engine: Engine, follower: Follower, run: Callable[..., Path]) -> None:
    alive = {"state": "running", "pid": os.getpid(), "host": os.uname().nodename}
    run("vera", "one", **alive, rows_done=1, rows_total=4, journal=[DRIVER])
    follower.round()
    run("vera", "one", **alive, rows_done=2, rows_total=4, journal=[SLAB])
    follower.round()
    assert rows(engine, JobRow, JobRow.state, JobRow.rows_done) == [("running", 2)]
    run("vera", "one", **(alive | {"pid": 2**22 + 1}), rows_done=2, rows_total=4)
    follower.round()
    assert states(engine) == {"one": "interrupted"}
    run("vera", "one", rows_done=4, rows_total=4, journal=[{**DRIVER, "fence": 2}, SLAB, COMPLETE], **TIMES)
    follower.round(everything=True)
    assert states(engine) == {"one": "done"}
    assert rows(engine, UsageRow, UsageRow.compute_ms, UsageRow.drivers) == [(2500, 2)]
    kinds = [row[0] for row in rows(engine, EventRow, EventRow.kind)]
    assert kinds == ["submitted", "driver", "driver", "complete"]


def test_a_job_that_was_over_is_seen_again(engine: Engine, follower: Follower, run: Callable[..., Path]) -> None:
    for number in range(30):
        run("vera", f"job{number}", state="failed")
    follower.round()
    run("vera", "job17")
    for _ in range(3):
        follower.round()
    assert states(engine)["job17"] == "done"


def test_what_is_gone_is_marked_and_counts_no_more(
    engine: Engine, follower: Follower, run: Callable[..., Path]
) -> None:
    one = run("vera", "one")
    two = run("vera", "two")
    follower.round()
    shutil.rmtree(one)
    (two / "state.json").unlink()
    follower.round(everything=True)
    assert states(engine) == {}
    run("vera", "two", state="cancelled")
    follower.round()
    follower.round(everything=True)
    assert states(engine) == {"two": "cancelled"}


def test_a_job_counts_to_a_visit_only_if_its_owner_was_there(
    engine: Engine, settings: Settings, follower: Follower, run: Callable[..., Path]
) -> None:
    run("vera", "mine", visit="A")
    run("vera", "claimed", visit="B")
    run("vera", "around", scan=str(settings.visit_folder("A") / ".." / "B" / "x.h5"))
    run("vera", "elsewhere", scan="/etc/passwd")
    follower.round()
    scopes = dict(rows(engine, JobRow, JobRow.id, JobRow.scope))
    alone = "user:vera"
    assert scopes == {"mine": "visit:A", "claimed": alone, "around": alone, "elsewhere": alone}
    record_visits(settings, "vera", [Visit(id="B")])
    follower.round()
    assert dict(rows(engine, JobRow, JobRow.id, JobRow.scope))["claimed"] == "visit:B"
    assert sorted(rows(engine, ScanRow, ScanRow.scope)) == [(alone,), (alone,), ("visit:A",), ("visit:B",)]


def test_a_start_reads_nothing_again(
    engine: Engine, settings: Settings, follower: Follower, run: Callable[..., Path]
) -> None:
    folders = [run("vera", f"job{number}", journal=[DRIVER]) for number in range(5)]
    follower.round()
    shutil.rmtree(folders[0])
    run("victor", "new", visit="B")
    again = Follower(settings, engine)
    assert again.round() == 2
    assert set(states(engine)) == {"job1", "job2", "job3", "job4", "new"}
    assert again.round(everything=True) == 0


def test_odd_files_do_not_stop_it(
    engine: Engine, settings: Settings, follower: Follower, run: Callable[..., Path]
) -> None:
    honest = run("vera", "honest", sample="null\0byte", scan="/" + "x" * 5000, error="\0")
    for name, text in {"big": "1" * 400, "text": "{", "list": "[]", "deep": "[" * 100_000}.items():
        run("vera", name).joinpath("state.json").write_text(text)
    run("vera", "number", rows_done=10**30)
    run("vera", "negative", rows_done=-1)
    run("vera", "nothing", seconds_left=float("nan"))
    (settings.var / "jobs" / "vera" / "link").symlink_to(honest)
    (settings.var / "jobs" / "..dots").mkdir()
    journal = run("vera", "journal") / "journal.jsonl"
    journal.write_bytes(
        b'{"kind": "driver", "x": "\\u0000", "pid": 1e400}\n\xff\xfe\n[1]\n{"kind": 5}\n{"kind": "driver"'
    )
    os.mkfifo(run("vera", "pipe") / "journal.jsonl")
    os.mkfifo(settings.var / "jobs" / "vera" / "pipe" / "resolved.json")
    follower.round()
    assert set(states(engine)) == {"honest", "journal", "pipe"}
    kinds = rows(engine, EventRow, EventRow.kind)
    assert sorted(kinds) == [("driver",), ("submitted",), ("submitted",), ("submitted",)]
