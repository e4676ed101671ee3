"""A job database on SQLite and on PostgreSQL, with run directories to follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from stp3_hub.jobs.database import connect, migrate
from stp3_hub.jobs.follower import Follower
from stp3_hub.models import Visit
from stp3_hub.settings import Settings
from stp3_hub.testing import PostgresMissing, postgresql, write_run
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
    for person, visits in {"vera": [a], "victor": [b], "lena": [a, b], "sam": [a, b]}.items():
        record_visits(made, person, visits)
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
