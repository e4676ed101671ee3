"""Gives up, for good, what reading a file does not need: memory, time, writing, other folders, the network (Linux)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import resource
import signal
import struct
from collections.abc import Iterable
from pathlib import Path

MEMORY_BYTES = 4 << 30
_SET_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 38, 22, 2  # prctl
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # landlock, the same on every architecture
_VERSION = 1
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_FILE_RIGHTS = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF}  # all there are, by version of the kernel's interface
_LATER_RIGHTS = 0xFFFF
_SOCKET = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}  # audit's name of the machine, number of socket
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050001  # refuse: EPERM


def limit(seconds: int, memory_bytes: int = MEMORY_BYTES) -> None:
    """From now on: so much address space, processor time and time on the clock, no file written, no core dumped."""
    for name, value in (
        (resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0),
    ):  # fmt: skip
        hard = resource.getrlimit(name)[1]
        lowest = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(name, (lowest, lowest))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # which ends the process even inside a library that hangs
    signal.setitimer(signal.ITIMER_REAL, seconds)


def confine(readable: Iterable[Path]) -> bool:
    """From now on only those folders can be read, nothing run and no socket made; True when the kernel sees to it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return False
    folders = _confine_to_folders(libc, readable)
    return _without_network(libc) and folders


def _confine_to_folders(libc: ctypes.CDLL, readable: Iterable[Path]) -> bool:
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    if version < 1:
        return False
    handled = struct.pack("=Q", _FILE_RIGHTS.get(version, _LATER_RIGHTS))
    ruleset = libc.syscall(_CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), 0)
    if ruleset < 0:
        return False
    try:
        for folder in readable:
            _allow(libc, ruleset, folder)
        return not libc.syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, place: Path) -> None:
    with contextlib.suppress(OSError):  # what is not there need not be read
        descriptor = os.open(place, os.O_PATH | os.O_CLOEXEC)
        rights = _READ_FILE | (_READ_DIR if place.is_dir() else 0)
        rule = struct.pack("=Qi", rights, descriptor)
        libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
        os.close(descriptor)


def _without_network(libc: ctypes.CDLL) -> bool:
    """Has the kernel refuse `socket`; on machines that it knows the number of."""
    if platform.machine() not in _SOCKET:
        return False
    machine, number = _SOCKET[platform.machine()]
    lines = (
        (0x20, 0, 0, 4),  # load the machine
        (0x15, 0, 3, machine),  # another one: allow
        (0x20, 0, 0, 0),  # load the number of the call
        (0x15, 0, 1, number),  # not socket: allow
        (0x06, 0, 0, _REFUSE),
        (0x06, 0, 0, _ALLOW),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
    program = struct.pack("@HP", len(lines), ctypes.addressof(code))
    return not libc.prctl(_SET_SECCOMP, _FILTER, program, 0, 0)
