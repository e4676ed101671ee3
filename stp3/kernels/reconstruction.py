"""Filtered back-projection by the means that was chosen; on the processor by the fastest this installation has: the
compiled kernel, or SciPy without it.
"""

from __future__ import annotations

import logging
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stp3.kernels.filters import FilterName, Pad
from stp3.kernels.window import Window

Engine = Literal["cpu", "gpu", "astra", "tomopy"]
"""STP3 on the processor or on a graphics card, the ASTRA toolbox (on a graphics card where it finds one), TomoPy."""

_SLOW = (
    "STP3 was installed without its compiled kernel and reconstructs with SciPy, several times slower. "
    "Install a C++ compiler (Debian: sudo apt-get install g++ python3-dev) and install STP3 again."
)


@cache
def is_compiled() -> bool:
    """Whether the compiled kernel is there; says so in the log, once, when it is not."""
    if find_spec("stp3.kernels._native") is not None:
        return True
    logging.getLogger(__name__).warning(_SLOW)
    return False


def compiled_for() -> str:
    """How STP3 reconstructs on this processor, in words, for the provenance of a volume."""
    if not is_compiled():
        return "SciPy (no compiled kernel)"
    from stp3.kernels.compiled_gridding import instruction_sets

    return f"compiled for {instruction_sets()[0]}"


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
    engine: Engine = "cpu",
) -> NDArray[np.float32]:
    """The slices, shape (rows, *window.shape), in attenuation per unit of `pixel_size`; see `gridding.reconstruct`.

    Raises UsageFault. STP3's own means agree to 2e-4 of the slice's range inside the field of view; ASTRA interpolates
    between columns, which smooths by a pixel; TomoPy's values are an eighth too high.
    """
    part = window.checked() if window else None
    means = partial(_on_gpu, threads=1) if engine == "gpu" else partial(_means(engine).reconstruct, threads=threads)
    slices: NDArray[np.float32] = means(
        projections, theta, rotation_axis, filter=filter, cutoff=cutoff, pad=pad, pixel_size=pixel_size, window=part
    )
    return slices


def working_bytes(angles: int, columns: int, window: Window | None = None, engine: Engine = "cpu") -> int:
    """Peak memory of a reconstruction beside projections and slices; that of the GPU is not counted."""
    return int(_means(engine).working_bytes(angles, columns, window))


def _means(engine: Engine) -> Any:
    # Imported when first used: all bring SciPy, which reading a recipe should not cost.
    other = {"gpu": "gridding", "astra": "astra_projector", "tomopy": "tomopy_algorithms"}
    return import_module(f"stp3.kernels.{other.get(engine, 'compiled_gridding' if is_compiled() else 'gridding')}")


def _on_gpu(*given: Any, **settings: Any) -> Any:
    gridding, arrays = import_module("stp3.kernels.gridding"), import_module("stp3.kernels.arrays")
    return gridding.reconstruct(*given, arrays=arrays.gpu(), **settings)
