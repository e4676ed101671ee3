"""The pages: everybody's jobs and the statistics for administrators; one job, for whom it is."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, select_autoescape
from sqlalchemy import func, select

from ..settings import HERE
from .actions import Action, Refused, act
from .answers import Job, State, Word, all_of, moment
from .callers import Caller, seen_jobs
from .charts import Bar, chart
from .run_directory import log_end
from .service import Administers, Asks, Here, Service, refusals
from .statistics import Figures, statistics
from .tables import AuditRow, EventRow, JobRow

SHOWN_JOBS = 200
SHOWN_WEEKS = 26
SHOWN_LINES = 300
NOT_PAGES = {"/rows", "/jobs.json", "/openapi.json", "/metrics", "/health"}
routes = APIRouter(tags=["pages"], default_response_class=HTMLResponse)


def is_page(path: str) -> bool:
    """Whether a browser shows what is at `path`."""
    return not path.startswith("/api/") and path not in NOT_PAGES


def duration(seconds: float | None) -> str:
    """Seconds in words: ``3 min``."""
    if seconds is None or seconds < 0:
        return ""
    if seconds < 90:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def size(number: float) -> str:
    """Bytes in words: ``4.2 GB``."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:,.3g} PB"


def minute(seconds: float | None) -> str:
    """A time as ``2026-11-17 10:00 UTC``."""
    return "" if seconds is None else f"{(moment(seconds) or '')[:16].replace('T', ' ')} UTC"


PAGES = Environment(loader=FileSystemLoader(HERE / "jobs" / "templates"), autoescape=select_autoescape())
PAGES.filters.update(duration=duration, size=size, minute=minute, moment=moment)


@routes.get(
    "/oauth_callback", responses={**refusals(page=True), 302: {"description": "Logged in."}}, response_class=Response
)
async def oauth_callback(
    service: Here, request: Request, code: Annotated[str, Query()] = "", state: Annotated[str, Query()] = ""
) -> Response:
    """The hub sends the browser back here after a login."""
    return await service.login.finish(request, code, state)


@routes.get("/", responses=refusals(page=True))
def page(service: Here, caller: Administers, state: State | None = None) -> str:
    """Everybody's jobs."""
    return _render(service, "jobs.html", caller, **_jobs(service, caller, state), here="jobs")


@routes.get("/rows", responses=refusals())
def rows(service: Here, caller: Administers, state: State | None = None) -> str:
    """The rows of the table of jobs."""
    return _render(service, "rows.html", caller, **_jobs(service, caller, state))


@routes.get("/jobs.json", responses=refusals(), response_class=JSONResponse)
def as_json(service: Here, caller: Administers) -> list[Job]:
    """What the page shows, as data."""
    return all_of(Job, _shown(service, caller, None))


@routes.get("/statistics", responses=refusals(page=True))
def figures(service: Here, caller: Administers) -> str:
    """What was done, per week and beamline."""
    told = statistics(service)
    weeks = told.weeks[-SHOWN_WEEKS:]
    return _render(service, "statistics.html", caller, told=told, weeks=weeks, charts=_charts(weeks), here="statistics")


@routes.get("/audit", responses=refusals(page=True))
def audit(service: Here, caller: Administers) -> str:
    """Who did what."""
    query = select(AuditRow.__table__).order_by(AuditRow.number.desc()).limit(SHOWN_LINES)
    with service.engine.connect() as connection:
        lines = list(connection.execute(query))
    return _render(service, "audit.html", caller, lines=lines, here="audit")


@routes.get("/job/{owner}/{job}", responses=refusals(404, page=True))
def one(service: Here, caller: Asks, owner: Word, job: Word) -> str:
    """A job with its log, and what may be done about it."""
    return _job_page(service, caller, service.job(caller, owner, job))


@routes.get("/job/{owner}/{job}/{action}", responses=refusals(404, page=True))
def confirm(service: Here, caller: Asks, owner: Word, job: Word, action: Action) -> str:
    """Asks before anything is done."""
    return _render(service, "confirm.html", caller, job=service.job(caller, owner, job), action=action)


