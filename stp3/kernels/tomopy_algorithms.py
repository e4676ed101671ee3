"""TomoPy's reconstruction algorithms, where TomoPy is installed, in STP3's geometry.

TomoPy 1.15's habits, measured with bodies in known places: gridrec puts the rotation axis half a pixel to the right
and above the middle of its slice; the other algorithms count columns from the detector's left edge. Each row is
given to it alone: gridrec computes neighbours together, which would change their last bits.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from stp3.errors import Stp3Error, UsageFault
from stp3.kernels.angles import density_weights
from stp3.kernels.filters import FilterName, Pad
from stp3.kernels.threads import share
from stp3.kernels.window import Window

Real = NDArray[np.float32]

# "fbp" is left out: TomoPy's does not filter and has no scale
Algorithm = Literal[
    "gridrec", "art", "bart", "grad", "mlem", "osem", "ospml_hybrid", "ospml_quad", "pml_hybrid", "pml_quad", "sirt",
    "tikh", "tv",
]  # fmt: skip
_BLOCKS = ("bart", "osem", "ospml_hybrid", "ospml_quad")
_PENALTIES = ("ospml_hybrid", "ospml_quad", "pml_hybrid", "pml_quad", "tv")
_FILTERS = {
    "ram-lak": "ramlak", "shepp-logan": "shepp", "cosine": "cosine", "hamming": "hamming", "hann": "hann",
    "parzen": "parzen", "none": "none",
}  # fmt: skip
_MISSING = (
    "TomoPy is not installed. Choose another reconstruction, or install it: conda install -c conda-forge tomopy "
    "(it is not on the Python package index)."
)


def tomopy() -> Any:
    """The package. Raises UsageFault where it is not installed."""
    if not find_spec("tomopy"):
        raise UsageFault(_MISSING)
    return import_module("tomopy")


def options(algorithm: str, filter: str, iterations: int, blocks: int, penalty: float) -> dict[str, Any]:
    """The arguments that the algorithm takes, under TomoPy's names."""
    if algorithm == "gridrec":
        return {"filter_name": filter}
    out: dict[str, Any] = {"num_iter": iterations}
    if algorithm in _BLOCKS:
        out["num_block"] = blocks
    if algorithm in _PENALTIES:
        out["reg_par"] = np.array([penalty, 1.0], np.float32)
    if algorithm in ("grad", "tikh"):  # the first number asks for steps of their own choice
        out["reg_par"] = np.array([-1.0, penalty], np.float32)
    return out


def slice_of(
    sinogram: Real, theta: NDArray[np.float64], axis: float, algorithm: Algorithm, pad: str, **more: Any
) -> Real:
    """The slice of one sinogram (angles, columns), in attenuation per pixel. Raises Stp3Error.

    The axes are those of `gridding.reconstruct`; `pad` continues the sinogram for gridrec ("edge" or "zero").
    """
    if algorithm == "gridrec":
        slice_ = _gridrec(sinogram, theta, axis, pad, **more)
    else:
        slice_ = _run(sinogram, theta, axis + 0.5, algorithm, **more)
    if not np.isfinite(slice_).all():
        raise Stp3Error(f"TomoPy's {algorithm} gave values that are no numbers. Fewer blocks, or 1, may help.")
    return slice_


def reconstruct(
    projections: Real,
    theta: NDArray[np.float64],
    rotation_axis: float | NDArray[np.float64],
    *,
    filter: FilterName = "ram-lak",
    cutoff: float = 1.0,
    pad: Pad = "edge",
    pixel_size: float = 1.0,
    window: Window | None = None,
    threads: int = 1,
) -> Real:
    """The slices as `gridding.reconstruct` gives them, by gridrec with filters that it has. Raises UsageFault."""
    if filter not in _FILTERS or cutoff != 1:
        raise UsageFault(
            f"TomoPy has no filter {filter} with cut-off {cutoff:g}. Choose one of {', '.join(_FILTERS)} with cut-off "
            "1, or let STP3 compute."
        )
    tomopy()  # says at once that it is missing; and a package is imported by one thread
    angles, rows, columns = projections.shape
    weights = (density_weights(theta) * angles / np.pi).astype(np.float32)[:, None]  # gridrec takes even steps
    axes = np.broadcast_to(np.asarray(rotation_axis, np.float64), (rows,))
    part = window or Window.whole(columns)
    out = np.empty((rows, *part.shape), np.float32)

    def one(row: int) -> None:
        lines = projections[:, row] * weights
        whole = slice_of(lines, theta, float(axes[row]), "gridrec", pad, filter_name=_FILTERS[filter])
        np.divide(whole[part.top : part.bottom, part.left : part.right], np.float32(pixel_size), out=out[row])

    share(one, range(rows), threads)
    return out


def working_bytes(angles: int, columns: int, window: Window | None = None) -> int:
    """Peak memory of all its threads beside projections and slices."""
    return len(os.sched_getaffinity(0)) * 4 * (20 * angles * columns + 16 * columns**2)


def _gridrec(sinogram: Real, theta: NDArray[np.float64], axis: float, pad: str, **more: Any) -> Real:
    columns = sinogram.shape[1]
    side = -(-columns // 2) * 4  # where it is no multiple of four, gridrec's middle lies elsewhere
    before = (side - columns) // 2
    beyond = ((0, 0), (before, side - columns - before))
    wide = np.pad(sinogram, beyond, mode="edge") if pad == "edge" else np.pad(sinogram, beyond)
    middle = before + (columns - 1) / 2
    move = (middle - side / 2) * np.cos(theta) + (side / 2 - 1 - middle) * np.sin(theta)
    whole = _run(_moved(wide, move), theta, axis + before, "gridrec", **more)
    return np.ascontiguousarray(whole[before : before + columns, before : before + columns])


def _moved(lines: Real, by: NDArray[np.float64]) -> Real:
    """Each line moved to the right by so many columns."""
    turns = np.exp(-2j * np.pi * np.outer(by, scipy.fft.rfftfreq(lines.shape[1])))
    return np.asarray(scipy.fft.irfft(scipy.fft.rfft(lines, axis=1) * turns, lines.shape[1], axis=1), np.float32)


def _run(sinogram: Real, theta: NDArray[np.float64], center: float, algorithm: str, **more: Any) -> Real:
    recon = tomopy().recon
    lines = np.ascontiguousarray(sinogram[:, None], np.float32)
    slices = recon(lines, theta, center=center, sinogram_order=False, algorithm=algorithm, ncore=1, **more)
    return np.asarray(slices[0], np.float32)
