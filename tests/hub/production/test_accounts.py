"""Two people under two real accounts: what each server may touch, and how long membership lasts."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest


@pytest.fixture(scope="module")
def door(
    door_of: Callable[..., Any],
    accounts: dict[str, pwd.struct_passwd],
    python_for_all: Path,
    public_folder: Path,
    password_hash: str,
) -> Iterator[Any]:
    """A hub whose office gives two people accounts of their own, one a guest's number, and one a machine account."""
    folder = public_folder / "own"
    folder.mkdir()
    rows = {name: f"uid: {entry.pw_uid}, gid: {entry.pw_gid}, roles: [scientist]" for name, entry in accounts.items()}
    rows |= {"guy": "roles: [scientist]", "eve": "roles: [scientist], uid: 0, gid: 0"}
    people = "\n".join(f'  {name}: {{password: "{password_hash}", {row}}}' for name, row in rows.items())
    settings = (
        f'python = "{python_for_all}"\nguest_uids = [2000000, 2000001]\nguest_group = "nogroup"\nlowest_gid = 100\n'
        f'[office]\nkind = "table"\npath = "{folder}/people.yaml"\n'
    )
    table = f"people:\n{people}\nvisits:\n  A: {{team: [vera, guy]}}\n  B: {{team: [victor]}}\n"
    with door_of(folder, settings, table) as running:
        yield running


@pytest.fixture(scope="module")
def people(door: Any, visitor_at: Callable[..., Any]) -> dict[str, Any]:
    """Vera and victor with running servers."""
    found = {name: visitor_at(door, name) for name in ("vera", "victor")}
    for person in found.values():
        assert person.login().status_code == 200
        assert person.start().status_code == 200
    return found


def as_account(entry: pwd.struct_passwd, *command: str) -> subprocess.CompletedProcess[str]:
    """What another local account gets to see."""
    return subprocess.run(
        command,
        user=entry.pw_uid,
        group=entry.pw_gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        cwd="/",
        errors="replace",
    )


def test_each_server_runs_under_the_own_account(
    door: Any, people: dict[str, Any], accounts: dict[str, pwd.struct_passwd]
) -> None:
    for name, entry in accounts.items():
        server = door.server_of(name)
        assert set(server.uids()) == {entry.pw_uid}
        assert set(server.gids()) == {entry.pw_gid}
        status = Path(f"/proc/{server.pid}/status").read_text()
        assert "NoNewPrivs:\t1" in status
        assert f"Groups:\t{entry.pw_gid}" in status


def test_no_server_listens_on_a_port(door: Any, people: dict[str, Any]) -> None:
    assert people["vera"].start("lab").status_code == 200
    for server in ("", "lab"):
        connections = door.server_of("vera", server).net_connections("inet")
        assert [link.laddr for link in connections if link.status == psutil.CONN_LISTEN] == []


def test_another_local_account_gets_nowhere(
    door: Any, people: dict[str, Any], accounts: dict[str, pwd.struct_passwd]
) -> None:
    victor = accounts["victor"]
    sockets = sorted((door.var / "run").rglob("*.sock")) or sorted(Path("/tmp").glob("stp3-*/*/server.sock"))
    theirs = [path for path in sockets if path.stat().st_uid == accounts["vera"].pw_uid]
    assert theirs
    for path in theirs:
        program = f"import socket; socket.socket(socket.AF_UNIX).connect({str(path)!r})"
        assert "Permission denied" in as_account(victor, "/usr/bin/python3", "-c", program).stderr
    secret = door.var / "home" / "vera" / "secret"
    secret.write_text("x")
    closed = [secret, door.var / "jobs" / "vera", door.var / "secrets" / "cookie", door.var / "secrets", door.var]
    closed += [door.var / "hub.sqlite", door.table, theirs[0].parent]
    for path in closed:
        found = as_account(victor, "/usr/bin/cat" if path.is_file() else "/usr/bin/ls", str(path))
        assert "Permission denied" in found.stderr, path
    for environ in (f"/proc/{door.server_of('vera').pid}/environ", f"/proc/{door.process.pid}/environ"):
        assert "Permission denied" in as_account(victor, "/usr/bin/cat", environ).stderr
    for path in (
        theirs[0].parent.parent / "planted.sock",
        door.var / "jobs" / "planted",
        door.var / "home" / "planted",
    ):
        assert "Permission denied" in as_account(victor, "/usr/bin/touch", str(path)).stderr


