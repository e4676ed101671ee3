"""Starts a person's servers as processes of this machine, in practice mode: all under the hub's own account."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jupyterhub.spawner import SimpleLocalProcessSpawner, SpawnException
from traitlets import Bool

from .authenticator import DOWN, person_in
from .models import Visit
from .processes import die_with_parent
from .profiles import LAB, Refusal, profile_for, visits_of
from .settings import Settings, server_path
from .visits import record_visits

SOCKET_POLL_SECONDS = 0.03
JUST_NOW_SECONDS = 60  # the office was asked for this very start
LAB_SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": False,
    }
}


class VisitSpawner(SimpleLocalProcessSpawner):  # type: ignore[misc]
    """A process per server; dashboards on a unix socket, JupyterLab on a port of loopback."""

    settings: Settings
    unix_socket = Bool(False, help="whether this server listens on a socket rather than a port")

    @property
    def runtime_folder(self) -> Path:
        """A folder of this server for sockets: short and lower case, as the hub and the system want them."""
        label = hashlib.sha256(f"{self.user.name}/{self.name}".encode()).hexdigest()[:8]
        return self.settings.run_folder / label

    @property
    def socket_path(self) -> Path:
        """The socket on which this server listens."""
        return self.runtime_folder / "server.sock"

    def make_preexec_fn(self, name: str) -> Any:
        """Practice servers go with the hub, even where it is killed."""
        home = str(self.settings.home_folder(self.user.name))

        def before_exec() -> None:
            die_with_parent()
            os.chdir(home)

        return before_exec

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """`env` with the person's home."""
        home = str(self.settings.home_folder(self.user.name))
        return {**env, "HOME": home, "USER": self.user.name, "SHELL": "/bin/bash", "PATH": server_path()}

    def get_env(self) -> dict[str, str]:
        """The environment of the server."""
        env: dict[str, str] = super().get_env()
        if self.unix_socket:
            env["JUPYTERHUB_SERVICE_URL"] = f"http+unix://{quote(str(self.socket_path), safe='')}{self.server.base_url}"
        return env

    async def start(self) -> Any:
        """Start the process; where it will answer."""
        self.socket_path.unlink(missing_ok=True)
        address = await super().start()
        if not self.unix_socket:
            return address
        # The hub looks for a server at longer and longer intervals; waiting for the socket here saves up to a second.
        while not self.socket_path.exists():
            if await self.poll() is not None:
                raise SpawnException(
                    "The dashboards could not be started; the hub's log says why.", reason="ended", status_code=500
                )
            await asyncio.sleep(SOCKET_POLL_SECONDS)
        return f"http+unix://{quote(str(self.socket_path), safe='')}"


def visit_records(settings: Settings, visits: tuple[Visit, ...], groups: frozenset[str]) -> list[dict[str, str]]:
    """STP3_VISITS of a person: the visits the office lists *and* the hub holds as groups, as id, title, data_root."""
    records = [
        {"id": visit.id, "title": visit.title, "data_root": str(settings.visit_folder(visit.id, visit.data_root))}
        for visit in visits
        if visit.id in visits_of(groups)
    ]
    if settings.practice and settings.data is not None:
        records.append({"id": "data", "title": "Data folder", "data_root": str(settings.data.expanduser().resolve())})
    return records


async def prepare_server(spawner: VisitSpawner) -> None:
    """Decide what is started, for whom and with which folders; refuses in words. The hub's pre-spawn hook."""
    settings = spawner.settings
    groups = frozenset(group.name for group in spawner.user.groups)
    try:
        profile = profile_for(spawner.name, groups)
    except Refusal as refusal:
        raise SpawnException(str(refusal), reason="forbidden", status_code=403) from None
    auth_state = await spawner.user.get_auth_state()
    person = person_in(auth_state)
    if person is None:
        raise SpawnException("Please log in again.", reason="forbidden", status_code=403)
    if time.time() - auth_state["checked"] > JUST_NOW_SECONDS:
        raise SpawnException(DOWN, reason="office down", status_code=503)
    spawner.cmd = list(profile.command)
    spawner.default_url = profile.default_url
    spawner.unix_socket = profile.unix_socket
    for folder in (
        settings.home_folder(person.username),
        settings.jobs_folder(person.username),
        spawner.runtime_folder,
    ):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    visits = visit_records(settings, person.visits, groups)
    told = {visit["id"] for visit in visits}
    record_visits(settings, person.username, [visit for visit in person.visits if visit.id in told])
    spawner.environment = server_environment(settings, person.username, visits) | {
        "STP3_RUN_FOLDER": str(spawner.runtime_folder),
        "JUPYTER_RUNTIME_DIR": str(spawner.runtime_folder),
    }
    if profile is LAB:
        _prepare_lab(spawner, settings, person.username)


def server_environment(settings: Settings, username: str, visits: list[dict[str, str]]) -> dict[str, str]:
    """What every server is told besides what the hub itself tells it."""
    return {
        "STP3_VISITS": json.dumps(visits),
        "STP3_JOBS": str(settings.jobs_folder(username)),
        "STP3_THREADS": str(settings.threads_per_user()),
        "STP3_DASHBOARDS": str(settings.dashboards),
        "STP3_TEMPLATE": settings.template,
        "STP3_KERNELS": str(settings.kernels_per_user),
        "STP3_KERNEL_IDLE_SECONDS": str(settings.kernel_idle_seconds),
        "JUPYTER_PATH": str(settings.template_folder),
        "JUPYTER_CONFIG_PATH": str(settings.var / "jupyter"),
    }


def _prepare_lab(spawner: VisitSpawner, settings: Settings, username: str) -> None:
    """Point JupyterLab at a folder of the person's own that holds the scientists' notebooks."""
    folder = settings.home_folder(username) / "notebooks"
    folder.mkdir(mode=0o700, exist_ok=True)
    for notebook in sorted(settings.notebooks.glob("*.ipynb")) + sorted(settings.notebooks.glob("scientists/*.ipynb")):
        if not (folder / notebook.name).exists():  # what a person has changed stays
            shutil.copyfile(notebook, folder / notebook.name)
    spawner.notebook_dir = str(folder)
    spawner.args = ["--allow-root"] if os.getuid() == 0 else []


def write_jupyter_folder(settings: Settings) -> None:
    """Make var/jupyter, which every server reads: Lab's settings (no news, no look for updates)."""
    overrides = settings.var / "jupyter" / "labconfig" / "default_setting_overrides.json"
    overrides.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    overrides.write_text(json.dumps(LAB_SETTINGS, indent=1))


def configure_spawner(c: Any, settings: Settings) -> None:
    """Write the servers' part of the hub's configuration."""
    VisitSpawner.settings = settings
    c.JupyterHub.spawner_class = VisitSpawner
    c.JupyterHub.allow_named_servers = True
    # "none" cannot be said: only values above 0 are enforced. The hook refuses every name but "lab".
    c.JupyterHub.named_server_limit_per_user = 2
    spawner = c.VisitSpawner
    spawner.pre_spawn_hook = prepare_server
    spawner.home_dir_template = str(settings.var / "home" / "{username}")
    spawner.env_keep = ["LANG", "LC_ALL"]
    spawner.http_timeout = 60
    spawner.start_timeout = 60
    # A server gets SIGINT, SIGTERM, SIGKILL in turn: each wait adds to how long the hub takes to stop.
    spawner.interrupt_timeout, spawner.term_timeout, spawner.kill_timeout = 3, 2, 2
