"""The hub's whole configuration, from the settings; what jupyterhub_config.py delegates to."""

from __future__ import annotations

import os
import sys
from typing import Any

from tornado.web import StaticFileHandler

from .accounts import warning
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


LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class ConfigurationFault(Exception):
    """The settings do not make a hub; the text says what to change."""


def configure(c: Any, settings: Settings) -> None:
    """Write the configuration of the hub into `c`; raises ConfigurationFault."""
    if fault := production_fault(settings):
        raise ConfigurationFault(fault)
    make_private(settings)
    write_jupyter_folder(settings)
    _configure_hub(c, settings)
    configure_authenticator(c, settings)
    configure_roles(c)
    configure_spawner(c, settings)
    configure_proxy(c, settings)
    _configure_services(c, settings)
    _configure_pages(c, settings)


def production_fault(settings: Settings) -> str:
    """What forbids to open the door with these settings, in words; empty where nothing does."""
    if settings.practice:
        return ""
    if not settings.office:
        return "There is no user office: set [office] in the settings, or start a practice facility with `make run`."
    if not settings.public_url.startswith("https://") and settings.address not in LOOPBACK:
        return (
            f"The door would listen on {settings.address} without TLS. Put a proxy with TLS in front of it, set "
            'public_url = "https://…" and leave address at 127.0.0.1.'
        )
    return ""


def make_private(settings: Settings) -> None:
    """Make the runtime folders: the hub's alone, save that people's servers must pass through to their own folders."""
    passage = 0o700 if settings.practice or os.getuid() != 0 else 0o711
    for folder in (settings.var, settings.run_folder, settings.var / "home", settings.var / "jobs"):
        folder.mkdir(mode=passage, parents=True, exist_ok=True)
        folder.chmod(passage)
    for folder in (settings.var / "secrets", settings.var / "logs", settings.visits_folder):
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
    for database in settings.var.glob("*.sqlite*"):
        database.chmod(0o600)
    os.umask(0o077)  # whatever hub and services write from here on: the databases above all


def _configure_hub(c: Any, settings: Settings) -> None:
    c.JupyterHub.bind_url = settings.bind_url
    c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{settings.hub_port}"
    c.JupyterHub.db_url = f"sqlite:///{settings.var / 'hub.sqlite'}"
    c.JupyterHub.cookie_secret = settings.secret("cookie")
    c.JupyterHub.default_url = "/hub/home"
    # a hub that is started again finds the servers that went on running
    c.JupyterHub.cleanup_servers = settings.practice
    c.JupyterHub.authenticate_prometheus = True
    c.JupyterHub.tornado_settings = {
        "headers": {
            "Content-Security-Policy": PAGE_POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
        },
        # how long a click waits for a server before the "is starting" page is shown instead
        "slow_spawn_timeout": 10,
        "cookie_options": {"secure": True} if settings.base_url.startswith("https://") else {},
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
        "account_warning": warning(settings),
        "warm_start": settings.warm_start,
        "home_page": HomePage(settings),
    }
    c.JupyterHub.logo_file = str(HERE / "static" / "logo.svg")
    c.JupyterHub.extra_handlers = [(r"/look/(.*)", StaticFileHandler, {"path": str(HERE / "static")})]
