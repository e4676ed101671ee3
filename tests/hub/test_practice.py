"""Opening and closing the practice facility: one sentence where something is in the way, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from stp3_hub.practice_folder import SCANS, Fault, free_ports, make_folders, require_port, require_space
from stp3_hub.processes import is_job_driver
from stp3_hub.settings import Settings

DRIVER = """
import signal, sys, time, pathlib
def stop(*_):
    pathlib.Path(sys.argv[1], "ended-in-order").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
pathlib.Path(sys.argv[1], "ready").touch()
time.sleep(600)
"""


def fake_driver(folder: Path) -> subprocess.Popen[bytes]:
    """A process with the name of a job's driver, of nobody's making, as a job of vera's."""
    (folder / "stp3" / "cluster").mkdir(parents=True)
    (folder / "stp3" / "cluster" / "driver.py").write_text(DRIVER)
    run = folder / "jobs" / "vera" / "job-1"
    run.mkdir(parents=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "stp3.cluster.driver", str(run)], cwd=folder, start_new_session=True
    )
    state = {"id": "job-1", "state": "running", "pid": process.pid, "host": socket.gethostname()}
    (run / "state.json").write_text(json.dumps(state))
    for _ in range(100):
        if (run / "ready").exists():
            break
        time.sleep(0.05)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_the_end_leaves_nothing_behind(
    start_hub, browser, dashboards: Path, tmp_path: Path, number: signal.Signals
) -> None:
    driver = fake_driver(tmp_path)
    with start_hub(tmp_path, "--without-scans", STP3_HUB_DASHBOARDS=str(dashboards)) as hub:
        sam = browser(hub, "sam")
        assert sam.login().status_code == 200
        assert sam.start().status_code == 200
        assert sam.kernel()
        assert sam.start("lab").status_code == 200
        running = psutil.Process(hub.process.pid).children(recursive=True)
        commands = " ".join(" ".join(process.cmdline()) for process in running)
        for part in (
            "dev_office",
            "jupyterhub",
            "configurable-http-proxy",
            "dashboard_server",
            "ipykernel",
            "singleuser",
        ):
            assert part in commands
        begun = time.monotonic()
        hub.process.send_signal(number)
        assert hub.process.wait(timeout=20) == 0
        assert time.monotonic() - begun < 12
        left = [process for process in running if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
        assert left == []
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", int(hub.base_url.rpartition(":")[2]))) != 0
    assert driver.wait(timeout=5) == 0
    assert (tmp_path / "jobs" / "vera" / "job-1" / "ended-in-order").exists()
    assert not Settings(var=tmp_path).run_folder.exists()


def test_servers_go_when_the_facility_is_killed(start_hub, browser, dashboards: Path, tmp_path: Path) -> None:
    with start_hub(tmp_path, "--without-scans", STP3_HUB_DASHBOARDS=str(dashboards)) as hub:
        vera = browser(hub, "vera")
        vera.login()
        assert vera.start().status_code == 200
        running = psutil.Process(hub.process.pid).children(recursive=True)
        hub.process.kill()
        _, left = psutil.wait_procs(running, timeout=15)
        assert [" ".join(process.cmdline()) for process in left] == []


def test_a_process_with_another_name_is_no_driver() -> None:
    assert not is_job_driver(os.getpid())
    assert not is_job_driver(2**22 + 1)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Try to open a facility that cannot open."""
    command = [sys.executable, "-m", "stp3_hub.practice", "--without-scans", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def test_a_taken_port_is_named_with_the_way_out(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run("--var", str(tmp_path), "--port", str(port))
    assert result.returncode == 1
    assert result.stderr.startswith(f"stp3: Port {port} of 127.0.0.1 cannot be used")
    assert f"--port {port + 1}" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_second_facility_on_one_folder_is_refused(hub) -> None:
    result = run("--var", str(hub.var), "--port", str(free_ports(1)[0]))
    assert result.returncode == 1
    assert "already runs" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("--var", str(tmp_path / "file" / "var"), "--port", str(free_ports(1)[0]))
    assert result.returncode == 1
    assert "cannot be written" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_too_little_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stp3_hub.practice_folder.NEEDED_BYTES", 1 << 60)
    with pytest.raises(Fault, match="GB are free"):
        require_space(Settings(var=tmp_path))


def test_a_port_that_is_not_allowed_is_told() -> None:
    with pytest.raises(Fault, match="cannot be used"):
        require_port(Settings(address="192.0.2.1", port=8000))


def test_folders_are_private(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path / "var")
    make_folders(settings)
    for name in ("", "logs", "secrets", "jobs", "home", "data"):
        assert (settings.var / name).stat().st_mode & 0o777 == 0o700


def test_each_practice_visitor_has_a_scan() -> None:
    assert {visit for visit, scans in SCANS.items() if scans} == {"A", "B"}
