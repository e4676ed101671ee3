"""The whole way on one machine: practice user office, hub, proxy and services. What ``make run`` starts."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TextIO

import psutil  # type: ignore[import-untyped]

from . import proxy_setup
from .dev_office.people import People, practice_people
from .jobs.records import read_jobs
from .practice_folder import (
    Fault,
    free_ports,
    lock_folder,
    make_folders,
    make_scans,
    require_port,
    require_space,
    usual_port,
)
from .processes import adopt_orphans, die_with_parent, end_all, is_job_driver
from .settings import CHECKOUT, Settings, inherited_environment

READY_SECONDS = 90
OFFICE_PORT_AWAY = 1400  # 9400 beside 8000
DRIVER_SECONDS = 3.0
STOP_SECONDS = 6.0


class Stopped(Exception):
    """Somebody asked for the end."""


@dataclass
class Practice:
    """A running practice facility."""

    settings: Settings
    office_port: int
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def office_url(self) -> str:
        """The user office; under another name than the hub, for cookies do not tell ports apart."""
        return f"http://localhost:{self.office_port}"

    def start(self) -> None:
        """Start the office and the hub side by side, and wait until both answer; raises Fault."""
        var = self.settings.var
        people = People(var / "secrets" / "people.json")
        if not people.path.exists():
            people.write(practice_people())
        secret = var / "secrets" / "office"
        self.settings.secret(secret.name)
        self._start(
            "office",
            [
                *("stp3_hub.dev_office", "--port", str(self.office_port), "--people", str(people.path)),
                *("--facility", self.settings.facility, "--client-secret-file", str(secret)),
                *("--redirect-uri", f"{self.settings.base_url}/hub/oauth_callback"),
            ],
            {"AUTHLIB_INSECURE_TRANSPORT": "1"},  # http, on loopback
        )
        self._start("hub", ["jupyterhub", "--config", str(CHECKOUT / "jupyterhub_config.py")], self._hub_environment())
        self.wait_for(f"{self.office_url}/.well-known/openid-configuration")
        # the hub before the proxy: the proxy answers with errors as long as it knows no hub
        self.wait_for(f"http://127.0.0.1:{self.settings.hub_port}/hub/health")
        self.wait_for(f"{self.settings.base_url}/hub/health")

    def _hub_environment(self) -> dict[str, str]:
        office = {
            "kind": "oidc",
            "issuer": self.office_url,
            "client_secret_file": str(self.settings.var / "secrets" / "office"),
            "scopes": ["openid", "profile", "email", "visits"],
        }
        told = self.settings.model_copy(update={"office": office})
        return told.environment()

    def _start(self, name: str, module: list[str], environment: dict[str, str]) -> None:
        with open(self.settings.var / "logs" / f"{name}.log", "ab") as log:
            self.children[name] = subprocess.Popen(
                [sys.executable, "-m", *module],
                cwd=self.settings.var,
                env=inherited_environment(**environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for this process, which ends the others in order
                preexec_fn=die_with_parent,
            )

    def wait_for(self, url: str) -> None:
        """Return once `url` answers; raises Fault when a child ends or it takes too long."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            self.check()
            try:
                with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  # our own address
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, TimeoutError, ConnectionError):
                time.sleep(0.1)
        raise Fault(f"The hub did not answer within {READY_SECONDS} s. {self._see_log('hub')}")

    def check(self) -> None:
        """Raises Fault if the office or the hub has ended."""
        for name, child in self.children.items():
            if child.poll() is not None:
                raise Fault(f"The {name} ended by itself (exit code {child.returncode}). {self._see_log(name)}")

    def _see_log(self, name: str) -> str:
        return f"See {self.settings.var / 'logs' / f'{name}.log'}."

    def stop(self) -> int:
        """End everything: drivers first (they leave resumable jobs behind), then all. How many had to be killed."""
        drivers = [job.pid for job in read_jobs(self.settings.var / "jobs") if job.live and job.pid]
        drivers = [pid for pid in drivers if is_job_driver(pid)]
        for pid in drivers:
            _terminate(pid)
        deadline = time.monotonic() + DRIVER_SECONDS
        while any(is_job_driver(pid) for pid in drivers) and time.monotonic() < deadline:
            time.sleep(0.05)
        killed = end_all(STOP_SECONDS)
        shutil.rmtree(self.settings.run_folder, ignore_errors=True)
        return killed


def _terminate(pid: int) -> None:
    with suppress(psutil.NoSuchProcess):
        psutil.Process(pid).terminate()


def welcome(practice: Practice) -> str:
    """What is printed when all is ready."""
    people = People(practice.settings.var / "secrets" / "people.json").all()
    width = max(len(person.sub) for person in people)
    logins = "\n".join(
        f"    {person.sub:{width}}   {person.password:{width + 9}}   {person.about}" for person in people
    )
    account = "the account root of this machine" if os.getuid() == 0 else "your account"
    return f"""
  {practice.settings.facility} is open:

    {practice.settings.base_url}

  Log in as
{logins}

  Ctrl-C closes it. All practice servers share {account}: for practice only.
"""


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> None:
    """Prepare, start, wait for the end, stop; raises Fault and Stopped."""
    changes = {"practice": True, "port": arguments.port, "var": arguments.var}
    settings = Settings(**{key: value for key, value in changes.items() if value is not None})
    make_folders(settings)
    with lock_folder(settings):
        require_space(settings)
        require_port(settings)
        if not proxy_setup.installed():
            say("Fetching the proxy (first start only) …")
            proxy_setup.install()
        if not arguments.without_scans:
            make_scans(settings, say)
        hub_port, proxy_port, jobs_port = free_ports(3)
        ports = {"hub_port": hub_port, "proxy_port": proxy_port, "jobs_port": jobs_port}
        practice = Practice(settings.model_copy(update=ports), usual_port(settings.port + OFFICE_PORT_AWAY))
        try:
            practice.start()
            say(welcome(practice))
            while True:
                practice.check()
                time.sleep(0.5)
        finally:
            _ignore_signals()
            say("Closing …")
            practice.stop()


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 after a request to stop, 1 where something is in the way."""
    parser = argparse.ArgumentParser(prog="python -m stp3_hub.practice", description=__doc__)
    parser.add_argument("--port", type=int, help="port of the address (default 8000)")
    parser.add_argument("--var", type=Path, help="runtime folder (default: var in the checkout)")
    parser.add_argument("--without-scans", action="store_true", help="make no practice scans")
    arguments = parser.parse_args(argv)
    adopt_orphans()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        run(arguments, _say)
    except Stopped:
        return 0
    except (Fault, proxy_setup.ProxyFault) as fault:
        _say(f"stp3: {fault}", sys.stderr)
    except OSError as fault:
        _say(f"stp3: {fault.strerror or fault}: {fault.filename or 'the runtime folder'}.", sys.stderr)
    return 1


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


def _ignore_signals() -> None:
    """A second Ctrl-C must not cut the tidying short; it takes some seconds at most."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _say(text: str, stream: TextIO | None = None) -> None:
    with suppress(OSError):  # the terminal may be gone
        print(text, file=stream or sys.stdout, flush=True)


if __name__ == "__main__":
    sys.exit(main())
