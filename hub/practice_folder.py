"""The runtime folder of a practice facility: made, locked, filled with scans."""

from __future__ import annotations

import fcntl
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .settings import Settings

NEEDED_BYTES = 2 << 30
# visit -> name of the scan -> how it is made
SCANS: dict[str, dict[str, tuple[str, ...]]] = {
    "A": {
        "rock.h5": (
            "--columns",
            "1024",
            "--rows",
            "64",
            "--angles",
            "900",
            "--faults",
            "noise,rings,drift",
            "--seed",
            "1",
        ),
        "small.h5": ("--columns", "256", "--rows", "32", "--angles", "300", "--faults", "noise,rings", "--seed", "3"),
    },
    "B": {
        "tooth.nxs": (
            *("--columns", "1024", "--rows", "64", "--angles", "900", "--faults", "noise,rings,zingers", "--seed", "2"),
            *("--format", "nxtomo"),
        ),
    },
}


class Fault(Exception):
    """The facility cannot open; the text says what to do."""


def make_folders(settings: Settings) -> None:
    """Make the runtime folder, for this account's eyes only; raises Fault where that is not possible."""
    try:
        for folder in (settings.var, *(settings.var / name for name in ("logs", "secrets", "jobs", "home", "data"))):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        probe = settings.var / "logs" / ".probe"
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
        run_folder = settings.run_folder
        run_folder.mkdir(mode=0o700, exist_ok=True)
        run_folder.chmod(0o700)  # fails where it is somebody else's
    except OSError as fault:
        raise Fault(
            f"The runtime folder {settings.var} cannot be written ({fault.strerror}). "
            "Make room or choose another one with --var FOLDER."
        ) from None


@contextmanager
def lock_folder(settings: Settings) -> Iterator[None]:
    """Hold the runtime folder; raises Fault where another facility holds it."""
    with open(settings.var / "lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Fault(
                f"A practice facility already runs on {settings.var}. "
                "Close it with Ctrl-C in its terminal, or choose another folder with --var FOLDER and --port."
            ) from None
        yield


def require_space(settings: Settings) -> None:
    """Raises Fault where the disk is nearly full."""
    free = shutil.disk_usage(settings.var).free
    if free < NEEDED_BYTES:
        raise Fault(
            f"Only {free / 1e9:.1f} GB are free in {settings.var}; {NEEDED_BYTES / 1e9:.1f} GB are needed. "
            "Make room or choose another folder with --var FOLDER."
        )


def require_port(settings: Settings) -> None:
    """Raises Fault where the port of the address is taken or not allowed."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.address, settings.port))
        except OSError as fault:
            raise Fault(
                f"Port {settings.port} of {settings.address} cannot be used ({fault.strerror}). "
                f"End the program that holds it or choose another port with --port {settings.port + 1}."
            ) from None


def free_ports(number: int) -> list[int]:
    """`number` different ports of loopback that were free a moment ago."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def usual_port(port: int) -> int:
    """`port` if it is free, so that a tunnel to this machine can be set up once; otherwise another one."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return free_ports(1)[0]
        return port


def make_scans(settings: Settings, say: Callable[[str], None]) -> None:
    """Make the practice scans that are missing, by the command line of stp3; raises Fault."""
    wanted = [
        (settings.visit_folder(visit) / name, how) for visit, scans in SCANS.items() for name, how in scans.items()
    ]
    missing = [(path, how) for path, how in wanted if not path.exists()]
    for number, (path, how) in enumerate(missing, 1):
        say(f"Making practice scan {number} of {len(missing)} (first start only): {path.parent.name}/{path.name} …")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_scan(path, how)


def _make_scan(path: Path, how: tuple[str, ...]) -> None:
    # made under another name: half a scan must not look like one at the next start
    folder = path.parent / f".{path.stem}.making"
    folder.mkdir(mode=0o700, exist_ok=True)
    command = [sys.executable, "-m", "stp3.cli", "practice", str(folder / path.name), *how]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            words = result.stderr.strip().splitlines() or ["no reason given"]
            raise Fault(f"The practice scan {path.name} could not be made: {words[-1]}")
        for made in sorted(folder.iterdir(), key=lambda made: made.name == path.name):  # the scan last
            made.rename(path.parent / made.name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
