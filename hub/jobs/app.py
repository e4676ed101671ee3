"""The job service: its API for everybody, its pages for administrators."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy import Engine, text
from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..settings import Settings
from . import api, pages, recipes, statistics, stream
from .follower import ROUND_SECONDS
from .login import HubLogin, LoginNeeded
from .service import NOT_THERE, Here, Service

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
SLOW_ROUND_SECONDS = 60.0
log = logging.getLogger("stp3.jobs")
health_routes = APIRouter(tags=["operation"])


def create_app(settings: Settings, engine: Engine, login: HubLogin) -> FastAPI:
    """The service, its routes under `login.prefix`."""
    service = Service(settings, engine, login)

    @asynccontextmanager
    async def follow(_: FastAPI) -> AsyncIterator[None]:
        thread = service.start()
        yield
        service.follower.stop()
        thread.join(10 * ROUND_SECONDS)

    prefix = service.prefix
    app = FastAPI(
        title="STP3 job service",
        version="1",
        lifespan=follow,
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{prefix}/openapi.json",
    )
    app.state.service = service
    for router in (api.routes, recipes.routes, stream.routes, statistics.routes):
        app.include_router(router, prefix=f"{prefix}/api")
    for router in (pages.routes, statistics.metric_routes, health_routes):
        app.include_router(router, prefix=prefix)
    app.add_middleware(StrictHeaders)
    _add_refusals(app)
    return app


@health_routes.get("/health", responses={503: {"description": "Something does not answer."}})
def health(service: Here) -> Response:
    """Whether the database answers and the run directories are followed; 503 where not."""
    try:
        with service.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        database = "ok"
    except SQLAlchemyError:
        database = "away"
    late = time.time() - service.follower.last_round
    ok = database == "ok" and late < SLOW_ROUND_SECONDS
    return JSONResponse({"database": database, "following": late < SLOW_ROUND_SECONDS}, 200 if ok else 503)


def _add_refusals(app: FastAPI) -> None:
    """What goes wrong, in words."""

    @app.exception_handler(LoginNeeded)
    async def to_login(request: Request, _: LoginNeeded) -> Response:
        service: Service = request.app.state.service
        if request.method == "GET" and pages.is_page(request.url.path.removeprefix(service.prefix)):
            return service.login.begin(request.url.path)
        return JSONResponse({"detail": "Log in at the hub first."}, 401)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, refusal: HTTPException) -> Response:
        service: Service = request.app.state.service
        if pages.is_page(request.url.path.removeprefix(service.prefix)):
            return pages.refusal(service, refusal.status_code, str(refusal.detail))
        return JSONResponse({"detail": refusal.detail}, refusal.status_code, refusal.headers)

    @app.exception_handler(RequestValidationError)
    async def off(request: Request, fault: RequestValidationError) -> Response:
        # what was sent is not sent back: not all of it is text or JSON
        detail = [{name: error[name] for name in ("loc", "msg", "type")} for error in fault.errors()]
        return Response(json.dumps({"detail": detail}), 422, media_type="application/json")

    @app.exception_handler(DataError)
    async def odd_text(request: Request, fault: DataError) -> Response:
        return JSONResponse({"detail": NOT_THERE}, 404)

    @app.exception_handler(SQLAlchemyError)
    async def no_database(request: Request, fault: SQLAlchemyError) -> Response:
        log.error("the job database does not answer: %s", fault)
        return JSONResponse({"detail": "The job database does not answer. Jobs go on; try again in a minute."}, 503)


class StrictHeaders:
    """Puts the same headers on every answer, and counts it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the headers."""
        began = time.perf_counter()

        async def send_strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope["app"].state.service.requests.add(message["status"], time.perf_counter() - began)
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, send_strict)
