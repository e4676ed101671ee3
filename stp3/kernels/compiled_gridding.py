"""Filtered back-projection by the compiled kernel: the method of `gridding`, many slices to a vector instruction.

The C++ is in `native/`. The geometry is the same for every slice of a scan, so the lanes of a vector are slices; of
few slices they are angles, then rows and columns of the grid, with the same arithmetic element by element. A slice
comes out the same, bit for bit, alone or among others, wherever it stands, with any number of threads.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from stp3.errors import UsageFault
from stp3.kernels import memory
from stp3.kernels._native import Reconstructor, instruction_sets
from stp3.kernels.angles import density_weights
from stp3.kernels.filters import FilterName, Pad, filter_response
from stp3.kernels.grid_sizes import Sizes
from stp3.kernels.window import Window

__all__ = ["instruction_sets", "reconstruct", "working_bytes"]

_KEPT_BYTES = 1 << 30
_GRIDS_BYTES = 1 << 30


def reconstruct(
    projections: NDArray[np.float32],
    theta: NDArray[np.float64],
    rotation_axis: float | NDArray[np.float64],
    *,
    filter: FilterName = "ram-lak",
    cutoff: float = 1.0,
    pad: Pad = "edge",
    pixel_size: float = 1.0,
    window: Window | None = None,
    threads: int = 1,
    out: NDArray[np.float32] | None = None,
    instructions: str = "",
) -> NDArray[np.float32]:
    """The slices, shape (rows, *window.shape), as `gridding.reconstruct` gives them.

    `projections` are (angles, rows, columns) with any strides between angles and rows. `out`, when given, receives
    the slices: pages that were used before cost nothing, fresh ones as much as a third of the work. `instructions` is
    one of `instruction_sets()`, the fastest by default.
    Raises UsageFault for arguments that do not fit together.
    """
    data = np.asarray(projections, np.float32)
    if data.ndim != 3:
        raise UsageFault(f"projections must have the axes (angles, rows, columns), got {data.ndim} axes.")
    if data.shape[2] > 1 and data.strides[2] != data.itemsize:
        data = np.ascontiguousarray(data)
    _, rows, columns = data.shape
    sizes = Sizes(len(theta), columns, window)
    slices = memory.empty((rows, *sizes.window.shape)) if out is None else out
    response = filter_response(filter, sizes.padded, cutoff) / (sizes.padded * pixel_size)
    response[[0, -1]] /= 2  # the inverse transform counts every frequency twice, but these exist once
    axes = np.ascontiguousarray(np.broadcast_to(np.asarray(rotation_axis, np.float64), (rows,)))
    try:
        plan = _plans.find(np.ascontiguousarray(theta, np.float64), sizes, pad, instructions)
        grids = min(_grids(sizes), max(threads, 1))
        plan.reconstruct(data, response.astype(np.float32), axes, slices, threads, grids)
    except ValueError as error:
        raise UsageFault(str(error)) from error
    except TypeError as error:
        raise UsageFault(_misfit((rows, *sizes.window.shape), slices)) from error
    _plans.trim()
    return slices


def working_bytes(angles: int, columns: int, window: Window | None = None) -> int:
    """Memory beside projections and slices: the grids, and every thread's share."""
    sizes = Sizes(angles, columns, window)
    (height, width), (tall, wide), padded = sizes.grid, sizes.window.shape, sizes.padded
    lanes, vector = _lanes(), 4 * _lanes()
    one_slice = 4 * (height + 16) * (width + 16) + 4 * angles * padded + 4 * wide * height
    work = max(4 * max(padded, width), (32 // lanes + 1) * height)
    a_thread = vector * (35 * padded + work + 32 * tall)
    grids, threads = _grids(sizes), len(os.sched_getaffinity(0))
    shares = threads if grids == 1 else 2 * threads  # the first grid serves all threads together as well
    return grids * _grid_bytes(sizes) + one_slice + shares * a_thread


def _lanes() -> int:
    return {"avx512": 16, "avx2": 8}.get(instruction_sets()[0], 4)


def _grid_bytes(sizes: Sizes) -> int:
    height, width = sizes.grid
    return 4 * _lanes() * ((height + 16) * (width + 16) + sizes.padded)


def _grids(sizes: Sizes) -> int:
    """On how many grids the threads work, each for a vector of slices: one a thread while they stay small."""
    return max(1, min(len(os.sched_getaffinity(0)), _GRIDS_BYTES // _grid_bytes(sizes), 64))


def _misfit(wanted: tuple[int, ...], out: NDArray[np.float32]) -> str:
    return (
        f"out must be a writable C-ordered float32 array of shape {wanted}, got {out.dtype} {out.shape}"
        f"{'' if out.flags.c_contiguous else ', not C-ordered'}{'' if out.flags.writeable else ', read-only'}."
    )


class _Plans:
    """The plans used last with their working memory, within a number of bytes; safe to use from several threads."""

    def __init__(self) -> None:
        self._plans: OrderedDict[str, Reconstructor] = OrderedDict()
        self._lock = Lock()

    def find(self, theta: NDArray[np.float64], sizes: Sizes, pad: Pad, instructions: str) -> Reconstructor:
        window = sizes.window
        key = f"{sizes.columns}:{window}:{pad}:{instructions}:{hashlib.sha256(theta.tobytes()).hexdigest()}"
        with self._lock:
            if key not in self._plans:
                weights = density_weights(theta) if len(theta) else theta
                self._plans[key] = Reconstructor(
                    theta, weights, sizes.columns, sizes.padded, window.shape[::-1], sizes.grid[::-1], window.centre,
                    pad == "edge", instructions,
                )  # fmt: skip
            self._plans.move_to_end(key)
            return self._plans[key]

    def trim(self) -> None:
        with self._lock:
            while len(self._plans) > 1 and sum(plan.working_bytes for plan in self._plans.values()) > _KEPT_BYTES:
                self._plans.popitem(last=False)


_plans = _Plans()
