"""What is left of a disk quota, asked from the kernel (Linux 5.14 and later; local file systems)."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_QUOTACTL_FD = 443  # the same number on every architecture
_GET_QUOTA = 0x800007
_BLOCK_BYTES = 1024  # of limits; the space in use is in bytes
_HAS_LIMITS, _HAS_SPACE = 1, 2


class _Quota(ctypes.Structure):
    """struct if_dqblk of <linux/quota.h>."""

    _fields_ = (
        ("hard_blocks", ctypes.c_uint64), ("soft_blocks", ctypes.c_uint64), ("space", ctypes.c_uint64),
        ("hard_inodes", ctypes.c_uint64), ("soft_inodes", ctypes.c_uint64), ("inodes", ctypes.c_uint64),
        ("block_time", ctypes.c_uint64), ("inode_time", ctypes.c_uint64), ("valid", ctypes.c_uint32),
    )  # fmt: skip


def quota_left(folder: Path) -> int | None:
    """Bytes that this user and their group may still write there; None where no quota is kept, or none is told."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        told = (_asked(descriptor, kind, owner) for kind, owner in ((0, os.getuid()), (1, os.getgid())))
        return min((left_of(quota) for quota in told if quota and quota.hard_blocks), default=None)
    finally:
        os.close(descriptor)


def left_of(quota: _Quota) -> int:
    """Bytes between what is used and the hard limit."""
    return int(max(quota.hard_blocks * _BLOCK_BYTES - quota.space, 0))


def _asked(descriptor: int, kind: int, owner: int) -> _Quota | None:
    quota = _Quota()
    command = ctypes.c_uint(_GET_QUOTA << 8 | kind)
    failed = ctypes.CDLL(None, use_errno=True).syscall(
        ctypes.c_long(_QUOTACTL_FD), ctypes.c_uint(descriptor), command, ctypes.c_uint(owner), ctypes.byref(quota)
    )
    wanted = _HAS_LIMITS | _HAS_SPACE
    return None if failed or quota.valid & wanted != wanted else quota
