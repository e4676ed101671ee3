"""The API of jobs, scans and volumes: what the run directories tell, each person their part of it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import PlainTextResponse
from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from .actions import Action, Refused, act
from .answers import AuditLine, Done, Event, Job, Me, Page, Scan, State, Volume, Word, all_of
from .callers import Caller, seen_jobs
from .run_directory import log_end
from .service import Administers, Asks, Here, Service, refusals
from .tables import AuditRow, EventRow, JobRow, ScanRow, VolumeRow

Limit = Annotated[int, Query(ge=1, le=200)]
Before = Annotated[str, Query(description="`next` of the page before", pattern=r"^(|-?\d{1,18}\.\d{1,18})$")]


routes = APIRouter(tags=["jobs"])
PATH = "/jobs/{owner}/{job}"


@routes.get("/me", responses=refusals())
def me(service: Here, caller: Asks) -> Me:
    """Who you are here."""
    with service.engine.connect() as connection:
        beamlines = caller.beamlines(connection)
    return Me(name=caller.name, roles=sorted(caller.roles), visits=sorted(caller.visits), beamlines=sorted(beamlines))


@routes.get("/jobs", responses=refusals(), response_model=Page[Job])
def jobs(
    service: Here,
    caller: Asks,
    state: State | None = None,
    visit: Word | None = None,
    owner: Word | None = None,
    limit: Limit = 50,
    before: Before = "",
) -> Response:
    """The jobs of your visits and your own, the newest first."""
    given = {JobRow.state: state, JobRow.visit: visit, JobRow.owner: owner}
    conditions = [seen_jobs(caller), *(column == value for column, value in given.items() if value is not None)]
    return _page(service, select(JobRow.__table__), conditions, JobRow.created, JobRow.number, Job, limit, before)


@routes.get(PATH, responses=refusals(404))
def job_of(service: Here, caller: Asks, owner: Word, job: Word) -> Job:
    """One job."""
    return Job.model_validate(service.job(caller, owner, job))


@routes.get(PATH + "/events", responses=refusals(404))
def events(service: Here, caller: Asks, owner: Word, job: Word) -> list[Event]:
    """What happened to a job, in order."""
    number = service.job(caller, owner, job).number
    query = select(EventRow.__table__).where(EventRow.job_number == number).order_by(EventRow.place)
    with service.engine.connect() as connection:
        return all_of(Event, connection.execute(query.limit(1000)))


@routes.get(PATH + "/log", responses=refusals(404), response_class=PlainTextResponse)
def log(service: Here, caller: Asks, owner: Word, job: Word) -> str:
    """The last lines that the driver of a job wrote."""
    found = service.job(caller, owner, job)
    return log_end(service.settings.jobs_folder(found.owner) / found.id)


@routes.post(PATH + "/cancel", status_code=202, responses=refusals(404, 409))
def cancel_job(service: Here, caller: Asks, owner: Word, job: Word) -> Done:
    """Stop a job; its finished slices stay."""
    return _act(service, caller, owner, job, "cancel")


@routes.post(PATH + "/retry", status_code=202, responses=refusals(404, 409))
def retry_job(service: Here, caller: Asks, owner: Word, job: Word) -> Done:
    """Go on with a job that failed or was stopped; its finished slices are kept."""
    return _act(service, caller, owner, job, "retry")


@routes.get("/scans", responses=refusals(), response_model=Page[Scan])
def scans(service: Here, caller: Asks, limit: Limit = 50, before: Before = "") -> Response:
    """The scans that jobs were started on, the newest first."""
    conditions = [caller.sees(ScanRow.scope)]
    query = select(ScanRow.__table__)
    return _page(service, query, conditions, ScanRow.first_seen, ScanRow.number, Scan, limit, before)


@routes.get("/volumes", responses=refusals(), response_model=Page[Volume])
def volumes(service: Here, caller: Asks, visit: Word | None = None, limit: Limit = 50, before: Before = "") -> Response:
    """The volumes of jobs that are done, the newest first."""
    columns = (*VolumeRow.__table__.c, JobRow.owner, JobRow.id.label("job"), JobRow.visit)
    query = select(*columns, JobRow.created, JobRow.number).join(JobRow, JobRow.number == VolumeRow.job_number)
    conditions = [seen_jobs(caller), *([JobRow.visit == visit] if visit is not None else [])]
    return _page(service, query, conditions, JobRow.created, JobRow.number, Volume, limit, before)


@routes.get("/audit", responses=refusals(), response_model=Page[AuditLine])
def audit(service: Here, caller: Administers, limit: Limit = 50, before: Before = "") -> Response:
    """Who did what through this service, the newest first."""
    return _page(service, select(AuditRow.__table__), [], AuditRow.time, AuditRow.number, AuditLine, limit, before)


def _act(service: Service, caller: Caller, owner: str, job: str, action: Action) -> Done:
    try:
        return Done(said=act(service, caller, service.job(caller, owner, job), action))
    except Refused as refusal:
        raise HTTPException(409, str(refusal)) from None


def _page(
    service: Service,
    query: Select[Any],
    conditions: list[ColumnElement[bool]],
    time: Any,
    number: Any,
    model: type[Any],
    limit: int,
    before: str,
) -> Response:
    """A page of a list, counted whole: the newest first, from `before` on."""
    counted = query.with_only_columns(func.count(), maintain_column_froms=True).where(*conditions)
    part = query.where(*conditions).order_by(time.desc(), number.desc()).limit(limit + 1)
    if before:
        moment, place = (int(word) for word in before.split("."))
        part = part.where(or_(time < moment / 1e6, and_(time == moment / 1e6, number < place)))
    with service.engine.connect() as connection:
        total = connection.scalar(counted) or 0
        rows = list(connection.execute(part))
    last = rows[limit - 1] if len(rows) > limit else None
    after = f"{round(getattr(last, time.key) * 1e6)}.{getattr(last, number.key)}" if last is not None else None
    page = Page[model](total=total, items=all_of(model, rows[:limit]), next=after)  # type: ignore[valid-type]
    return Response(page.model_dump_json(), media_type="application/json")  # else it would be checked twice
