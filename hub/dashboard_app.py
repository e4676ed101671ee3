"""Voilà as a single-user server of the hub: every route behind one login, and only the routes dashboards need."""

from __future__ import annotations

import asyncio
import json
import random
import signal
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlparse

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from jupyter_server.services.kernels.handlers import KernelHandler
from jupyterhub.httpclient import fetch
from jupyterhub.services.auth import HubOAuth
from jupyterhub.singleuser.extension import JupyterHubAuthorizer, JupyterHubIdentityProvider
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_unix_socket
from traitlets import Instance
from voila.app import Voila
from voila.exporter import VoilaExporter
from voila.request_info_handler import RequestInfoSocketHandler
from voila.static_file_handler import AllowListFileHandler, TemplateStaticFileHandler
from voila.tornado.contentshandler import VoilaContentsHandler
from voila.tornado.handler import TornadoVoilaHandler
from voila.tornado.treehandler import TornadoVoilaTreeHandler

from .dashboard_handlers import (
    DashboardHandler,
    DownloadHandler,
    FrontDoor,
    HealthHandler,
    KernelCap,
    NotFoundHandler,
    OwnKernelHandler,
    TemplateFiles,
    behind_login,
)
from .settings import ServerEnvironment

LOGIN_SECONDS = 60  # how long the hub's answer to who somebody is may be used again
# Routes of Voilà that nobody needs here: files beside the notebooks, the list of the folder in two forms, and the
# websocket that tells a kernel the browser's request without asking who listens.
DROPPED = (AllowListFileHandler, VoilaContentsHandler, TornadoVoilaTreeHandler, RequestInfoSocketHandler)
REPLACED = {
    TornadoVoilaHandler: DashboardHandler,
    KernelHandler: OwnKernelHandler,
    TemplateStaticFileHandler: TemplateFiles,
}


class CompiledTemplates(BytecodeCache):
    """Compiled templates in memory: Voilà compiles them for every page anew, which takes half a second."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """What was compiled before, if it was."""
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it."""
        self._code[bucket.key] = bucket.bytecode_to_string()


def keep_compiled_templates() -> None:
    """Have Voilà's exporters share their compiled templates."""
    make, compiled = VoilaExporter._create_environment, CompiledTemplates()

    def make_with_cache(exporter: VoilaExporter) -> Any:
        environment = make(exporter)
        environment.bytecode_cache = compiled
        return environment

    VoilaExporter._create_environment = make_with_cache


class HubIdentity(JupyterHubIdentityProvider):  # type: ignore[misc]
    """The hub's identity provider, as Voilà constructs and mounts it."""

    def __init__(self, **kwargs: Any) -> None:
        # Voilà passes a token and a login page of its own; both are the hub's business
        kwargs.pop("token", None)
        kwargs.pop("login_handler_class", None)
        super().__init__(**kwargs)
        self.hub_auth = HubOAuth(parent=self, api_token=self.parent.told.jupyterhub_api_token)
        self.hub_auth.cache_max_age = LOGIN_SECONDS

    @property
    def hub_prefix(self) -> str:
        """The path of this server, ``/user/<name>``."""
        return str(self.parent.server_url).rstrip("/")

    def get_handlers(self) -> list[tuple[Any, ...]]:
        """The routes of the login, under this server's path (Voilà adds none)."""
        return [(self.hub_prefix + path, *rest) for path, *rest in super().get_handlers()]


