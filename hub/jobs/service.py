"""What all routes share: the database, the follower, the journal of decisions, and who asks."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from sqlalchemy import Engine, select

from ..settings import Settings
from .answers import Fault
from .callers import Caller, caller_of, seen_jobs
from .decisions import Decisions
from .follower import Follower
from .login import HubLogin
from .requests_seen import RequestsSeen
from .tables import JobRow

WORDS: dict[int | str, str] = {
    401: "No login.",
    403: "Not open to you.",
    404: "Not there, or not yours to see.",
    409: "Not possible as things are.",
    429: "Too many.",
    503: "The database does not answer.",
}
NOT_THERE = "There is no such thing here, or it is not yours to see."
Row = Any


class Service:
    """The job service."""

    def __init__(self, settings: Settings, engine: Engine, login: HubLogin) -> None:
        self.settings = settings
        self.engine = engine
        self.login = login
        self.decisions = Decisions(settings, engine)
        self.follower = Follower(settings, engine, self._tell)
        self.streams: Counter[str] = Counter()  # open ones of each person
        self.requests = RequestsSeen()
        self.figures: dict[tuple[str, ...], tuple[float, list[Any]]] = {}  # statistics, kept for a moment
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()

    @property
    def prefix(self) -> str:
        """The path of the service, without a slash at the end."""
        return self.login.prefix.rstrip("/")

    def start(self) -> threading.Thread:
        """Follow the run directories from now on, in a thread."""
        self._loop = asyncio.get_running_loop()
        self.decisions.catch_up()
        thread = threading.Thread(target=self.follower.run, name="follower", daemon=True)
        thread.start()
        return thread

    async def news(self, seconds: float) -> None:
        """Return when something has changed, or after that time."""
        try:
            await asyncio.wait_for(self._news.wait(), seconds)
        except TimeoutError:
            return

    def _tell(self) -> None:
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def caller(self, request: Request) -> Caller:
        """Who asks; raises LoginNeeded."""
        return caller_of(await self.login.user(request), self.settings)

    async def admin(self, request: Request) -> Caller:
        """Who asks, if it is an administrator; 403 otherwise."""
        caller = await self.caller(request)
        if not caller.is_admin:
            raise HTTPException(403, "This is for administrators.")
        return caller

    def job(self, caller: Caller, owner: str, job: str) -> Row:
        """A job that the caller may see; 404 for any other, whether it exists or not."""
        query = select(JobRow.__table__).where(JobRow.owner == owner, JobRow.id == job, seen_jobs(caller))
        with self.engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise HTTPException(404, NOT_THERE)
        return row


def _here(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _caller(request: Request) -> Caller:
    return await _here(request).caller(request)


async def _admin(request: Request) -> Caller:
    return await _here(request).admin(request)


Here = Annotated[Service, Depends(_here)]
Asks = Annotated[Caller, Depends(_caller)]  # anybody with a login
Administers = Annotated[Caller, Depends(_admin)]


def refusals(*codes: int, page: bool = False) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route, as OpenAPI wants them; 401, 403 and 503 may come from every route.

    Those of a page are pages, and in place of 401 the browser is sent to the login.
    """
    words = {"text/html": {"schema": {"type": "string"}}}
    kind = {"application/json": {"schema": Fault.model_json_schema()}}
    told: dict[int | str, dict[str, Any]] = {code: {"content": words if page else kind} for code in (403, *codes)}
    told |= {401: {"content": kind}, 503: {"content": kind}}
    for code, content in told.items():
        content["description"] = WORDS[code]
    return told | ({302: {"description": "To the login."}} if page else {})
