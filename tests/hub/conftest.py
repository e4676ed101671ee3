"""Real people at a real hub: logins over HTTP, servers, kernels' websockets."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import nbformat
import pytest
from websockets.sync.client import ClientConnection, connect

V1 = "v1.kernel.websocket.jupyter.org"
KERNEL_ID = re.compile(r'"kernelId": "([0-9a-f-]{36})"')


@dataclass
class Member:
    """Somebody with a browser."""

    hub: Any
    name: str
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.hub.base_url, follow_redirects=True, timeout=60)

    def login(self) -> httpx.Response:
        """Log in at the office; the answer of the hub."""
        page = self.client.get("/hub/home")
        form = re.search(r'name="form" value="([^"]+)"', page.text)
        if form is None:
            return page
        password = self.hub.users[self.name]
        return self.client.post(page.url, data={"form": form[1], "user": self.name, "password": password})

    def xsrf(self, path: str) -> dict[str, str]:
        """The header a script of the page at `path` would send along."""
        values = [cookie.value for cookie in self.client.cookies.jar if cookie.name == "_xsrf" and cookie.path == path]
        return {"X-XSRFToken": values[0]} if values else {}

    def api(self, method: str, path: str, **given: Any) -> httpx.Response:
        """A call of the hub's REST API as the hub's own page makes it."""
        return self.client.request(method, f"/hub/api/{path}", headers=self.xsrf("/hub/"), **given)

    def start(self, server: str = "") -> httpx.Response:
        """Start a server; the answer of its health route, or the refusal."""
        path = f"/user/{self.name}/{server + '/' if server else ''}api"
        answer = self.client.get(f"/hub/spawn/{self.name}" + (f"/{server}" if server else ""), follow_redirects=False)
        deadline = time.monotonic() + 60
        if "/oauth_login" in answer.headers.get("location", "") or "/hub/login" in answer.headers.get("location", ""):
            return self.client.get(answer.headers["location"])  # the hub wants a new login: its end
        while answer.status_code < 400:
            assert time.monotonic() < deadline, f"the server does not start: {answer.url}"
            answer = self.client.get(path)
            if answer.status_code == 200 and "version" in answer.text:
                return answer
            if answer.status_code in {404, 424, 503}:  # not yet
                answer.status_code = 200
            time.sleep(0.2)
        return answer

    def stop(self) -> None:
        """Stop the dashboard server."""
        self.api("DELETE", f"users/{self.name}/server")
        deadline = time.monotonic() + 20
        while self.api("GET", f"users/{self.name}").json().get("server") and time.monotonic() < deadline:
            time.sleep(0.2)

    def open_dashboard(self, notebook: str = "workbench.ipynb") -> httpx.Response:
        """A dashboard's page, complete."""
        return self.client.get(f"/user/{self.name}/voila/render/{notebook}")

    def kernel(self) -> str:
        """The kernel behind a freshly opened dashboard."""
        page = self.open_dashboard()
        found = KERNEL_ID.search(page.text)
        assert found, f"{page.status_code} {page.url} {page.text[:500]}"
        return found[1]

    def cookie_header(self, path: str) -> str:
        """The cookies a browser would send to `path`."""
        request = self.client.build_request("GET", path)
        return request.headers.get("cookie", "")

    def websocket(self, path: str, *, protocol: str | None = None, origin: str | None = None) -> ClientConnection:
        """A websocket to `path` as this browser opens it."""
        host = urlsplit(self.hub.base_url).netloc
        return connect(
            f"ws://{host}{path}",
            origin=origin or self.hub.base_url,
            subprotocols=[protocol] if protocol else None,
            additional_headers={"Cookie": self.cookie_header(path)},
            user_agent_header=None,
            open_timeout=20,
            proxy=None,
        )


def kernel_message(kind: str, content: dict[str, Any], channel: str, protocol: str | None) -> str | bytes:
    """A message of the Jupyter protocol, in the legacy JSON form or the binary form V1."""
    header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "username": "", "session": "probe", "version": "5.3"}
    header["date"] = "2026-01-01T00:00:00Z"
    if protocol is None:
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": channel}
        return json.dumps({**message, "buffers": []})
    parts = [channel.encode(), *(json.dumps(part).encode() for part in (header, {}, {}, content))]
    offsets = [8 * (len(parts) + 2)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    return b"".join(number.to_bytes(8, "little") for number in (len(offsets), *offsets)) + b"".join(parts)


def received(socket: ClientConnection, kind: str, seconds: float) -> bool:
    """Whether a message of this kind arrives in time."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        try:
            text = socket.recv(timeout=left)
        except TimeoutError:
            return False
        if kind in (text if isinstance(text, str) else text.decode(errors="replace")):
            return True
    return False


@pytest.fixture(scope="session")
def dashboards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two small dashboards, a picture and a text."""
    folder = tmp_path_factory.mktemp("dashboards")
    source = (
        "import ipywidgets, os\nipywidgets.Button(description='Ready ' + os.environ.get('JUPYTERHUB_API_TOKEN', '-'))"
    )
    for name in ("workbench", "second"):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, folder / f"{name}.ipynb")
    (folder / "secret.png").write_bytes(b"picture beside the notebook")
    (folder / "secret.txt").write_text("text beside the notebook")
    return folder


@pytest.fixture(scope="session")
def hub(start_hub: Callable[..., Any], dashboards: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A running hub with small dashboards, at most three at once, and claims that are asked anew each second."""
    environment = {
        "STP3_HUB_DASHBOARDS": str(dashboards),
        "STP3_HUB_KERNELS_PER_USER": "3",
        "STP3_HUB_REFRESH_SECONDS": "1",
    }
    with start_hub(tmp_path_factory.mktemp("hub"), "--without-scans", **environment) as running:
        yield running


@pytest.fixture(scope="session")
def member(hub: Any) -> Callable[[str], Member]:
    """Somebody by name, logged in."""

    def logged_in(name: str) -> Member:
        person = Member(hub, name)
        assert person.login().status_code == 200
        return person

    return logged_in


@pytest.fixture(scope="session")
def browser() -> Callable[..., Member]:
    """The class of people with a browser, for a hub of a test's own."""
    return Member


@pytest.fixture(scope="session")
def vera(member: Callable[[str], Member]) -> Member:
    """A visitor with a running dashboard server."""
    person = member("vera")
    assert person.start().status_code == 200
    return person


@pytest.fixture(scope="session")
def victor(member: Callable[[str], Member]) -> Member:
    """Another visitor, logged in."""
    return member("victor")


@pytest.fixture(scope="session")
def sam(member: Callable[[str], Member]) -> Member:
    """A scientist, logged in."""
    return member("sam")


@pytest.fixture(scope="session")
def ada(member: Callable[[str], Member]) -> Member:
    """An administrator, logged in."""
    return member("ada")


@pytest.fixture(scope="session")
def nobody(hub: Any) -> Member:
    """A browser without a login."""
    person = Member(hub, "nobody")
    person.client.follow_redirects = False
    return person


@pytest.fixture(scope="session")
def message() -> Callable[..., str | bytes]:
    """The function that makes messages for kernels."""
    return kernel_message


@pytest.fixture(scope="session")
def arrives() -> Callable[..., bool]:
    """The function that waits for an answer of a kernel."""
    return received
