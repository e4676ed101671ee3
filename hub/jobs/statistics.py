"""How much was done: per week, per beamline, as JSON, as CSV, and as numbers for Prometheus."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from sqlalchemy import Select, case, func, select

from .service import Administers, Asks, Here, Service, refusals
from .tables import JobRow, UsageRow, VisitRow

routes = APIRouter(tags=["statistics"])
metric_routes = APIRouter(tags=["operation"])
KEPT_SECONDS = 30.0
WEEK, BEAMLINE = UsageRow.week, func.coalesce(VisitRow.beamline, "")
GROUPS: dict[str, Any] = {"week": WEEK, "beamline": BEAMLINE}


class Figures(BaseModel):
    """What was done in a week, at a beamline, or in all (empty words). Times are those of jobs that are done."""

    week: str = ""
    beamline: str = ""
    jobs: int = 0
    done: int = 0
    failed: int = 0
    scans: int = 0
    users: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    median_seconds: float | None = None
    p95_seconds: float | None = None


class Statistics(BaseModel):
    """All, by week, by beamline."""

    all: Figures
    weeks: list[Figures]
    beamlines: list[Figures]


@routes.get("/statistics", responses=refusals())
def as_json(service: Here, caller: Administers) -> Statistics:
    """Scans processed, bytes, times and users."""
    return statistics(service)


@routes.get("/statistics.csv", responses={**refusals(), 200: {"content": {"text/csv": {}}}}, response_class=Response)
def as_csv(service: Here, caller: Administers) -> Response:
    """The same for each week and beamline, as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, Figures.model_fields)
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row} for row in figures(service, "week", "beamline"))
    headers = {"Content-Disposition": 'attachment; filename="stp3-statistics.csv"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


@metric_routes.get("/metrics", responses=refusals(), response_class=PlainTextResponse)
def metrics(service: Here, caller: Asks) -> str:
    """Numbers for Prometheus, with a token of an administrator or of a service that may `read:metrics`."""
    if not (caller.is_admin or "read:metrics" in caller.hub_scopes):
        raise HTTPException(403, "The numbers are for administrators and for services that may read:metrics.")
    with service.engine.connect() as connection:
        query = select(JobRow.state, func.count()).where(JobRow.removed == 0).group_by(JobRow.state)
        states = [(str(state), int(number)) for state, number in connection.execute(query)]
    whole = statistics(service).all
    return service.requests.text() + "".join(
        [
            "# HELP stp3_jobs Jobs by state.\n# TYPE stp3_jobs gauge\n",
            *(f'stp3_jobs{{state="{state}"}} {number}\n' for state, number in states),
            _gauge("stp3_scans_processed", "Scans with a job that is done.", whole.scans),
            _gauge("stp3_read_bytes", "Bytes of the scans of jobs that are done.", whole.bytes_in),
            _gauge("stp3_written_bytes", "Bytes of the volumes of jobs that are done.", whole.bytes_out),
            _gauge("stp3_streams_open", "Streams of events that are open.", sum(service.streams.values())),
            _gauge("stp3_following_seconds", "Since the last look.", time.time() - service.follower.last_round),
        ]
    )


def statistics(service: Service) -> Statistics:
    """All figures, at most half a minute old."""
    return Statistics(
        all=next(iter(figures(service)), Figures()),
        weeks=figures(service, "week"),
        beamlines=figures(service, "beamline"),
    )


def figures(service: Service, *groups: str) -> list[Figures]:
    """A row for each value of the groups, in order."""
    until, rows = service.figures.get(groups, (0.0, []))
    if until < time.monotonic():
        with service.engine.connect() as connection:
            counts = [row._asdict() for row in connection.execute(_counts(groups))]
            times = {row[: len(groups)]: row for row in connection.execute(_times(groups))}
        rows = [
            Figures.model_validate(row | _times_of(times.get(tuple(row[name] for name in groups)))) for row in counts
        ]
        service.figures[groups] = (time.monotonic() + KEPT_SECONDS, rows)
    return rows


def _counts(groups: tuple[str, ...]) -> Select[Any]:
    done = JobRow.state == "done"
    keys = [GROUPS[name].label(name) for name in groups]
    columns = {
        "jobs": func.count(),
        "done": func.sum(case((done, 1), else_=0)),
        "failed": func.sum(case((JobRow.state == "failed", 1), else_=0)),
        "scans": func.count(case((done, JobRow.scan_number)).distinct()),
        "users": func.count(JobRow.owner.distinct()),
        "bytes_in": func.coalesce(func.sum(case((done, UsageRow.bytes_in), else_=0)), 0),
        "bytes_out": func.coalesce(func.sum(case((done, UsageRow.bytes_out), else_=0)), 0),
    }
    query = _joined(select(*keys, *(value.label(name) for name, value in columns.items())))
    # without groups one row comes in any case, with sums of nothing
    return query.group_by(*keys).order_by(*keys).having(func.count() > 0)


def _times(groups: tuple[str, ...]) -> Select[Any]:
    """The smallest time that at least 50 % (95 %) of the jobs did not exceed."""
    keys = [GROUPS[name].label(name) for name in groups]
    place = func.row_number().over(partition_by=keys or None, order_by=UsageRow.run_seconds).label("place")
    number = func.count().over(partition_by=keys or None).label("number")
    timed = _joined(select(*keys, UsageRow.run_seconds.label("seconds"), place, number))
    ranked = timed.where(JobRow.state == "done", UsageRow.run_seconds.is_not(None)).subquery()
    parts = [
        func.min(case((ranked.c.place * 100 >= ranked.c.number * percent, ranked.c.seconds))) for percent in (50, 95)
    ]
    names = [ranked.c[name] for name in groups]
    return select(*names, *parts).group_by(*names)


def _joined(query: Select[Any]) -> Select[Any]:
    joined = query.select_from(JobRow).join(UsageRow, UsageRow.job_number == JobRow.number)
    return joined.outerjoin(VisitRow, VisitRow.id == JobRow.visit)


def _times_of(row: Any) -> dict[str, float | None]:
    return {} if row is None else {"median_seconds": row[-2], "p95_seconds": row[-1]}


def _cell(value: Any) -> Any:
    """A spreadsheet must not take a name for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@"} else value


def _gauge(name: str, help: str, value: float) -> str:
    return f"# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value:.17g}\n"