def test_a_taken_socket_does_not_become_a_server(
    door: Any, people: dict[str, Any], accounts: dict[str, pwd.struct_passwd]
) -> None:
    """Who plants a listener in the own folder is only heard as oneself."""
    assert people["victor"].client.get("/user/vera/voila/render/workbench.ipynb").status_code == 403
    assert people["vera"].client.get("/user/victor/").status_code == 403


def test_notebooks_are_copied_as_the_person(
    door: Any, people: dict[str, Any], accounts: dict[str, pwd.struct_passwd]
) -> None:
    assert people["vera"].start("lab").status_code == 200
    folder = door.var / "home" / "vera" / "notebooks"
    assert {path.stat().st_uid for path in folder.glob("*.ipynb")} == {accounts["vera"].pw_uid}


def test_a_link_in_the_own_home_leads_the_hub_nowhere(
    door: Any, accounts: dict[str, pwd.struct_passwd], visitor_at: Any
) -> None:
    victor = visitor_at(door, "victor")
    victor.login()
    victor.start()
    target = door.folder / "roots"
    target.mkdir(exist_ok=True)
    link = door.var / "home" / "victor" / "notebooks"
    assert as_account(accounts["victor"], "/usr/bin/ln", "-s", str(target), str(link)).returncode == 0
    victor.start("lab")
    assert list(target.iterdir()) == []
    link.unlink()


def test_a_guest_has_a_number_and_no_lab(door: Any, visitor_at: Callable[..., Any]) -> None:
    guy = visitor_at(door, "guy")
    guy.login()
    assert guy.start().status_code == 200
    assert set(door.server_of("guy").uids()) == {2000000}
    refused = guy.start("lab")
    assert refused.status_code == 403
    assert "account of your own" in refused.text
    assert "guy has no account of their own" in door.log.read_text()


def test_nobody_becomes_root(door: Any, visitor_at: Callable[..., Any]) -> None:
    eve = visitor_at(door, "eve")
    assert eve.login().status_code == 200
    for server in ("", "lab"):
        refused = eve.start(server)
        assert refused.status_code == 403
        assert "belongs to the machine" in refused.text


def test_a_removed_member_loses_the_server_without_asking_for_anything(
    door: Any, visitor_at: Callable[..., Any]
) -> None:
    vera = visitor_at(door, "vera")
    vera.login()
    assert vera.start().status_code == 200
    before = door.table.read_text()
    try:
        door.table.write_text(before.replace("team: [vera, guy]", "team: [guy]"))
        deadline = time.monotonic() + 40  # asked anew every 2 s
        while vera.running() and time.monotonic() < deadline:
            time.sleep(0.2)
        assert door.server_of("vera") is None
    finally:
        door.table.write_text(before)


def test_while_the_office_is_down_nobody_enters_and_what_runs_goes_on_for_a_while(
    door: Any, visitor_at: Callable[..., Any]
) -> None:
    victor = visitor_at(door, "victor")
    victor.login()
    assert victor.start().status_code == 200
    before = door.table.read_text()
    try:
        door.table.write_text("people: [")
        refused = visitor_at(door, "guy").login()
        assert refused.status_code == 503
        assert "cannot be asked just now" in refused.text
        deadline = time.monotonic() + 40  # 2 s between questions, 3 s of grace
        while victor.running() and time.monotonic() < deadline:
            time.sleep(0.2)
        assert door.server_of("victor") is None
    finally:
        door.table.write_text(before)
    assert victor.login().status_code == 200


def test_servers_outlive_the_hub(door: Any, people: dict[str, Any]) -> None:
    victor = people["victor"]
    victor.login()
    assert victor.start().status_code == 200
    server = door.server_of("victor")
    os.kill(door.process.pid, signal.SIGTERM)
    door.process.wait(60)
    assert server.is_running()
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(
            server.environ()["JUPYTERHUB_SERVICE_URL"]
            .removeprefix("http+unix://")
            .replace("%2F", "/")
            .partition(".sock")[0]
            + ".sock"
        )
