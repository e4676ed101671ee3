"""Large arrays in huge pages, whose memory is used again: touching fresh pages can cost more than the work."""

from __future__ import annotations

import mmap
import os
import weakref
from collections import deque
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_SMALL_BYTES = 1 << 20  # NumPy's own memory serves smaller arrays as well
_HUGE_PAGE = 1 << 21
_IDLE_SHARE = 8  # idle blocks take at most this fraction of the machine's memory


def empty(shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """An array, not filled, C-ordered, that begins a cache line; its memory goes back when the last view is gone."""
    wanted = np.dtype(dtype)
    count = int(np.prod(shape, dtype=np.int64))
    nbytes = count * wanted.itemsize
    if nbytes < _SMALL_BYTES:
        room = np.empty(nbytes + 64, np.uint8)
        start = -room.ctypes.data % 64
        return room[start : start + nbytes].view(wanted).reshape(shape)
    return _blocks.take(nbytes)[:nbytes].view(wanted).reshape(shape)


def release() -> None:
    """Gives the memory of arrays that are gone back to the system."""
    _blocks.release(0)


class _Blocks:
    """Mapped memory, oldest first. A block comes back once every array over it is gone."""

    def __init__(self) -> None:
        self._idle: list[mmap.mmap] = []
        self._back: deque[mmap.mmap] = deque()  # the garbage collector may run anywhere, so it takes no lock
        self._lock = Lock()

    def take(self, nbytes: int) -> NDArray[np.uint8]:
        size = -(-nbytes // _HUGE_PAGE) * _HUGE_PAGE
        with self._lock:
            self._collect()
            fitting = [block for block in self._idle if size <= len(block) <= size * 9 // 8]
            block = min(fitting, key=len, default=None)
            if block is not None:
                self._idle = [idle for idle in self._idle if idle is not block]
        block = block or _mapped(size)
        array = np.frombuffer(block, np.uint8)
        weakref.finalize(array, self._give_back, block).atexit = False
        return array

    def release(self, most_bytes: int) -> None:
        with self._lock:
            self._collect(most_bytes)

    def _give_back(self, block: mmap.mmap) -> None:
        self._back.append(block)
        if self._lock.acquire(blocking=False):
            try:
                self._collect()
            finally:
                self._lock.release()

    def _collect(self, most_bytes: int | None = None) -> None:
        while self._back:
            self._idle.append(self._back.popleft())
        most = _idle_bytes() if most_bytes is None else most_bytes
        while self._idle and sum(map(len, self._idle)) > most:
            self._idle.pop(0)


def _mapped(size: int) -> mmap.mmap:
    # Python's mmap starts at a page, not at a huge page; the kernel uses huge ones for the aligned inside.
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        block.madvise(mmap.MADV_HUGEPAGE)
    return block


def _idle_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _IDLE_SHARE


_blocks = _Blocks()
