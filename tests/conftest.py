"""What all tests share: the measured scans, and the rule that a skip needs a reason that is allowed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
ALLOWED_SKIPS = ("ASTRA", "GPU", "TomoPy", "another account", "ome_zarr")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-skips", action="store_true", help=f"count a skip as a failure, save for {', '.join(ALLOWED_SKIPS)}"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    if report.skipped and item.config.getoption("--no-skips") and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(word in reason for word in ALLOWED_SKIPS):
            report.outcome = "failed"
            report.longrepr = f"skipped, which is not allowed here: {reason}"
    return report


@pytest.fixture(scope="session")
def measured() -> Path:
    """The folder of measured scans; a test that needs it skips where it is absent."""
    folder = Path(os.environ.get("STP3_TEST_DATA") or CHECKOUT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"the measured scans are not at {folder}; set STP3_TEST_DATA")
    return folder


@dataclass(frozen=True)
class PracticeHub:
    """A running practice facility: office, hub, proxy and services, as ``make run`` starts them."""

    base_url: str
    var: Path
    process: subprocess.Popen[str]

    @property
    def people_file(self) -> Path:
        """Who may log in, read anew by the office at each request."""
        return self.var / "secrets" / "people.json"

    @property
    def users(self) -> dict[str, str]:
        """Passwords by name: vera and victor (visitors), sam (scientist), ada (administrator)."""
        return {person["sub"]: person["password"] for person in json.loads(self.people_file.read_text())}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def start_practice(var: Path, *arguments: str, **environment: str) -> Iterator[PracticeHub]:
    """A practice facility on `var`; ended with all its processes on the way out."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "stp3_hub.practice", "--var", str(var), "--port", str(port), *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said = ""
        while "Ctrl-C" not in said:
            line = process.stdout.readline()
            assert line, f"the practice facility ended: {said}"
            said += line
        yield PracticeHub(f"http://127.0.0.1:{port}", var, process)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


@pytest.fixture(scope="session")
def start_hub() -> Callable[..., AbstractContextManager[PracticeHub]]:
    """The function that starts a practice facility."""
    return start_practice


@pytest.fixture(scope="session")
def practice_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PracticeHub]:
    """A practice facility with the real dashboards and practice scans; the measured scans as its data folder."""
    measured = Path(os.environ.get("STP3_TEST_DATA") or CHECKOUT.parent / "shared" / "data")
    data = {"STP3_DATA": str(measured)} if measured.is_dir() else {}
    with start_practice(tmp_path_factory.mktemp("practice"), **data) as hub:
        yield hub
