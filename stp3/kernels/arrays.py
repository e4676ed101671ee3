"""What array programs run on: NumPy and SciPy on the processor, CuPy on a GPU. One program serves both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import scipy.fft

from stp3.errors import UsageFault

_ALL = 1 << 30


@dataclass(frozen=True)
class Arrays:
    """`xp` is the module of arrays and `fft` that of transforms; `matrix` takes SciPy's sparse matrices there,
    `to_host` brings arrays back. `lines` of a grid are worked on at a time: few fill a processor's cache, all a GPU.
    """

    name: str
    xp: Any
    fft: Any
    matrix: Callable[[Any], Any]
    to_host: Callable[[Any], Any]
    lines: int


HOST = Arrays("processor", np, scipy.fft, lambda matrix: matrix, lambda array: array, 64)


@cache
def gpu() -> Arrays:
    """Those of the GPU. Raises UsageFault where there is none, or no CuPy to use it with."""
    if why := missing_gpu():
        raise UsageFault(f'there is no GPU to reconstruct on: {why}. Set fbp.engine to "cpu".')
    cupy, sparse = import_module("cupy"), import_module("cupyx.scipy.sparse")

    def matrix(of: Any) -> Any:
        parts = tuple(cupy.asarray(part) for part in (of.data, of.indices, of.indptr))
        return sparse.csc_matrix(parts, shape=of.shape).tocsr()  # products run over its rows side by side

    return Arrays("GPU", cupy, import_module("cupyx.scipy.fft"), matrix, cupy.asnumpy, _ALL)


def missing_gpu() -> str:
    """Why there is no GPU here; empty where there is one."""
    if find_spec("cupy") is None:
        return "CuPy is not installed (pip install stp3[gpu])"
    cupy = import_module("cupy")
    try:
        return "" if cupy.cuda.runtime.getDeviceCount() else "no device was found"
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return str(error)
