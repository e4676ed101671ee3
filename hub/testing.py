"""For tests and benchmarks: a PostgreSQL of one's own, run directories, and somebody who answers for the hub."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .practice_folder import free_ports
from .settings import Settings

if TYPE_CHECKING:
    from .jobs.service import Service

PROGRAMS = Path("/usr/lib/postgresql")
ACCOUNT = "postgres"  # PostgreSQL refuses to run as root


class PostgresMissing(Exception):
    """PostgreSQL is not installed; the text says how to."""


def postgresql_programs() -> Path:
    """The folder of initdb and pg_ctl, the newest version; raises PostgresMissing."""
    if found := shutil.which("pg_ctl"):
        return Path(found).parent
    versions = sorted(PROGRAMS.glob("*/bin/pg_ctl"), key=lambda path: float(path.parts[-3]))
    if not versions:
        raise PostgresMissing("PostgreSQL is not installed: apt-get install postgresql")
    return versions[-1].parent


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of a fresh PostgreSQL on a unix socket in a folder of its own; gone with all its data afterwards."""
    programs = postgresql_programs()
    account = ACCOUNT if os.getuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # short: a socket lies in it
    if account:
        shutil.chown(folder, account, account)

    def call(program: str, *arguments: str) -> None:
        command = [str(programs / program), "-D", str(folder / "data"), *arguments]
        subprocess.run(command, user=account, cwd=folder, check=True, capture_output=True)

    try:
        call("initdb", "--username=stp3", "--auth=trust", "--encoding=UTF8", "--no-locale")
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}'"
        call("pg_ctl", "start", "--wait", "-l", str(folder / "log"), "-o", options)
        yield f"postgresql+psycopg://stp3@/postgres?host={folder}"
    finally:
        with suppress(subprocess.CalledProcessError):
            call("pg_ctl", "stop", "-m", "immediate")
        shutil.rmtree(folder, ignore_errors=True)


def write_run(jobs: Path, owner: str, job: str, journal: list[dict[str, Any]] | None = None, **state: Any) -> Path:
    """A run directory as a driver leaves it; `state` is laid over a finished job's."""
    folder = jobs / owner / job
    folder.mkdir(parents=True, exist_ok=True)
    for line in journal or []:
        with open(folder / "journal.jsonl", "a") as file:
            file.write(json.dumps(line) + "\n")
    whole = {"id": job, "state": "done", "user": owner, "format": "tiff", "output": str(folder / "volume")} | state
    part = folder / ".state.part"
    part.write_text(json.dumps(whole))
    part.replace(folder / "state.json")
    return folder


class StandInHub(ThreadingHTTPServer):
    """Answers the one question the service asks a hub: whose is this token? People are put in by token."""

    def __init__(self, people: Mapping[str, dict[str, Any]]) -> None:
        self.people = dict(people)
        super().__init__(("127.0.0.1", 0), _Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def api_url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_port}/hub/api"


class _Answer(BaseHTTPRequestHandler):
    server: StandInHub

    def do_GET(self) -> None:
        """GET /hub/api/user."""
        token = self.headers.get("Authorization", "").rpartition(" ")[2]
        person = self.server.people.get(token)
        content = json.dumps(person or {"status": 403}).encode()
        self.send_response(200 if person else 403)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing is said."""


@contextmanager
def running_service(
    settings: Settings, people: Mapping[str, dict[str, Any]], trusted_seconds: float = 1.0
) -> Iterator[tuple[str, Service]]:
    """The job service as the hub starts it, over HTTP, and where it answers; tokens are the keys of `people`."""
    import uvicorn
    from jupyterhub.services.auth import HubOAuth

    from .jobs.app import create_app
    from .jobs.database import open_database
    from .jobs.login import HubLogin

    hub = StandInHub(people)
    access = {"access:services!service=jobs"}
    auth = HubOAuth(
        api_url=hub.api_url,
        api_token="service",  # noqa: S106  # the stand-in asks for none
        oauth_client_id="service-jobs",
        base_url="/services/jobs/",
        access_scopes=access,
    )
    engine = open_database(settings)
    app = create_app(settings, engine, HubLogin(auth, "/services/jobs/", trusted_seconds=trusted_seconds))
    port = free_ports(1)[0]
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started or not app.state.service.follower.last_round:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}/services/jobs", app.state.service
    finally:
        server.should_exit = True
        thread.join(15)
        hub.shutdown()
        engine.dispose()


def person(name: str, *groups: str) -> dict[str, Any]:
    """The hub's record of a person in these groups."""
    scopes = ["access:services!service=jobs", f"read:users:groups!user={name}", f"read:users:name!user={name}"]
    return {"kind": "user", "name": name, "groups": list(groups), "scopes": scopes}
