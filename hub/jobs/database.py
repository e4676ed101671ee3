"""The database behind the service: SQLite in the runtime folder, or PostgreSQL where the settings name one."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event

from ..settings import HERE, Settings
from .tables import Base

BUSY_SECONDS = 15
POOL = {"pool_size": 20, "max_overflow": 25}  # one for each of the 40 threads that answer, and the follower's


class Busy(Exception):
    """Somebody else writes the database; the text says what to do."""


def open_database(settings: Settings) -> Engine:
    """The database of these settings, with its tables as this version wants them."""
    engine = connect(settings.database_url or f"sqlite:///{settings.var / 'jobs.sqlite'}")
    migrate(engine)
    return engine


@contextmanager
def only_writer(settings: Settings) -> Iterator[None]:
    """Holds the right to write; raises Busy where another process has it."""
    with open(settings.var / "jobs.lock", "w", opener=partial(os.open, mode=0o600)) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"Another job service writes the database of {settings.var}. Close it first.") from None
        yield


def connect(url: str) -> Engine:
    """The database at `url` as it is. A commit is on disk when it returns."""
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True, **POOL)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, **POOL)
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the tables to `revision`; nothing is done where they are there already."""
    if engine.dialect.name == "sqlite" and engine.url.database:
        Path(engine.url.database).touch(mode=0o600)
    config = Config()
    config.set_main_option("script_location", str(HERE / "jobs" / "migrations"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes.update(connection=connection, metadata=Base.metadata)
        command.upgrade(config, revision)


def _prepare_sqlite(connection: Any, _: object) -> None:
    """Readers beside one writer; each commit on disk before it is acknowledged."""
    for line in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", f"busy_timeout = {BUSY_SECONDS}000"):
        connection.execute(f"PRAGMA {line}")
