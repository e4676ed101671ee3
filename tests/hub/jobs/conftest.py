"""A job database on SQLite and on PostgreSQL, with run directories to follow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text
from stp3_hub.jobs.database import connect, migrate
from stp3_hub.jobs.follower import Follower
from stp3_hub.models import Visit
from stp3_hub.settings import Settings
from stp3_hub.testing import PostgresMissing, person, postgresql, running_service, write_run
from stp3_hub.visits import record_visits


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A PostgreSQL for all tests."""
    try:
        with postgresql() as url:
            yield url
    except PostgresMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    url: str = request.getfixturevalue("postgresql_url")
    engine = connect(url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return url


@pytest.fixture
def settings(tmp_path: Path, empty_url: str) -> Settings:
    """A practice facility in which vera was at visit A, victor at B, lena and sam at both."""
    var = tmp_path / "var"
    made = Settings(practice=True, var=var, database_url=empty_url, sweep_seconds=1)
    a = Visit(id="A", title="Porous rock", beamline="White")
    b = Visit(id="B", title="Fossil teeth", beamline="Mono")
    for name, visits in {"vera": [a], "victor": [b], "lena": [a, b], "sam": [a, b]}.items():
        record_visits(made, name, visits)
    return made


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """The database with its tables."""
    made = connect(settings.database_url)
    migrate(made)
    yield made
    made.dispose()


@pytest.fixture
def follower(settings: Settings, engine: Engine) -> Follower:
    """Follows the run directories when it is told to."""
    return Follower(settings, engine)


@pytest.fixture
def run(settings: Settings) -> Callable[..., Path]:
    """The function that writes a run directory: owner, id, visit."""

    def write(owner: str, job: str, visit: str = "A", **content: Any) -> Path:
        scan = str(settings.visit_folder(visit) / "rock.h5")
        given = {"scan": scan, "created": "2026-11-17T10:00:00Z", "sample": "rock"} | content
        return write_run(settings.var / "jobs", owner, job, **given)

    return write


PEOPLE = {
    "vera-token": person("vera", "role:visitor", "visit:A"),
    "victor-token": person("victor", "role:visitor", "visit:B"),
    "lena-token": person("lena", "role:visitor", "role:local-contact", "visit:A", "visit:B"),
    "sam-token": person("sam", "role:visitor", "role:scientist", "visit:A", "visit:B"),
    "ada-token": person("ada", "role:admin"),
    "outside-token": {**person("otto", "visit:A"), "scopes": []},
}


@dataclass
class Api:
    """The service over HTTP."""

    url: str
    service: Any
    client: httpx.Client

    def call(self, who: str, method: str, path: str, **given: Any) -> httpx.Response:
        """A call with the token of somebody; nobody where `who` is empty."""
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {who}-token"} if who else {})
        headers |= given.pop("headers", {})
        return self.client.request(method, self.url + path, headers=headers, **given)

    def wait_for(self, who: str, path: str, ready: Callable[[Any], bool]) -> Any:
        """The answer once it is as wanted: run directories are looked at each second."""
        deadline = time.monotonic() + 20
        while not ready(answer := self.call(who, "GET", path).raise_for_status().json()):
            assert time.monotonic() < deadline, answer
            time.sleep(0.1)
        return answer


@pytest.fixture
def api(settings: Settings) -> Iterator[Api]:
    """The running service."""
    with running_service(settings, PEOPLE) as (url, service), httpx.Client(timeout=30) as client:
        yield Api(url, service, client)