class DashboardServer(Voila):  # type: ignore[misc]
    """Voilà with the hub's login, on a unix socket."""

    told = Instance(ServerEnvironment)
    config_file_paths: list[str] = []  # noqa: RUF012  # no voila.json of the working folder or of the home

    def initialize(self, argv: list[str] | None = None) -> None:
        """Take over what the hub told."""
        super().initialize(argv)
        self.base_url = self.server_url = self.told.jupyterhub_service_prefix
        self.identity_provider_class = HubIdentity
        self.authorizer_class = JupyterHubAuthorizer
        self.auto_token = True  # otherwise Voilà passes token='' to the identity provider
        self.port = 0
        self.last_activity = datetime.now(UTC)

    def init_settings(self) -> dict[str, Any]:
        """Voilà's settings with the login and the cap of kernels."""
        settings: dict[str, Any] = super().init_settings()
        settings["allow_unauthenticated_access"] = False
        # names of the extensions' files carry hashes of their content: no question whether they changed
        settings["static_immutable_cache"] = [f"{self.server_url.rstrip('/')}/voila/labextensions/"]
        settings["xsrf_cookies"] = False  # the hub's login brings its own check
        settings["jobs_folder"] = self.told.stp3_jobs
        settings["kernel_cap"] = KernelCap(self.kernel_manager, self.told.stp3_kernels)
        settings["on_request"] = self.note_activity
        settings["log_function"] = lambda handler: None  # addresses can hold codes and tokens
        self._keep_handed_out_kernels()
        keep_compiled_templates()
        return settings

    def init_handlers(self) -> list[tuple[Any, ...]]:
        """The routes: the login's own, health, the download, and what is left of Voilà's behind the login."""
        login_routes = {route[0] for route in self.identity_provider.get_handlers()}
        root = self.server_url.rstrip("/")
        routes: list[tuple[Any, ...]] = [
            (root + "/api/?", HealthHandler),
            (root + "/health", HealthHandler),
            (root + "/?", behind_login(FrontDoor)),
            (root + "/download/([^/]*)", behind_login(DownloadHandler)),
        ]
        for pattern, handler, *rest in super().init_handlers():
            if handler in DROPPED:
                continue
            chosen = REPLACED.get(handler, handler)
            routes.append((pattern, chosen if pattern in login_routes else behind_login(chosen), *rest))
        return [*routes, (r".*", behind_login(NotFoundHandler))]

    def listen(self) -> None:
        """Serve on the socket the hub named until SIGTERM or SIGINT."""
        address = urlparse(self.told.jupyterhub_service_url)
        if address.scheme != "http+unix":
            raise SystemExit(f"stp3: the dashboard server listens on a unix socket only, got {address.scheme}")
        server = HTTPServer(self.app, xheaders=True)
        server.add_socket(bind_unix_socket(unquote(address.netloc), mode=0o600))
        self.ioloop = IOLoop.current()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle_signal_stop)
        self.ioloop.add_callback(self.report_activity)
        try:
            self.ioloop.start()
        finally:
            self.ioloop.run_sync(self._end_kernels)
            self.stop()

    async def _end_kernels(self) -> None:
        kernels = [self.kernel_manager.get_kernel(kernel) for kernel in self.kernel_manager.list_kernel_ids()]
        await asyncio.gather(*(kernel.shutdown_kernel(now=True) for kernel in kernels), return_exceptions=True)

    def note_activity(self) -> None:
        """Remember that a person asked for something just now."""
        self.last_activity = datetime.now(UTC)

    def activity(self) -> datetime:
        """When this server was last used: an open page counts as use."""
        manager = self.kernel_manager
        if any(manager._kernel_connections.get(kernel, 0) for kernel in manager.list_kernel_ids()):
            self.note_activity()
        return self.last_activity

    async def report_activity(self) -> None:
        """Tell the hub, now and then, when this server was last used, or it would be closed as idle."""
        url, token = self.told.jupyterhub_activity_url, self.told.jupyterhub_api_token
        while url:
            used = self.activity().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            body = {"servers": {self.told.jupyterhub_server_name: {"last_activity": used}}, "last_activity": used}
            headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
            try:
                await fetch(url, method="POST", headers=headers, data=json.dumps(body))
            except Exception as fault:  # the hub may be restarting: the next report will do
                self.log.warning("activity not reported: %s", type(fault).__name__)
            await asyncio.sleep(self.told.stp3_activity_seconds * random.uniform(0.9, 1.1))  # noqa: S311

    def _keep_handed_out_kernels(self) -> None:
        """Touch a warm kernel as it is handed to a page: the culler may take it before the page has connected."""
        manager = self.kernel_manager
        take = manager.get_rendered_notebook

        async def take_and_touch(*args: Any, **kwargs: Any) -> Any:
            task, rendered, kernel_id = await take(*args, **kwargs)
            manager.get_kernel(kernel_id).last_activity = datetime.now(UTC)
            return task, rendered, kernel_id

        manager.get_rendered_notebook = take_and_touch
