"""The routes of the dashboard server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from functools import cache
from html import escape
from inspect import isawaitable
from pathlib import Path
from typing import Any

from jupyter_server.services.kernels.handlers import KernelHandler
from jupyterhub._version import __version__ as hub_version
from tornado import web
from tornado.iostream import StreamClosedError
from voila.paths import collect_static_paths
from voila.static_file_handler import TemplateStaticFileHandler
from voila.tornado.handler import TornadoVoilaHandler

from .download import DownloadFault, NotReady, find_volume, zip_stream

NOTEBOOK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,80}\.ipynb")
WORKBENCH = "workbench.ipynb"
# What Voilà and its widgets need: scripts and styles written into the page, modules and pictures made by scripts.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-JupyterHub-Version": hub_version,
}


class BehindLogin(web.RequestHandler):
    """Lets a request pass only for somebody the hub grants access to this server, HTTP and websocket alike."""

    async def prepare(self) -> None:
        """Ask the hub who this is; browsers without a login are sent there, everything else gets 403."""
        user = await self.settings["identity_provider"].get_user(self)
        self.current_user = user
        if user is None:
            if self.request.method in {"GET", "HEAD"} and "Upgrade" not in self.request.headers:
                self.redirect(self.get_login_url())  # 403 for a person who may not, raised by the hub's login
                return
            raise web.HTTPError(403)
        self.settings["on_request"]()
        waiting = super().prepare()
        if isawaitable(waiting):
            await waiting

    def set_default_headers(self) -> None:
        """The strict headers on every answer."""
        super().set_default_headers()
        for name, value in HEADERS.items():
            self.set_header(name, value)


@cache
def behind_login(handler: type[web.RequestHandler]) -> type[web.RequestHandler]:
    """`handler` with the login in front of whatever it does itself."""
    return type(f"Guarded{handler.__name__}", (BehindLogin, handler), {})


class HealthHandler(web.RequestHandler):
    """Says that the server is up, and the hub's version, to anybody: what the hub polls."""

    def get(self) -> None:
        """The version as JSON."""
        self.set_header("X-JupyterHub-Version", hub_version)
        self.finish({"version": hub_version})


class NotFoundHandler(web.RequestHandler):
    """Everything else: 404, for members only."""

    async def prepare(self) -> None:
        """404 for every method."""
        raise web.HTTPError(404)


class FrontDoor(web.RequestHandler):
    """Leads to the workbench."""

    def get(self) -> None:
        """Redirect."""
        self.redirect(f"{self.settings['base_url'].rstrip('/')}/voila/render/{WORKBENCH}")


class OwnKernelHandler(KernelHandler):
    """Tells a page of its kernel; ending kernels goes through Voilà's own route."""

    SUPPORTED_METHODS = ("GET", "HEAD", "OPTIONS")


class TemplateFiles(TemplateStaticFileHandler):  # type: ignore[misc]
    """Files of the templates; Voilà's own handler answers 500 to an address that is not one of theirs."""

    async def get(self, path: str, include_body: bool = True) -> None:
        """The file, or 404."""
        template, _, rest = path.partition("/")
        known = re.fullmatch(r"[A-Za-z0-9_-]+", template) and collect_static_paths(["voila", "nbconvert"], template)
        if not known or not rest.startswith("static/") or ".." in rest.split("/"):
            raise web.HTTPError(404)
        await super().get(path, include_body)


class KernelCap:
    """How many dashboards one person may have open."""

    def __init__(self, manager: Any, limit: int) -> None:
        self.manager = manager
        self.limit = limit
        self.opening = 0

    def in_use(self) -> int:
        """Kernels behind pages, and pages about to get one; warm kernels do not count."""
        warm = sum(len(pool) for pool in self.manager._pools.values())
        return max(0, len(self.manager.list_kernel_ids()) - warm) + self.opening

    def refusal(self) -> str | None:
        """Why no further page may be opened, in words; None where it may."""
        if self.in_use() < self.limit:
            return None
        return (
            f"You have {self.limit} dashboards open, which is the limit. Close one of their tabs and reload this page; "
            "a tab that was not closed properly is given up after a while."
        )


class DashboardHandler(TornadoVoilaHandler):  # type: ignore[misc]
    """Renders one notebook of the folder, within the cap of kernels."""

    async def get(self, path: str | None = None) -> None:
        """The page, as it is computed."""
        folder = Path(self.settings["voila"].root_dir)
        if not path or not NOTEBOOK.fullmatch(path) or not (folder / path).is_file():
            say(self, 404, "There is no such dashboard.")
            return
        cap: KernelCap = self.settings["kernel_cap"]
        if words := cap.refusal():
            say(self, 429, words)
            return
        await self._render(path, cap)

    async def _render(self, path: str, cap: KernelCap) -> None:
        cap.opening += 1
        opening = True
        try:
            async for html in self.get_generator(path=path):
                if opening:  # the first piece comes after the kernel: from here on the kernel itself counts
                    cap.opening -= 1
                    opening = False
                self.write(html)
                await self.flush()
        except StreamClosedError:
            pass  # the tab was closed while the page was made; the culler ends the kernel
        finally:
            cap.opening -= opening


class DownloadHandler(web.RequestHandler):
    """The finished volume of a job as a zip, streamed."""

    async def get(self, job_id: str) -> None:
        """The zip; 404 for no such job, 409 for one that is not finished."""
        try:
            volume = find_volume(self.settings["jobs_folder"], job_id)
        except NotReady as fault:
            say(self, 409, str(fault))
            return
        except DownloadFault as fault:
            say(self, 404, str(fault))
            return
        self.set_header("Content-Type", "application/zip")
        self.set_header("Content-Disposition", f'attachment; filename="{job_id}.zip"')
        self.set_header("Cache-Control", "no-store")
        await self._send(zip_stream(volume, job_id))

    async def _send(self, chunks: Iterator[bytes]) -> None:
        """Send chunk after chunk, each only when the one before has left."""
        try:
            while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
                self.write(chunk)
                await self.flush()
                self.settings["on_request"]()
        except StreamClosedError:
            pass  # the browser cancelled


def say(handler: web.RequestHandler, status: int, words: str) -> None:
    """Answer with a small page that says `words`."""
    handler.set_status(status)
    handler.set_header("Content-Type", "text/html; charset=utf-8")
    handler.finish(
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>STP3</title>'
        '<link rel="stylesheet" href="/hub/look/hub.css"></head><body class="stp3 plain"><main class="stp3-main">'
        f'<p class="stp3-note">{escape(words)}</p><p><a href="/hub/home">Back to the home page</a></p>'
        "</main></body></html>"
    )
