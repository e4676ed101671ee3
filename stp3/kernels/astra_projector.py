"""Projection by the ASTRA toolbox, where its user has installed it: on the GPU where there is one.

ASTRA is GPL-3 and no part of STP3; STP3 works without it and never installs it.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from stp3.errors import UsageFault
from stp3.kernels.angles import density_weights
from stp3.kernels.filters import FilterName, Pad, filter_response
from stp3.kernels.projector import Projector
from stp3.kernels.window import Window

Real = NDArray[np.float32]

_MISSING = (
    "The ASTRA toolbox is not installed. Choose the projector stp3, or install ASTRA (it is under the GPL 3): "
    "pip install astra-toolbox, or with conda: conda install -c astra-toolbox -c nvidia astra-toolbox."
)


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
    """The slices as `gridding.reconstruct` gives them: filtered here, back-projected by ASTRA. Raises UsageFault."""
    _, rows, columns = projections.shape
    axes = np.broadcast_to(np.asarray(rotation_axis, np.float64), (rows,))
    part = window or Window.whole(columns)
    out = np.empty((rows, *part.shape), np.float32)
    for row in range(rows):
        lines = _filtered(projections[:, row], theta, filter, cutoff, pad)
        lines *= np.float32(1 / pixel_size)
        whole = AstraProjector(theta, columns, axes[row], threads).adjoint(lines[None])[0]
        out[row] = whole[part.top : part.bottom, part.left : part.right]
    return out


def working_bytes(angles: int, columns: int, window: Window | None = None) -> int:
    """Peak memory of `reconstruct` beside projections and slices."""
    padded: int = scipy.fft.next_fast_len(2 * columns, real=True)
    return 8 * (4 * angles * padded + 2 * columns**2)


def _filtered(lines: Real, theta: NDArray[np.float64], filter: FilterName, cutoff: float, pad: Pad) -> Real:
    """The lines (angles, columns) through the filter, each with the share of the half turn it stands for."""
    columns = lines.shape[1]
    padded = scipy.fft.next_fast_len(2 * columns, real=True)
    padded += padded % 2
    wide = np.zeros((len(lines), padded), np.float32)
    wide[:, :columns] = lines
    if pad == "edge":  # to the right, and around the end to the left
        middle = (columns + padded) // 2
        wide[:, columns:middle] = lines[:, -1:]
        wide[:, middle:] = lines[:, :1]
    response = filter_response(filter, padded, cutoff) * density_weights(theta)[:, None]
    spectrum = scipy.fft.rfft(wide, axis=1) * response.astype(np.float32)
    return np.ascontiguousarray(scipy.fft.irfft(spectrum, padded, axis=1)[:, :columns], np.float32)


class AstraProjector(Projector):
    """The same as `Projector` by ASTRA's "linear" projector, or "cuda". Raises UsageFault where there is no ASTRA."""

    def __init__(
        self, theta: NDArray[np.float64], columns: int, axes: NDArray[np.float64] | float, threads: int = 1
    ) -> None:
        super().__init__(theta, columns, axes, threads)
        if not find_spec("astra"):
            raise UsageFault(_MISSING)
        self._astra: Any = import_module("astra")
        self._kind = "cuda" if self._astra.use_cuda() else "linear"

    def forward(self, slices: Real) -> Real:
        """The sinograms of these slices."""
        return np.stack([self._run(row, lambda pair, one=one: pair.FP(one)) for row, one in enumerate(slices)])

    def adjoint(self, sinograms: Real) -> Real:
        """The sinograms smeared back; on the GPU not the exact adjoint, as ASTRA's own methods have it."""
        return np.stack([self._run(row, lambda pair, one=one: pair.BP(one)) for row, one in enumerate(sinograms)])

    def filtered_adjoint(self, sinograms: Real, response: NDArray[np.float64]) -> Real:
        """The same after a filter; its tails beyond the detector are lost."""
        lines = scipy.fft.rfft(sinograms, self.padded, axis=2) * response.astype(np.float32)
        return self.adjoint(scipy.fft.irfft(lines, self.padded, axis=2)[:, :, : self.columns])

    def without_negative_weights(self, sinograms: Real) -> tuple[Projector, Real]:
        """Itself: ASTRA's weights are lengths."""
        return self, sinograms

    def _run(self, row: int, work: Any) -> Real:
        astra, n = self._astra, self.columns
        picture = astra.create_vol_geom(n, n)
        beam = astra.create_proj_geom("parallel_vec", n, self._vectors(float(self.axes[row % len(self.axes)])))
        projector = astra.create_projector(self._kind, beam, picture)
        try:
            return np.array(work(astra.OpTomo(projector)), np.float32)
        finally:
            astra.projector.delete(projector)

    def _vectors(self, axis: float) -> NDArray[np.float64]:
        """For each angle: the rays' direction, the detector's centre, and one column's step."""
        cos, sin = np.cos(self.theta), np.sin(self.theta)
        centre = (self.columns - 1) / 2 - axis
        return np.stack([sin, -cos, centre * cos, centre * sin, cos, sin], axis=1)
