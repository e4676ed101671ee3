"""A small office on a port of its own, which answers as it is told, faults included."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: Any
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


Answer = Callable[[Asked], tuple[int, object]]


@dataclass
class Office:
    """Routes by path; a fault takes the place of every answer."""

    routes: dict[str, Answer]
    url: str = ""
    fault: str = ""
    asked: list[Asked] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)


FAULTS: dict[str, tuple[int, bytes]] = {
    "500": (500, b"oops"),
    "503": (503, b""),
    "404": (404, b"not here"),
    "redirect": (302, b""),
    "garbage": (200, b"\xff\xfe<html>\x00"),
    "empty": (200, b""),
    "number": (200, b"17"),
    "text": (200, b'"OK"'),
    "list": (200, b"[[1]]"),
    "nested": (200, b"[" * 100_000),
    "huge": (200, b" " * (9 << 20)),
}
# what no office may answer without everybody staying out
DOWN = ["down", "slow", "cut", *FAULTS]


class Handler(BaseHTTPRequestHandler):
    """Answers."""

    server: Any

    def do_GET(self) -> None:
        office: Office = self.server.office
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = {key: values[0] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        asked = Asked(self.command, parts.path, query, self.headers, body)
        office.asked.append(asked)
        if office.fault == "slow":
            office.released.wait(10)
            return
        if office.fault in FAULTS:
            self._send(*FAULTS[office.fault])
            return
        answer = office.routes.get(parts.path)
        status, content = answer(asked) if answer else (404, {})
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        if office.fault == "cut":
            self._send(status, data[: len(data) // 2], claimed=len(data) + 1)
            return
        self._send(status, data)

    do_POST = do_GET

    def _send(self, status: int, body: bytes, claimed: int | None = None) -> None:
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.send_header("Content-Length", str(claimed or len(body)))
        self.end_headers()
        with suppress(OSError):  # the hub may have heard enough
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing is said."""


@contextmanager
def serve(**routes: Answer) -> Iterator[Office]:
    """An office with these routes (``a__b`` is the path /a/b)."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    office = Office({}, f"http://127.0.0.1:{server.server_port}")
    office.routes.update({"/" + name.replace("__", "/"): answer for name, answer in routes.items()})
    server.office = office  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield office
    finally:
        office.released.set()
        server.shutdown()
        server.server_close()
