"""The other side of `stp3.limited`: waits for calls and does each in a process of its own, which gives up all rights.

It imports what readers need once; a call then costs a fork.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
import sysconfig
import traceback
from pathlib import Path
from typing import Any, NoReturn

from stp3.errors import Stp3Error
from stp3.sandbox import confine, limit

_PRELOADED = ("stp3.readers", "stp3.preflight", "stp3.preflight_frames", "stp3.plan", "numpy.ma")


def serve(connection: socket.socket) -> None:
    """Takes calls until the other side is gone."""
    from importlib import import_module

    from stp3.readers import readers

    for name in _PRELOADED:
        import_module(name)
    readers()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that no zombie stays
    while True:
        try:
            request, descriptors, _, _ = socket.recv_fds(connection, 1, 2)
        except InterruptedError:
            continue
        if not request:
            return
        if os.fork() == 0:
            _do(connection, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _do(connection: socket.socket, source: int, target: int) -> NoReturn:
    """Does one call in this process and ends it."""
    try:
        connection.close()
        with open(source, "rb") as file:
            call = pickle.load(file)  # noqa: S301 - from our own parent
        answer = pickle.dumps(_answer(call))
        with open(target, "wb") as out:
            out.write(len(answer).to_bytes(8, "little"))
            out.write(answer)
    finally:
        os._exit(0)


def _answer(call: dict[str, Any]) -> tuple[str, Any]:
    os.environ.clear()
    os.environ.update(call["environment"])
    os.chdir(call["folder"])
    limit(call["seconds"])
    readable = [Path(folder) for folder in call["readable"]]
    confine([*readable, *_own_folders()])
    try:
        return "done", call["function"](*call["arguments"])
    except Stp3Error as fault:
        return "fault", (type(fault).__name__, str(fault))
    except MemoryError:
        return "memory", None
    except Exception as error:
        return "error", (" ".join(f"{type(error).__name__}: {error}".split())[:500], traceback.format_exc())


def _own_folders() -> list[Path]:
    """Where Python and the libraries are, and what they ask the system for."""
    own: set[str] = {sys.prefix, sys.base_prefix, *sysconfig.get_paths().values(), *filter(None, sys.path)}
    system = ("/usr", "/lib", "/lib64", "/etc", "/proc", "/sys")
    return [Path(folder) for folder in (*own, str(Path(__file__).parent), *system)]


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
