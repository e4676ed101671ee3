"""Filtered back-projection of parallel-beam scans."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from stp3 import config
from stp3.kernels.filters import FilterName, Pad
from stp3.kernels.reconstruction import reconstruct, working_bytes
from stp3.kernels.window import Window
from stp3.steps.base import AUTO, Slab, Step, StepParameters, parameter


class FilteredBackProjection(Step):
    """Slices from sinograms, by direct Fourier inversion; in 1/cm when the pixel size is known, else 1/pixel."""

    name = "fbp"
    title = "Filtered back-projection"
    domain = "reconstruction"
    paper = "O'Sullivan, IEEE Trans. Med. Imaging 4:200 (1985)"

    class Parameters(StepParameters):
        filter: FilterName = parameter(
            "shepp-logan",
            "How fine detail is weighed against noise, listed from sharp and noisy (ram-lak) to smooth (flat-top). "
            "None shows the plain back-projection.",
            title="Filter",
        )
        cutoff: float = parameter(
            1.0,
            "The finest detail that passes, as a share of what the pixels can hold. Lower removes noise and detail.",
            title="Cut-off",
            gt=0.0,
            le=1.0,
            expert=True,
        )
        pad: Literal["edge", "zero"] = parameter(
            "edge",
            "What is assumed beside the detector. Edge repeats the last column: right when the sample is wider than "
            "the field of view. Zero assumes air.",
            title="Beyond the edge",
            expert=True,
        )
        window: tuple[int, int, int, int] | Literal["all"] = parameter(
            "all",
            "The part of the slice that is wanted, as [left, right, top, bottom] in pixels of the whole slice: "
            "[100, 612, 50, 562] is 512 pixels wide and high. A small part takes less time and room.",
            title="Part of the slice",
            expert=True,
        )
        rotate: float = parameter(
            0.0,
            "Turns the slices about the rotation axis, anticlockwise. Nothing is blurred by it.",
            title="Turn the slice",
            unit="°",
            ge=-360.0,
            le=360.0,
            expert=True,
        )

        engine: Literal["auto", "cpu", "gpu", "astra", "tomopy"] = parameter(
            "auto",
            "What computes: STP3 on the processor (cpu) or on a graphics card (gpu), or another program where it is "
            "installed: ASTRA (on a graphics card if there is one), or TomoPy's gridrec. Auto is what the facility has "
            "chosen for its machines.",
            title="Computed on",
            expert=True,
        )

    @classmethod
    def settle(cls, parameters: Any, columns: int) -> Any:
        chosen = config.engine() if parameters.engine == AUTO else parameters.engine
        return parameters.model_copy(update={"engine": chosen})

    @classmethod
    def slice_shape(cls, parameters: Any, shape: tuple[int, int]) -> tuple[int, int]:
        window = _window(parameters, shape[1])
        return window.checked().shape if window else shape

    @classmethod
    def memory_factor(cls, parameters: Any) -> float:
        return 2.5

    @classmethod
    def memory_fixed(cls, parameters: Any, angles: int, columns: int) -> int:
        return working_bytes(angles, columns, _window(parameters, columns), parameters.engine)

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """Slices (rows, y, x) centred on the rotation axis, or the wanted part of them. Raises UsageFault."""
        pad: Pad = parameters.pad
        window = _window(parameters, slab.data.shape[2])
        data = reconstruct(
            slab.data,
            slab.theta + np.deg2rad(parameters.rotate),
            slab.axes,
            filter=parameters.filter,
            cutoff=parameters.cutoff,
            pad=pad,
            pixel_size=slab.pixel_cm,
            window=window,
            threads=slab.threads,
            engine=parameters.engine,
        )
        return slab.with_data(data, window=window)


def _window(parameters: Any, columns: int) -> Window | None:
    if parameters.window == "all":
        return None
    left, right, top, bottom = parameters.window
    return Window(left, right, top, bottom, columns)
