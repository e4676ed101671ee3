"""The hub's whole configuration, from the settings; what jupyterhub_config.py delegates to."""

from __future__ import annotations

import sys
from typing import Any

from tornado.web import StaticFileHandler

from .home import HomePage
from .logins import configure_authenticator
from .roles import configure_roles
from .settings import HERE, Settings
from .spawner import configure_spawner, write_jupyter_folder
from .unix_proxy import configure_proxy

# The hub's own pages: nothing from outside, and no page inside another's frame.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; object-src 'none'; base-uri 'self'; frame-ancestors 'none'"
)


class ConfigurationFault(Exception):
    """The settings do not make a hub; the text says what to change."""


def configure(c: Any, settings: Settings) -> None:
    """Write the configuration of the hub into `c`; raises ConfigurationFault."""
    if not settings.practice:
        raise ConfigurationFault(
            "This version starts all servers under one account, which is for practice only. "
            "Set practice = true in hub.toml, or start it with `make run`."
        )
    settings.var.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.run_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_jupyter_folder(settings)
    _configure_hub(c, settings)
    configure_authenticator(c, settings)
    configure_roles(c)
    configure_spawner(c, settings)
    configure_proxy(c, settings)
    _configure_services(c, settings)
    _configure_pages(c, settings)


def _configure_hub(c: Any, settings: Settings) -> None:
    c.JupyterHub.bind_url = settings.base_url
    c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{settings.hub_port}"
    c.JupyterHub.db_url = f"sqlite:///{settings.var / 'hub.sqlite'}"
    c.JupyterHub.cookie_secret = settings.secret("cookie")
    c.JupyterHub.default_url = "/hub/home"
    c.JupyterHub.cleanup_servers = True
    c.JupyterHub.authenticate_prometheus = True
    c.JupyterHub.tornado_settings = {
        "headers": {
            "Content-Security-Policy": PAGE_POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
        },
        # how long a click waits for a server before the "is starting" page is shown instead
        "slow_spawn_timeout": 10,
    }


def _configure_services(c: Any, settings: Settings) -> None:
    jobs_environment = {**settings.environment(), "STP3_HUB_OFFICE": "{}"}
    c.JupyterHub.services = [
        {
            "name": "jobs",
            "display": False,
            "url": f"http://127.0.0.1:{settings.jobs_port}",
            "command": [sys.executable, "-m", "stp3_hub.jobs"],
            "environment": jobs_environment,
            "oauth_no_confirm": True,
            "oauth_client_allowed_scopes": [],
        },
        {
            "name": "idle-culler",
            "command": [
                sys.executable,
                "-m",
                "jupyterhub_idle_culler",
                f"--timeout={settings.server_idle_seconds}",
                f"--max-age={settings.server_age_seconds}",
                "--cull-every=120",
            ],
        },
    ]


def _configure_pages(c: Any, settings: Settings) -> None:
    c.JupyterHub.template_paths = [str(HERE / "templates")]
    c.JupyterHub.template_vars = {
        "facility": settings.facility,
        "practice": settings.practice,
        "warm_start": settings.warm_start,
        "home_page": HomePage(settings),
    }
    c.JupyterHub.logo_file = str(HERE / "static" / "logo.svg")
    c.JupyterHub.extra_handlers = [(r"/look/(.*)", StaticFileHandler, {"path": str(HERE / "static")})]
