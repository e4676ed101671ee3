"""``stp3-hub check``, ``backup`` and ``restore``: what is wrong is named with the way out."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from stp3_hub.backup import BackupFault, back_up, restore
from stp3_hub.check import Finding, findings
from stp3_hub.practice_folder import free_ports
from stp3_hub.settings import CHECKOUT, Settings


class Site:
    """A facility's settings in a folder, all right to begin with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "data").mkdir()
        self.people = folder / "people.yaml"
        self.people.touch(0o600)
        self.people.write_text("people: {vera: {}}")
        names = ("port", "hub_port", "proxy_port", "jobs_port")
        self.keys: dict[str, Any] = dict(zip(names, free_ports(4), strict=True))
        self.keys |= {"var": str(folder / "var"), "data_root": f"{folder}/data/{{visit}}", "python": "/bin/true"}
        self.office: dict[str, Any] = {"kind": "table", "path": str(self.people)}

    def write(self) -> Path:
        """The settings' file."""
        lines = [f"{key} = {json.dumps(value)}" for key, value in self.keys.items()]
        lines += ["[office]", *(f"{key} = {json.dumps(value)}" for key, value in self.office.items())]
        file = self.folder / "hub.toml"
        file.write_text("\n".join(lines))
        return file

    def wrong(self) -> dict[str, Finding]:
        """What is wrong, by what it is about."""
        os.environ["STP3_HUB_SETTINGS"] = str(self.write())
        try:
            return {finding.about: finding for finding in findings() if not finding.good}
        finally:
            del os.environ["STP3_HUB_SETTINGS"]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_all_is_well(site: Site) -> None:
    assert site.wrong() == {}


def test_the_command(site: Site) -> None:
    site.keys["python"] = sys.executable
    site.keys["data_root"] = "/nowhere/{visit}"
    command = [sys.executable, "-m", "stp3_hub.cli", "check"]
    environment = {**os.environ, "STP3_HUB_SETTINGS": str(site.write())}
    said = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert said.returncode == 1
    assert "ok    user office: " in said.stdout
    assert "WRONG data: the folder of the visits, /nowhere, is not there" in said.stdout
    told = json.loads(subprocess.run([*command, "--json"], env=environment, capture_output=True, text=True).stdout)
    assert not told["good"]
    assert "mount it" in next(finding for finding in told["findings"] if finding["about"] == "data")["mend"]


def test_what_is_wrong_is_named_with_the_way_out(site: Site) -> None:
    site.people.chmod(0o644)
    site.people.write_text("people: {vera: {password: scrypt$x$y}}")
    site.keys["data_root"] = "/nowhere/{visit}"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        site.keys["jobs_port"] = taken.getsockname()[1]
        wrong = site.wrong()
    assert set(wrong) == {"user office", "data", "ports"}
    assert "chmod 600" in wrong["user office"].words
    assert "/nowhere" in wrong["data"].words
    assert "change jobs_port" in wrong["ports"].mend


@pytest.mark.parametrize(
    ("key", "value", "about", "words"),
    [
        ("prot", 1, "settings", "prot"),
        ("port", 0, "settings", "port"),
        ("data_root", "/data", "settings", "data_root"),
        ("public_url", "tomo.example.org", "settings", "public_url"),
        ("address", "0.0.0.0", "settings", "without TLS"),
        ("guest_uids", [5], "settings", "guest_uids"),
    ],
)
def test_settings_that_are_off(site: Site, key: str, value: object, about: str, words: str) -> None:
    site.keys[key] = value
    wrong = site.wrong()
    assert words in wrong[about].words
    assert wrong[about].mend


@pytest.mark.parametrize(
    ("office", "words"),
    [
        ({}, "no user office"),
        ({"kind": "ldap"}, "must be one of oidc, scicat, table, uop, vuo"),
        ({"kind": "table"}, "path"),
        ({"kind": "oidc", "issuer": "http://127.0.0.1:9"}, "cannot be reached"),
        ({"kind": "vuo", "url": "http://127.0.0.1:9", "visits_url": "http://127.0.0.1:9"}, "cannot be reached"),
        ({"kind": "scicat", "url": "http://127.0.0.1:9"}, "cannot be reached"),
    ],
)
def test_offices_that_are_off(site: Site, office: dict[str, str], words: str) -> None:
    site.office = office
    assert any(words in finding.words for finding in site.wrong().values())


def test_a_file_that_is_no_toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hub.toml").write_text("port = = 1")
    monkeypatch.setenv("STP3_HUB_SETTINGS", str(tmp_path / "hub.toml"))
    (found,) = findings()
    assert not found.good
    assert str(tmp_path / "hub.toml") in found.words


def test_a_backup_is_restored_as_it_was(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path / "var", office={"kind": "table", "path": str(tmp_path / "people.yaml")})
    (tmp_path / "people.yaml").write_text("people: {}")
    cookie = settings.secret("cookie")
    with sqlite3.connect(settings.var / "hub.sqlite") as database:
        database.execute("CREATE TABLE users (name TEXT)")
        database.execute("INSERT INTO users VALUES ('vera')")
        database.commit()
        database.execute("INSERT INTO users VALUES ('half-way')")  # in use, not yet committed
        archive = tmp_path / "backup.tar.gz"
        back_up(archive, settings)
        database.rollback()
    assert archive.stat().st_mode & 0o777 == 0o600
    elsewhere = Settings(var=tmp_path / "again")
    restore(archive, elsewhere)
    assert elsewhere.secret("cookie") == cookie
    assert (elsewhere.var / "secrets" / "cookie").stat().st_mode & 0o777 == 0o600
    assert (elsewhere.var / "people.yaml").exists()
    with sqlite3.connect(elsewhere.var / "hub.sqlite") as database:
        assert database.execute("SELECT name FROM users").fetchall() == [("vera",)]
    with pytest.raises(BackupFault, match="move"):
        restore(archive, elsewhere)


def test_an_archive_cannot_write_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    with tarfile.open(tmp_path / "bad.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "x", arcname="../outside")
    with pytest.raises(tarfile.TarError):
        restore(tmp_path / "bad.tar.gz", Settings(var=tmp_path / "var"))
    assert not (tmp_path / "outside").exists()


def test_the_example_settings_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STP3_HUB_SETTINGS", str(CHECKOUT / "deploy" / "server" / "hub.toml"))
    settings = Settings()
    assert settings.base_url == "https://tomo.example.org"
    assert settings.access.days_after == 1095
