"""Slices as 8 or 16 bit numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from stp3.kernels import memory
from stp3.kernels.reconstruction import is_compiled
from stp3.kernels.threads import share


def to_grey(slices: NDArray[np.float32], dtype: DTypeLike, low: float, high: float, threads: int = 1) -> NDArray[Any]:
    """The slices with `low` as 0 and `high` as the type's highest number, rounded to the nearest and clipped.

    What is not a number becomes 0. The same bits with and without the compiled kernel.
    """
    out = memory.empty(slices.shape, dtype)
    scale = np.float32(np.iinfo(out.dtype).max / (high - low))
    if is_compiled():
        from stp3.kernels._native import to_grey as compiled

        compiled(np.ascontiguousarray(slices), np.float32(low), scale, out, threads)
    else:
        share(lambda row: _convert(slices[row], np.float32(low), scale, out[row]), range(len(out)), threads)
    return out


def _convert(values: NDArray[np.float32], low: np.float32, scale: np.float32, out: NDArray[Any]) -> None:
    with np.errstate(over="ignore"):
        grey = (values - low) * scale
    np.clip(np.nan_to_num(grey, copy=False, nan=0.0), 0, np.iinfo(out.dtype).max, out=grey)
    np.rint(grey, out=grey)
    out[:] = grey