@routes.post(
    "/job/{owner}/{job}/{action}",
    responses={**refusals(404, 409, page=True), 303: {"description": "Done: back to the job."}},
    response_class=Response,
)
def do(service: Here, caller: Asks, owner: Word, job: Word, action: Action) -> Response:
    """Does it, and shows the job again."""
    found = service.job(caller, owner, job)
    try:
        act(service, caller, found, action)
    except Refused as why:
        return HTMLResponse(_job_page(service, caller, found, str(why)), 409)
    return RedirectResponse(f"{service.prefix}/job/{found.owner}/{found.id}", 303)


def refusal(service: Service, status: int, words: str) -> HTMLResponse:
    """The page that says why not."""
    return HTMLResponse(_render(service, "refused.html", None, status=status, words=words), status)


def _jobs(service: Service, caller: Caller, state: str | None) -> dict[str, Any]:
    query = select(JobRow.state, func.count()).where(seen_jobs(caller)).group_by(JobRow.state)
    with service.engine.connect() as connection:
        counts = {row[0]: row[1] for row in connection.execute(query)}
    return {"jobs": _shown(service, caller, state), "state": state, "counts": counts, "most": SHOWN_JOBS}


def _shown(service: Service, caller: Caller, state: str | None) -> list[Any]:
    """The living jobs, then the newest of the others; or the newest in that state."""
    query = select(JobRow.__table__).where(seen_jobs(caller)).order_by(JobRow.created.desc(), JobRow.number.desc())
    live = JobRow.state.in_(["running", "waiting"])
    with service.engine.connect() as connection:
        if state:
            return list(connection.execute(query.where(JobRow.state == state).limit(SHOWN_JOBS)))
        living = list(connection.execute(query.where(live).limit(SHOWN_JOBS)))
        return living + list(connection.execute(query.where(~live).limit(SHOWN_JOBS - len(living))))


def _job_page(service: Service, caller: Caller, job: Any, refused: str = "") -> str:
    events = select(EventRow.__table__).where(EventRow.job_number == job.number).order_by(EventRow.place)
    lines = select(AuditRow.__table__).where(AuditRow.target == f"{job.owner}/{job.id}").order_by(AuditRow.number)
    with service.engine.connect() as connection:
        told = {
            "events": list(connection.execute(events.limit(SHOWN_LINES))),
            "lines": list(connection.execute(lines.limit(SHOWN_LINES))),
        }
    log = log_end(service.settings.jobs_folder(job.owner) / job.id)
    return _render(
        service, "job.html", caller, job=job, log=log, refused=refused, may=caller.may_act_on(job), **told
    )  # fmt: skip


def _charts(weeks: list[Figures]) -> list[tuple[str, Any]]:
    longest = max((row.p95_seconds or 0 for row in weeks), default=0)
    unit, seconds = next((unit, each) for unit, each in (("h", 3600), ("min", 60), ("s", 1)) if longest >= 2 * each - 2)

    def bars(name: str, upper: str = "", scale: float = 1) -> list[Bar]:
        high = [(getattr(row, upper) or 0) / scale if upper else None for row in weeks]
        pairs = zip(weeks, high, strict=True)
        return [Bar(_day(row.week), (getattr(row, name) or 0) / scale, top) for row, top in pairs]

    def count(value: float) -> str:
        return f"{value:,.10g}"

    def time(value: float) -> str:
        return f"{value:.3g} {unit}"

    times = bars("median_seconds", "p95_seconds", seconds)
    return [
        ("Scans processed", chart("Scans processed, by week", bars("scans"), count)),
        ("Written", chart("Bytes written, by week", bars("bytes_out"), size)),
        ("Time of a job: median, and 95 % (line)", chart("Time of a job, by week", times, time, "95 %")),
        ("Users", chart("Users, by week", bars("users"), count)),
    ]


def _day(week: str) -> str:
    """The Monday as ``16 Nov``."""
    return f"{date.fromisoformat(week):%-d %b}"


def _render(service: Service, template: str, caller: Caller | None, **content: Any) -> str:
    given = {"facility": service.settings.facility, "user": caller, "prefix": service.prefix}
    return PAGES.get_template(template).render(given | content)
