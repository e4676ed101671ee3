"""Starts a person's servers as processes of this machine, each under the account that `accounts` finds."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jupyterhub.spawner import SimpleLocalProcessSpawner, SpawnException

from .accounts import HUBS, Account, AccountFault, account_of, become
from .authenticator import DOWN, person_in
from .models import Person, SpawnProfile, Visit
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
    """A process per server on a unix socket that its person, and root, alone can open."""

    settings: Settings
    account = HUBS

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
        """The process becomes the person's; practice servers go with the hub, even where it is killed."""
        home, account = self.settings.home_folder(self.user.name), self.account
        notebooks = self.settings.notebooks if self.name == LAB.server_name else None
        practice = self.settings.practice

        def before_exec() -> None:
            become(account)
            if practice:
                die_with_parent()
            os.chdir(home)
            if notebooks:
                copy_notebooks(notebooks, home / "notebooks")

        return before_exec

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """`env` with the person's home."""
        home = str(self.settings.home_folder(self.user.name))
        return {**env, "HOME": home, "USER": self.user.name, "SHELL": "/bin/bash", "PATH": server_path()}

    def get_env(self) -> dict[str, str]:
        """The environment of the server."""
        env: dict[str, str] = super().get_env()
        env["JUPYTERHUB_SERVICE_URL"] = self._socket_url() + self.server.base_url
        return env

    def _socket_url(self) -> str:
        return f"http+unix://{quote(str(self.socket_path), safe='')}"

    async def start(self) -> Any:
        """Start the process; where it will answer."""
        self.socket_path.unlink(missing_ok=True)
        await super().start()
        # The hub looks for a server at longer and longer intervals; waiting for the socket here saves up to a second.
        while not self.socket_path.exists():
            if await self.poll() is not None:
                raise SpawnException("The server could not be started; the hub's log says why.", status_code=500)
            await asyncio.sleep(SOCKET_POLL_SECONDS)
        return self._socket_url()


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
    spawner.account = _account(person, profile, settings)
    if spawner.account.kind != "own" and not settings.practice:
        spawner.log.warning("%s has no account of their own: uid %d", person.username, spawner.account.uid)
    spawner.cmd = [str(settings.python), *(part.format(socket=spawner.socket_path) for part in profile.command)]
    spawner.default_url = profile.default_url
    folders = (settings.home_folder(person.username), settings.jobs_folder(person.username), spawner.runtime_folder)
    for folder in folders:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chown(folder, spawner.account.uid, spawner.account.gid)
    visits = visit_records(settings, person.visits, groups)
    told = {visit["id"] for visit in visits}
    record_visits(settings, person.username, [visit for visit in person.visits if visit.id in told])
    spawner.environment = server_environment(settings, person.username, visits) | {
        "STP3_RUN_FOLDER": str(spawner.runtime_folder),
        "JUPYTER_RUNTIME_DIR": str(spawner.runtime_folder),
    }
    if profile is LAB:
        spawner.notebook_dir = str(settings.home_folder(person.username) / "notebooks")
        spawner.args = ["--allow-root"] if spawner.account.uid == 0 else []


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


def _account(person: Person, profile: SpawnProfile, settings: Settings) -> Account:
    """The account a server runs under; refuses in words."""
    try:
        account = account_of(person, settings)
    except AccountFault as fault:
        raise SpawnException(str(fault), reason="no account", status_code=403) from None
    if profile.own_account and account.kind != "own" and not settings.practice:
        words = (
            f"{profile.title} needs an account of your own on this machine. Ask your local contact to have one made."
        )
        raise SpawnException(words, reason="no account", status_code=403)
    return account


def copy_notebooks(source: Path, folder: Path) -> None:
    """Copy the scientists' notebooks into a person's folder, as that person; what they have changed stays."""
    with suppress(OSError):  # a full or odd home is no reason to start nothing
        folder.mkdir(mode=0o700, exist_ok=True)
        for notebook in sorted(source.glob("*.ipynb")) + sorted(source.glob("scientists/*.ipynb")):
            if not (folder / notebook.name).exists():
                shutil.copyfile(notebook, folder / notebook.name)


def write_jupyter_folder(settings: Settings) -> None:
    """Make var/jupyter, which every server reads: Lab's settings (no news, no look for updates)."""
    overrides = settings.var / "jupyter" / "labconfig" / "default_setting_overrides.json"
    overrides.parent.mkdir(parents=True, exist_ok=True)
    overrides.write_text(json.dumps(LAB_SETTINGS, indent=1))
    for path in (settings.var / "jupyter", overrides.parent):
        path.chmod(0o755)
    overrides.chmod(0o644)


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
