"""News of jobs as server-sent events: ``job`` (how it stands), ``gone``, ``event`` (a line of its journal).

The id of a message says how far one has read; a browser that comes back with it in Last-Event-ID misses nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from sqlalchemy import func, select

from .answers import Event, Job
from .callers import Caller
from .login import LoginNeeded
from .service import Asks, Here, Service, refusals
from .tables import EventRow, JobRow

HEARTBEAT_SECONDS = 15.0
AT_ONCE = 200
STREAMS_PER_PERSON = 8
PLACE = re.compile(r"(\d{1,18})\.(\d{1,18})")

routes = APIRouter(tags=["events"])


class EventStream(StreamingResponse):
    """Messages one after the other, for as long as both want."""

    media_type = "text/event-stream"


@dataclass
class Reading:
    """How far somebody has read."""

    event: int
    revision: int

    def __str__(self) -> str:
        return f"{self.event}.{self.revision}"


@routes.get("/events", responses=refusals(429), response_class=EventStream)
async def events(
    service: Here, request: Request, caller: Asks, last_event_id: Annotated[str | None, Header()] = None
) -> EventStream:
    """News of the jobs that you may see, from now on or from Last-Event-ID on."""
    if service.streams[caller.name] >= STREAMS_PER_PERSON:
        raise HTTPException(429, f"You have {STREAMS_PER_PERSON} streams open already. Close one.")
    place = PLACE.fullmatch(last_event_id or "")
    start = Reading(int(place[1]), int(place[2])) if place else await run_in_threadpool(_now, service)
    headers = {"X-Accel-Buffering": "no"}
    return EventStream(_messages(service, request, caller, start), headers=headers)


async def _messages(service: Service, request: Request, caller: Caller, read: Reading) -> AsyncIterator[str]:
    service.streams[caller.name] += 1
    try:
        yield f"retry: 2000\nid: {read}\n: hello\n\n"
        while True:
            news = await run_in_threadpool(_news, service, caller, read)
            for message in news:
                yield message
            if not news:
                yield ": still here\n\n"
                await service.news(HEARTBEAT_SECONDS)
            caller = await service.caller(request)  # who has lost a visit hears no more of it
    except (LoginNeeded, HTTPException):
        return
    finally:
        service.streams[caller.name] -= 1


def _now(service: Service) -> Reading:
    with service.engine.connect() as connection:
        last = connection.execute(select(_greatest(EventRow.number), _greatest(JobRow.revision))).one()
    return Reading(*last)


def _greatest(column: Any) -> Any:
    return select(func.coalesce(func.max(column), 0)).scalar_subquery()


def _news(service: Service, caller: Caller, read: Reading) -> list[str]:
    """The messages beyond `read`, which is moved on."""
    seen = caller.sees(JobRow.scope)
    jobs = select(JobRow.__table__).where(JobRow.revision > read.revision, seen)
    lines = select(EventRow.__table__, JobRow.owner, JobRow.id).join(JobRow, JobRow.number == EventRow.job_number)
    lines = lines.where(EventRow.number > read.event, seen)
    found = []
    with service.engine.connect() as connection:
        for row in connection.execute(lines.order_by(EventRow.number).limit(AT_ONCE)):
            read.event = row.number
            found.append(_message(read, "event", Event.model_validate(row).model_dump(mode="json"), row))
        for row in connection.execute(jobs.order_by(JobRow.revision).limit(AT_ONCE)):
            read.revision = row.revision
            content = {} if row.removed else Job.model_validate(row).model_dump(mode="json")
            found.append(_message(read, "gone" if row.removed else "job", content, row))
    return found


def _message(read: Reading, kind: str, content: dict[str, Any], row: Any) -> str:
    data = {"owner": row.owner, "id": row.id, **content}
    return f"id: {read}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"
