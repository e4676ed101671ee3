"""The pages for administrators: everybody's jobs, one job with its log, what can be done about it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, FileSystemLoader, select_autoescape
from sqlalchemy import select

from ..settings import HERE
from .answers import Job, all_of, moment
from .callers import seen_jobs
from .service import Administers, Here, Service, refusals
from .tables import JobRow

SHOWN_JOBS = 200
routes = APIRouter(tags=["pages"], default_response_class=HTMLResponse)


def is_page(path: str) -> bool:
    """Whether a browser shows what is at `path`, so that it may be sent to the login instead."""
    return not path.startswith("/api/") and path not in {"/rows", "/jobs.json", "/openapi.json", "/metrics"}


def duration(seconds: float | None) -> str:
    """Seconds in words: ``about 3 min``."""
    if seconds is None or seconds < 0:
        return ""
    if seconds < 90:
        return f"about {seconds:.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"


def minute(seconds: float | None) -> str:
    """A time as ``2026-11-17 10:00 UTC``."""
    return "" if seconds is None else f"{(moment(seconds) or '')[:16].replace('T', ' ')} UTC"


PAGES = Environment(loader=FileSystemLoader(HERE / "jobs" / "templates"), autoescape=select_autoescape())
PAGES.filters.update(duration=duration, minute=minute, moment=moment)


@routes.get("/oauth_callback", responses={403: {}}, response_class=Response)
async def oauth_callback(
    service: Here, request: Request, code: Annotated[str, Query()] = "", state: Annotated[str, Query()] = ""
) -> Response:
    """The hub sends the browser back here after a login."""
    return await service.login.finish(request, code, state)


@routes.get("/", responses=refusals())
def page(service: Here, caller: Administers) -> str:
    """Everybody's jobs."""
    return _render(service, caller, "jobs.html", jobs=shown_jobs(service, caller))


@routes.get("/rows", responses=refusals())
def rows(service: Here, caller: Administers) -> str:
    """The rows of the table of jobs."""
    return _render(service, caller, "rows.html", jobs=shown_jobs(service, caller))


@routes.get("/jobs.json", responses=refusals(), response_class=JSONResponse)
def as_json(service: Here, caller: Administers) -> list[Job]:
    """What the page shows, as data."""
    return all_of(Job, shown_jobs(service, caller))


def shown_jobs(service: Service, caller: Any) -> list[Any]:
    """The live jobs, then the newest of the others."""
    live = JobRow.state.in_(["running", "waiting"])
    query = select(JobRow.__table__).where(seen_jobs(caller))
    with service.engine.connect() as connection:
        living = list(connection.execute(query.where(live).order_by(JobRow.created.desc()).limit(SHOWN_JOBS)))
        others = query.where(~live).order_by(JobRow.created.desc()).limit(SHOWN_JOBS - len(living))
        return living + list(connection.execute(others))


def _render(service: Service, caller: Any, template: str, **content: Any) -> str:
    return PAGES.get_template(template).render(
        facility=service.settings.facility, user=caller, prefix=service.prefix, **content
    )
