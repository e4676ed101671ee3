"""Processes that must not outlive who started them (Linux)."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38


def die_with_parent() -> None:
    """Ask for SIGTERM when the starting process ends in whatever way; to be called between fork and exec."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def no_new_privileges() -> None:
    """Have no program of this process and its children gain rights by being run (sudo, setuid)."""
    ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def adopt_orphans() -> None:
    """Make this process the parent of all its descendants that lose theirs, so that none escapes `descendants`."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants() -> list[psutil.Process]:
    """All running processes below this one; finished ones are collected on the way."""
    return [process for process in psutil.Process().children(recursive=True) if not _finished(process)]


def end_all(seconds: float) -> int:
    """End everything below this process: SIGTERM, then SIGKILL after `seconds`. The number that had to be killed."""
    for process in descendants():
        _send(process, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while (left := descendants()) and time.monotonic() < deadline:
        time.sleep(0.05)
    killed = len(left)
    while left:
        for process in left:
            _send(process, signal.SIGKILL)
        time.sleep(0.05)
        left = descendants()
    return killed


def is_job_driver(pid: int) -> bool:
    """Whether `pid` is a running driver of a job of this account, and not another process with a recycled number."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return Path(f"/proc/{pid}").stat().st_uid == os.getuid() and b"stp3.cluster.driver" in arguments
    except OSError:
        return False


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _finished(process: psutil.Process) -> bool:
    try:
        if process.status() != psutil.STATUS_ZOMBIE:
            return False
        if process.ppid() == os.getpid():
            os.waitpid(process.pid, os.WNOHANG)
    except (psutil.NoSuchProcess, ChildProcessError):
        pass
    return True
