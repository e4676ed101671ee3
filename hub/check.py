"""``stp3-hub check``: try everything the hub depends on, and say what is wrong and how to mend it."""

from __future__ import annotations

import asyncio
import grp
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from pydantic import ValidationError

from .accounts import warning
from .configure import production_fault
from .proxy_setup import OLDEST_NODE, installed, node_program
from .settings import Settings, operators_file, slurm_configuration
from .user_office.base import OfficeFault, first_words, make_office

PROXY_SETUP = f"run {sys.executable} -m stp3_hub.proxy_setup"
LEAST_FREE = 5 << 30
FARTHEST_SECONDS = 30
LOWEST_OPEN_PORT = 1024


@dataclass(frozen=True)
class Finding:
    """One thing that was tried."""

    about: str
    good: bool
    words: str
    mend: str = ""


class Trouble(Exception):
    """What was tried does not work: what is wrong, and how to mend it."""

    def __init__(self, words: str, mend: str) -> None:
        super().__init__(words)
        self.words, self.mend = words, mend


def main(*, as_json: bool) -> int:
    """Print the findings; 0 where all is good, 1 otherwise."""
    found = list(findings())
    good = all(finding.good for finding in found)
    if as_json:
        print(json.dumps({"good": good, "findings": [asdict(finding) for finding in found]}, indent=1))
        return 0 if good else 1
    for finding in found:
        print(f"{'ok   ' if finding.good else 'WRONG'} {finding.about}: {finding.words}")
        if finding.mend:
            print(f"      {'Mend it' if not finding.good else 'Note'}: {finding.mend}")
    return 0 if good else 1


def findings() -> Iterator[Finding]:
    """Everything, one after the other; without settings nothing else is tried."""
    try:
        settings = Settings()
    except ValidationError as fault:
        mend = f"put {operators_file()} right; every key is described in hub/settings.py"
        yield Finding("settings", False, first_words(fault), mend)
        return
    except (OSError, ValueError) as fault:
        yield Finding("settings", False, f"{operators_file()} cannot be read: {fault}", "put the file right")
        return
    checks: dict[str, Callable[[Settings], str]] = {
        "settings": _settings,
        "user office": _office,
        "storage": _storage,
        "data": _data,
        "accounts": _accounts,
        "programs": _programs,
        "ports": _ports,
        "door": _door,
        "clock": _clock,
        "scheduler": _scheduler,
    }
    for about, check in checks.items():
        try:
            words, _, note = check(settings).partition("\n")
            yield Finding(about, True, words, note)
        except Trouble as trouble:
            yield Finding(about, False, trouble.words, trouble.mend)


def _settings(settings: Settings) -> str:
    file = operators_file()
    if fault := production_fault(settings):
        raise Trouble(fault, f"edit {file}")
    if file.exists() and file.stat().st_mode & 0o022:
        raise Trouble(f"{file} can be written by others", f"chmod go-w {file}")
    return f"{file}{'' if file.exists() else ' is not there: all defaults'}; the door is {settings.base_url}"


def _office(settings: Settings) -> str:
    if settings.practice:
        return "the practice office comes with `make run`"
    try:
        office = make_office(settings.office)
        return asyncio.run(office.probe())
    except ValidationError as fault:
        raise Trouble(f"[office] {first_words(fault)}", f"edit {operators_file()}") from None
    except ValueError as fault:
        raise Trouble(f"[office] {fault}", f"edit {operators_file()}") from None
    except OfficeFault as fault:
        raise Trouble(
            f"{fault}", "see that the address is right and reachable from here; until then nobody can log in"
        ) from None


def _storage(settings: Settings) -> str:
    for folder in (settings.var, settings.var / "secrets", settings.run_folder):
        _written(folder)
    secret = settings.var / "secrets"
    if secret.stat().st_mode & 0o077:
        raise Trouble(f"{secret} is open to others", f"chmod 700 {secret}")
    free = shutil.disk_usage(settings.var).free
    if free < LEAST_FREE:
        raise Trouble(
            f"only {free / 1e9:.1f} GB are free in {settings.var}", "make room or move it: var in the settings"
        )
    return f"{settings.var} can be written, {free / 1e9:.0f} GB are free"


def _written(folder: Path) -> None:
    probe = folder / f".check-{os.getpid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except OSError as fault:
        raise Trouble(
            f"{folder} cannot be written ({fault.strerror})", f"run as the hub's account; make room, or chown {folder}"
        ) from None


def _data(settings: Settings) -> str:
    above = Path(settings.data_root.format(var=settings.var, visit="VISIT").partition("VISIT")[0])
    if not above.is_dir():
        raise Trouble(f"the folder of the visits, {above}, is not there", "mount it, or set data_root")
    if not os.access(above, os.R_OK | os.X_OK):
        raise Trouble(f"{above} cannot be read by this account", "let the hub and its people's accounts read it")
    return f"visits lie in {above}"


