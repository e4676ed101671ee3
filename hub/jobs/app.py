"""The jobs page: everybody's jobs, for administrators."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, FileSystemLoader, select_autoescape

from ..models import JobRecord
from ..settings import HERE, Settings
from .login import HubLogin, LoginNeeded
from .records import read_jobs

SHOWN_JOBS = 200
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
Next = Callable[[Request], Awaitable[Response]]


def create_app(settings: Settings, login: HubLogin) -> FastAPI:
    """The service, its routes under `login.prefix`."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    prefix = login.prefix.rstrip("/")
    pages = Environment(loader=FileSystemLoader(HERE / "jobs" / "templates"), autoescape=select_autoescape())
    pages.filters["duration"] = duration
    Reader = Annotated[dict[str, Any], Depends(login.user)]  # noqa: N806  # a type

    @app.middleware("http")
    async def strict_headers(request: Request, call_next: Next) -> Response:
        response = await call_next(request)
        response.headers.update(HEADERS)
        return response

    @app.exception_handler(LoginNeeded)
    async def to_login(request: Request, _: LoginNeeded) -> Response:
        if request.url.path.rstrip("/") == prefix:
            return login.begin()
        return JSONResponse({"detail": "Log in at the hub first."}, 401)

    @app.get(prefix + "/oauth_callback")
    async def oauth_callback(request: Request, code: str, state: str) -> Response:
        return await login.finish(request, code, state)

    @app.get(prefix + "/")
    async def page(user: Reader) -> HTMLResponse:
        jobs = _shown(settings)
        return HTMLResponse(
            pages.get_template("jobs.html").render(jobs=jobs, facility=settings.facility, user=user, prefix=prefix)
        )

    @app.get(prefix + "/rows")
    async def rows(_: Reader) -> HTMLResponse:
        return HTMLResponse(pages.get_template("rows.html").render(jobs=_shown(settings)))

    @app.get(prefix + "/jobs.json")
    async def as_json(_: Reader) -> list[dict[str, Any]]:
        return [{**job.model_dump(mode="json"), "percent": job.percent} for job in _shown(settings)]

    return app


def _shown(settings: Settings) -> list[JobRecord]:
    """The live jobs, then the newest of the others."""
    jobs = read_jobs(settings.var / "jobs")
    return sorted(jobs, key=lambda job: not job.live)[:SHOWN_JOBS]


def duration(seconds: float | None) -> str:
    """Seconds in words: ``about 3 min``."""
    if seconds is None or seconds < 0:
        return ""
    if seconds < 90:
        return f"about {seconds:.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"
