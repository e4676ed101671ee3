"""Large arrays: aligned, of any type, and their memory comes back only when nobody can see it any more."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import numpy as np
import pytest

from stp3.kernels import memory

LARGE = (3, 1000, 1001)


@pytest.fixture(autouse=True)
def none_idle() -> Iterator[None]:
    gc.collect()
    memory.release()
    yield
    memory.release()


@pytest.mark.parametrize("shape", [(5, 7), LARGE, (0, 4), ()])
@pytest.mark.parametrize("dtype", [np.float32, np.uint16, np.float64])
def test_shape_type_and_alignment(shape: tuple[int, ...], dtype: type) -> None:
    array = memory.empty(shape, dtype)
    assert array.shape == shape
    assert array.dtype == dtype
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert array.size == 0 or array.ctypes.data % 64 == 0


def test_memory_is_used_again_but_never_while_a_view_lives() -> None:
    first = memory.empty(LARGE)
    address = first.ctypes.data
    corner = first[2, 990:, 1:]
    corner[:] = 7
    del first
    second = memory.empty(LARGE)
    assert second.ctypes.data != address
    second[:] = 1
    assert (corner == 7).all()
    del corner
    assert memory.empty(LARGE).ctypes.data == address


def test_released_memory_goes_back_to_the_system() -> None:
    array = memory.empty((64 << 20,), np.uint8)
    array[:] = 1
    held = resident_bytes()
    del array
    assert resident_bytes() > held - (8 << 20)  # kept for the next one
    memory.release()
    assert resident_bytes() < held - (56 << 20)


def resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
