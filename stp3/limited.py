"""Calls in a limited child process, for what reads files that nobody has looked at: it may crash or hang, we go on.

A scan file is written by others, and the C library under it has crashed on crafted ones. The child that parses it has
little memory and time, sees only the scan's folder, can write nothing and has no network (see sandbox.py). One helper
process for each of ours keeps the libraries loaded; a call costs a fork of it.
"""

from __future__ import annotations

import io
import logging
import os
import pickle
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

from stp3 import config
from stp3.errors import RecipeFault, ScanFault, Stp3Error, UsageFault

T = TypeVar("T")
SECONDS = 30
_START_SECONDS = 60  # a busy machine and a slow network file system together
_MOST_BYTES = 256 << 20
_QUIET = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # a fork wants no threads
_FAULTS = {fault.__name__: fault for fault in (ScanFault, UsageFault, RecipeFault)}
_log = logging.getLogger(__name__)
_lock = threading.Lock()
_helper: tuple[int, subprocess.Popen[bytes], socket.socket] | None = None


def call(
    function: Callable[..., T], *arguments: Any, about: Path, readable: Iterable[Path], seconds: int = SECONDS
) -> T:
    """What a module's function gives, called in a limited child that can read `about` and what is `readable`.

    Raises the function's own Stp3Error, or ScanFault naming `about` when the child fails in any other way.
    """
    question = {
        "function": function,
        "arguments": arguments,
        "seconds": seconds,
        "environment": config.job_environment(),
        "folder": str(Path.cwd()),
        "readable": [str(path) for path in (about, *readable)],
    }
    began = time.monotonic()
    answer = _asked(pickle.dumps(question), seconds + _START_SECONDS)
    if answer is None:
        if time.monotonic() - began >= seconds:
            raise ScanFault(f"{about} could not be read within {seconds} s. {_WAY_OUT}")
        raise ScanFault(f"{about} crashes the program that reads it. {_WAY_OUT}")
    try:
        kind, value = _Careful(io.BytesIO(answer)).load()
    except Exception as error:
        _log.warning("%s: the answer of its reader cannot be used: %r", about, error)
        raise ScanFault(f"{about} gives what no scan holds. {_WAY_OUT}") from error
    if kind == "done":
        return value  # type: ignore[no-any-return]
    if kind == "fault":
        raise _FAULTS.get(value[0], Stp3Error)(value[1])
    if kind == "memory":
        raise ScanFault(f"{about} asks for more memory than any scan needs. {_WAY_OUT}")
    _log.warning("%s cannot be read: %s", about, value[1])
    raise ScanFault(f"{about} cannot be read ({value[0]}). {_WAY_OUT}")


_WAY_OUT = "It is damaged, or no scan. Copy it again; if that does not help, tell the beamline's staff."


def warm() -> None:
    """Starts the helper, so that the first call need not wait for it."""
    with _lock:
        _connection()


def _asked(question: bytes, seconds: float) -> bytes | None:
    """The child's answer; None when it ended without one."""
    source, to_child = os.pipe()
    from_child, target = os.pipe()
    try:
        try:
            with _lock:
                socket.send_fds(_connection(), [b"?"], [source, target])
        finally:
            os.close(source)
            os.close(target)
        writer = threading.Thread(target=_write, args=(to_child, question), daemon=True)
        writer.start()
        return _read(from_child, time.monotonic() + seconds)
    finally:
        os.close(from_child)


def _write(descriptor: int, data: bytes) -> None:
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
    except BrokenPipeError:  # the child is gone; the reader hears of it
        pass


def _read(descriptor: int, deadline: float) -> bytes | None:
    data = bytearray()
    while True:
        if not select.select([descriptor], [], [], max(deadline - time.monotonic(), 0))[0]:
            return None
        part = os.read(descriptor, 1 << 20)
        data += part
        if len(data) > _MOST_BYTES:
            return None
        if not part:
            size = int.from_bytes(data[:8], "little")
            return bytes(data[8:]) if len(data) >= 8 and len(data) == 8 + size else None


def _connection() -> socket.socket:
    """To the helper of this process, started when there is none (a fork of ours has none yet)."""
    global _helper
    if _helper is None or _helper[0] != os.getpid() or _helper[1].poll() is not None:
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "stp3.limited_child", str(theirs.fileno())],
                pass_fds=[theirs.fileno()], env=config.job_environment() | _QUIET,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        _helper = os.getpid(), process, ours
    return _helper[2]


class _Careful(pickle.Unpickler):
    """Unpickles plain data, arrays, and what makes up scans and reports: a child may have been taken over."""

    def find_class(self, module: str, name: str) -> Any:
        if name in _EXPECTED.get(module.partition(".")[0], ()):
            return super().find_class(module, name)
        found = getattr(import_module(module), name, None) if _is_ours(module) else None
        is_class = isinstance(found, type) and not issubclass(found, BaseException)
        if getattr(found, "__module__", "") == module and (is_class or _holds_readers(module)):
            return found
        raise pickle.UnpicklingError(f"{module}.{name} is not expected from a reader")


_EXPECTED = {
    "numpy": ("dtype", "ndarray", "_reconstruct", "scalar", "_frombuffer"),
    "builtins": ("range", "slice", "set", "frozenset", "complex", "bytearray"),
    "pathlib": ("Path", "PosixPath"),
    "datetime": ("date", "datetime", "timedelta", "timezone"),
}


def _is_ours(module: str) -> bool:
    return module.startswith("stp3.") or _holds_readers(module)


def _holds_readers(module: str) -> bool:
    """True in the packages of readers: stacks may be read by functions of theirs."""
    return any(module == package or module.startswith(f"{package}.") for package in _reader_packages())


@cache
def _reader_packages() -> frozenset[str]:
    modules = [point.value.partition(":")[0] for point in entry_points(group="stp3.readers")]
    return frozenset(module.rpartition(".")[0] or module for module in modules)
