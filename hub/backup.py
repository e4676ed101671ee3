"""``stp3-hub backup`` and ``restore``: the hub's databases, secrets, settings and people in one archive (0600).

Volumes, scans and run directories are not in it: they are backed up with the storage. A PostgreSQL job database is
backed up by pg_dump into the same archive.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .settings import Settings, inherited_environment, operators_file

FOLDERS = ("secrets", "visits")
FILES = ("guests.json", "decisions.jsonl")


class BackupFault(Exception):
    """Nothing was backed up or restored; the text says why."""


def main(command: str, archive: Path, settings: Settings) -> int:
    """The exit code."""
    try:
        words = back_up(archive, settings) if command == "backup" else restore(archive, settings)
    except (BackupFault, OSError, sqlite3.Error, tarfile.TarError) as fault:
        print(f"stp3-hub: {fault}", file=sys.stderr)
        return 1
    print(words)
    return 0


def back_up(archive: Path, settings: Settings) -> str:
    """Write the archive, complete or not at all, while the hub runs; what is in it, in words."""
    part = archive.with_name(archive.name + ".part")
    with tempfile.TemporaryDirectory(prefix="stp3-backup-") as folder:
        staged = Path(folder)
        for database in sorted(settings.var.glob("*.sqlite")):
            _copy_database(database, staged / database.name)
        if settings.database_url:
            _dump(settings.database_url, staged / "jobs.pgdump")
        for name in FOLDERS:
            if (settings.var / name).is_dir():
                shutil.copytree(settings.var / name, staged / name, symlinks=True)
        for path in (*(settings.var / name for name in FILES), operators_file(), *_tables(settings)):
            if path.is_file():
                shutil.copy2(path, staged / path.name)
        with open(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz") as tar:
                tar.add(staged, arcname=".")
            file.flush()
            os.fsync(file.fileno())
        names = sorted(path.name for path in staged.iterdir())
    part.replace(archive)
    return f"{archive} holds {', '.join(names)}"


def restore(archive: Path, settings: Settings) -> str:
    """Put databases and secrets into a runtime folder that has none; settings and tables are laid beside them."""
    taken = [path for path in (*settings.var.glob("*.sqlite"), settings.var / "secrets") if path.exists()]
    if taken:
        raise BackupFault(f"{taken[0]} is there: stop the hub and move {settings.var} away, then restore again")
    settings.var.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tarfile.open(archive) as tar:
        tar.extractall(settings.var, filter="data")
    for path in settings.var.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    for database in settings.var.glob("*.sqlite"):
        with sqlite3.connect(database) as connection:
            if connection.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                raise BackupFault(f"{database} is damaged in this archive")
    more = " The job database is in jobs.pgdump: pg_restore it." if (settings.var / "jobs.pgdump").exists() else ""
    return f"{settings.var} is as it was.{more} Start the hub, then run stp3-hub check."


def _copy_database(source: Path, target: Path) -> None:
    """A consistent copy of a database that is in use."""
    with sqlite3.connect(f"file:{source}?mode=ro", uri=True) as taken, sqlite3.connect(target) as copy:
        taken.backup(copy)


def _dump(url: str, target: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise BackupFault("pg_dump is not installed, and the job database is a PostgreSQL")
    # a password in the address would be seen on the command line
    address = url.replace("postgresql+psycopg://", "postgresql://", 1)
    environment = inherited_environment()
    result = subprocess.run(
        [program, "--format=custom", f"--file={target}", f"--dbname={_without_password(address, environment)}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise BackupFault(f"pg_dump: {(result.stderr.strip().splitlines() or ['no reason given'])[-1]}")


def _without_password(address: str, environment: dict[str, str]) -> str:
    """The address without its password, which goes into the environment."""
    parts = urlsplit(address)
    if parts.password:
        environment["PGPASSWORD"] = unquote(parts.password)
        host = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=f"{parts.username}@{host}").geturl()
    return address


def _tables(settings: Settings) -> list[Path]:
    """The site's own tables."""
    named = [settings.office.get("path"), settings.office.get("visits_table"), settings.accounts]
    return [Path(path) for path in named if path]
