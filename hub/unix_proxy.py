"""The hub's proxy, taught to reach servers on unix sockets."""

from __future__ import annotations

import shutil
from typing import Any

from jupyterhub.proxy import ConfigurableHTTPProxy

from .proxy_setup import node_program, proxy_script
from .settings import Settings


class UnixProxy(ConfigurableHTTPProxy):  # type: ignore[misc]
    """configurable-http-proxy without the port that jupyterhub 6.1.1 appends to every unix socket.

    The proxy would open the file ``x.sock:80``. The hub compares the routes it asked for with those it finds, so the
    port is put back on the way in.
    """

    async def add_route(self, routespec: str, target: str, data: dict[str, Any]) -> None:
        """Add a route, its socket without a port."""
        if target.startswith("http+unix://"):
            target = target.removesuffix(":80")
        await super().add_route(routespec, target, data)

    async def get_all_routes(self, **kwargs: Any) -> dict[str, Any]:
        """All routes, as the hub named them."""
        routes: dict[str, Any] = await super().get_all_routes(**kwargs)
        for route in routes.values():
            if route["target"].startswith("http+unix://"):
                route["target"] = route["target"].rstrip("/") + ":80"
        return routes


def configure_proxy(c: Any, settings: Settings) -> None:
    """Write the proxy's part of the hub's configuration. A proxy of the hub's own gets a token that the hub draws."""
    c.JupyterHub.proxy_class = UnixProxy
    c.UnixProxy.command = [str(node_program() or shutil.which("node")), str(proxy_script())]
    c.UnixProxy.api_url = f"http://127.0.0.1:{settings.proxy_port}"
    c.UnixProxy.pid_file = str(settings.var / "proxy.pid")
    c.UnixProxy.log_level = "warn"
    c.UnixProxy.should_start = settings.own_proxy
    if not settings.own_proxy:
        c.UnixProxy.auth_token = settings.secret("proxy").hex()