def _accounts(settings: Settings) -> str:
    if settings.guest_uids and os.getuid() == 0:
        try:
            grp.getgrnam(settings.guest_group)
        except KeyError:
            raise Trouble(f"there is no group {settings.guest_group}", f"groupadd {settings.guest_group}") from None
    if settings.accounts and not settings.accounts.is_file():
        raise Trouble(f"the table of accounts {settings.accounts} is not there", "write it, or drop the key accounts")
    _python(settings)
    words = warning(settings)
    return f"servers run under {'accounts of their own' if not words else 'shared rights'}\n{words}".rstrip()


def _python(settings: Settings) -> None:
    """Raises Trouble where the Python of people's servers cannot be run, by an account that is nobody's."""
    other = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 and not settings.practice else {}
    command = [str(settings.python), "-c", "import jupyterhub, stp3, stp3_hub, voila"]
    try:
        result = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=60, check=False, **other)  # type: ignore[call-overload]
    except (OSError, subprocess.SubprocessError) as fault:
        raise Trouble(
            f"people's servers cannot run {settings.python} ({fault})",
            "install STP3 where every account may read it, such as /opt, not in a home folder; or set python",
        ) from None
    if result.returncode:
        words = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Trouble(f"{settings.python} cannot start servers: {words}", "install STP3 for it: make env")


def _programs(settings: Settings) -> str:
    node = node_program()
    if node is None:
        raise Trouble(
            f"there is no Node {OLDEST_NODE} or newer", f"install it, or run {sys.executable} -m stp3_hub.proxy_setup"
        )
    if not installed():
        raise Trouble("the proxy is not installed", f"run {sys.executable} -m stp3_hub.proxy_setup")
    return f"the proxy is installed, for {node}"


def _ports(settings: Settings) -> str:
    ports = {"hub_port": settings.hub_port, "proxy_port": settings.proxy_port, "jobs_port": settings.jobs_port}
    if len({settings.port, *ports.values()}) < 4:
        raise Trouble("two of port, hub_port, proxy_port, jobs_port are the same", "give each a number of its own")
    if not _hub_answers(settings):
        for name, port in {"port": settings.port, **ports}.items():
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((settings.address if name == "port" else "127.0.0.1", port))
                except OSError as fault:
                    mend = f"end the program that holds it (ss -ltnp), or change {name}"
                    raise Trouble(f"{name} {port} cannot be used ({fault.strerror})", mend) from None
    exposed = [f"{name} {port}" for name, port in ports.items() if port >= LOWEST_OPEN_PORT]
    note = "while the hub is down another local account could take " + ", ".join(exposed) + "; choose ports below 1024"
    return "all ports can be used" + (f"\n{note}" if exposed and os.getuid() == 0 and not settings.practice else "")


def _hub_answers(settings: Settings) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{settings.hub_port}/hub/health", timeout=3) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def _door(settings: Settings) -> str:
    if not _hub_answers(settings):
        return "the hub is not running: whether browsers reach it was not tried"
    try:
        with urlopen(f"{settings.base_url}/hub/health", timeout=5):  # noqa: S310  # the operator's own address
            return f"{settings.base_url} leads to the hub"
    except HTTPError as fault:
        words = f"{settings.base_url} answers {fault.code}"
    except (URLError, OSError) as fault:
        words = f"{settings.base_url} cannot be reached ({getattr(fault, 'reason', fault)})"
    raise Trouble(words, "see nginx's log; it must pass everything on to " + settings.bind_url)


def _clock(settings: Settings) -> str:
    """Cookies, tokens and embargoes hang on it. The office's own clock is the other one at hand."""
    url = str(settings.office.get("issuer") or settings.office.get("url") or settings.office.get("graphql_url") or "")
    if not url:
        return f"it is {time.strftime('%Y-%m-%d %H:%M %Z')} here; there is no office to compare with"
    try:
        with urlopen(url, timeout=5) as answer:  # noqa: S310  # the operator's own address
            date = answer.headers.get("Date", "")
    except HTTPError as fault:
        date = fault.headers.get("Date", "")
    except (URLError, OSError, ValueError):
        return "the office's clock could not be asked"
    try:
        apart = abs(parsedate_to_datetime(date).timestamp() - time.time())
    except ValueError:
        return "the office does not tell the time"
    if apart > FARTHEST_SECONDS:
        raise Trouble(f"this clock and the office's are {apart:.0f} s apart", "timedatectl set-ntp true")
    return f"within {max(1, round(apart))} s of the office's"


def _scheduler(settings: Settings) -> str:
    """SLURM, where it is set up."""
    program = shutil.which("sinfo")
    if program is None or not slurm_configuration().exists():
        return "no SLURM on this machine: jobs run here"
    try:
        result = subprocess.run([program, "--noheader"], capture_output=True, text=True, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        raise Trouble("sinfo did not answer within 20 s", "systemctl status slurmctld on the controller") from None
    if result.returncode:
        words = (result.stderr.strip().splitlines() or ["no reason given"])[0]
        raise Trouble(f"SLURM does not answer: {words}", "systemctl status slurmctld munge")
    return f"SLURM answers, with {len(result.stdout.splitlines())} lines of partitions"
