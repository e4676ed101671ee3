"""A hub outside practice mode: a table of people, servers under accounts of their own."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from stp3_hub.practice_folder import free_ports
from stp3_hub.user_office.table import hash_password

PASSWORD = "right horse battery"
ANOTHER_ACCOUNT = "only root can start servers under another account"


@dataclass
class Door:
    """A running hub."""

    base_url: str
    folder: Path
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def var(self) -> Path:
        """Its runtime folder."""
        return self.folder / "var"

    @property
    def table(self) -> Path:
        """Its people."""
        return self.folder / "people.yaml"

    def server_of(self, name: str, server: str = "") -> psutil.Process | None:
        """The process of somebody's server at this hub."""
        prefix = f"/user/{name}/{server + '/' if server else ''}"
        for process in psutil.process_iter():
            told = _environment(process)
            own = str(self.var) in told.get("STP3_JOBS", "")
            with suppress(psutil.Error):
                if own and told.get("JUPYTERHUB_SERVICE_PREFIX") == prefix and _serves(process):
                    return process
        return None


@dataclass
class Browser:
    """Somebody with a browser at a hub whose office is a form."""

    door: Door
    name: str
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.door.base_url, follow_redirects=True, timeout=60)

    def login(self, password: str = PASSWORD, path: str = "/hub/home") -> httpx.Response:
        """The hub's answer to name and password."""
        page = self.client.get(path)
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
        action = re.search(r'<form action="([^"]+)"', page.text)
        if xsrf is None or action is None:
            return page
        data = {"username": self.name, "password": password, "_xsrf": xsrf[1]}
        return self.client.post(action[1].replace("&amp;", "&"), data=data)

    def start(self, server: str = "") -> httpx.Response:
        """Start a server; its health, or the refusal."""
        path = f"/user/{self.name}/{server + '/' if server else ''}api"
        answer = self.client.get(f"/hub/spawn/{self.name}" + (f"/{server}" if server else ""))
        deadline = time.monotonic() + 90
        if answer.status_code == 404:  # it runs, and has no such front page
            answer.status_code = 200
        while answer.status_code < 400 and time.monotonic() < deadline:
            answer = self.client.get(path)
            if answer.status_code == 200 and "version" in answer.text:
                break
            if answer.status_code in {404, 424, 503}:  # not yet
                answer.status_code = 200
            time.sleep(0.3)
        return answer

    def running(self) -> bool:
        """Whether a server runs, as the system sees it."""
        mark = f"/user/{self.name}/"
        return any(
            mark in _environment(process).get("JUPYTERHUB_SERVICE_PREFIX", "") for process in psutil.process_iter()
        )


def _serves(process: psutil.Process) -> bool:
    """Whether this is the server itself, not one of its kernels, nor on its way to become it."""
    return bool({"stp3_hub.dashboard_server", "jupyterhub.singleuser"} & set(process.cmdline()))


def _environment(process: psutil.Process) -> dict[str, str]:
    with suppress(psutil.Error, OSError):
        return process.environ()
    return {}


@contextmanager
def open_door(folder: Path, office: str, table: str = "", **environment: str) -> Iterator[Door]:
    """A hub in production with this table of people; `office` holds the settings' lines."""
    port, hub_port, proxy_port, jobs_port = free_ports(4)
    var = folder / "var"
    (folder / "people.yaml").touch(0o600)
    (folder / "people.yaml").write_text(table)
    (folder / "hub.toml").write_text(
        f'var = "{var}"\nport = {port}\nhub_port = {hub_port}\nproxy_port = {proxy_port}\njobs_port = {jobs_port}\n'
        f'refresh_seconds = 2\noffice_grace_seconds = 3\ndata_root = "{folder}/data/{{visit}}"\n{office}'
    )
    log = folder / "hub.log"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "stp3_hub.cli", "start"],
            env={**os.environ, "STP3_HUB_SETTINGS": str(folder / "hub.toml"), **environment},
            cwd=folder,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    door = Door(f"http://127.0.0.1:{port}", folder, process, log)
    try:
        _wait_for(door)
        yield door
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        for left in psutil.process_iter():  # servers outlive the hub on purpose
            if str(var) in _environment(left).get("STP3_JOBS", ""):
                left.kill()
        if process.poll() is None:
            process.kill()


def _wait_for(door: Door) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert door.process.poll() is None, door.log.read_text()[-3000:]
        with suppress(httpx.HTTPError):
            if httpx.get(f"{door.base_url}/hub/health", timeout=2).status_code == 200:
                return
        time.sleep(0.2)
    raise AssertionError(door.log.read_text()[-3000:])


@pytest.fixture(scope="session")
def password_hash() -> str:
    """What stands in a table for `PASSWORD`."""
    return hash_password(PASSWORD)


@pytest.fixture(scope="session")
def door_of() -> Callable[..., Any]:
    """The function that opens a hub."""
    return open_door


@pytest.fixture(scope="session")
def visitor_at() -> type[Browser]:
    """The class of people with a browser."""
    return Browser


def _open_to_others(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


@pytest.fixture(scope="session")
def python_for_all(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with this environment's packages that every account may run."""
    if os.getuid() != 0:
        pytest.skip(ANOTHER_ACCOUNT)
    if _open_to_others(Path(sys.executable).resolve()):
        return Path(sys.executable)
    system = shutil.which(f"python3.{sys.version_info.minor}", path="/usr/bin:/usr/local/bin")
    if system is None:
        pytest.skip(f"{ANOTHER_ACCOUNT}, and here no other account may run Python 3.{sys.version_info.minor}")
    folder = Path("/tmp") / f"stp3-python-{os.getpid()}"
    subprocess.run([system, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = next(path for path in map(Path, sys.path) if path.name == "site-packages")
    own = folder / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    (own / "all.pth").write_text(f"import site; site.addsitedir({str(packages)!r})\n")
    (folder / "share").symlink_to(Path(sys.prefix) / "share")  # templates and front ends
    folder.chmod(0o755)
    return folder / "bin" / "python"


@pytest.fixture(scope="session")
def accounts(python_for_all: Path) -> Iterator[dict[str, pwd.struct_passwd]]:
    """Two real accounts of this machine, gone afterwards."""
    names = ("stp3-test-vera", "stp3-test-victor")
    for name in names:
        subprocess.run(["useradd", "--no-create-home", "--shell", "/usr/sbin/nologin", name], check=False)
    yield {name.removeprefix("stp3-test-"): pwd.getpwnam(name) for name in names}
    for name in names:
        subprocess.run(["userdel", name], check=False, capture_output=True)
    if python_for_all.parts[:2] == ("/", "tmp"):
        shutil.rmtree(python_for_all.parents[1], ignore_errors=True)


@pytest.fixture(scope="session")
def public_folder() -> Iterator[Path]:
    """A folder that other accounts may pass through, unlike pytest's own."""
    folder = Path("/tmp") / f"stp3-door-{os.getpid()}-{socket.gethostname()}".lower()
    folder.mkdir(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
