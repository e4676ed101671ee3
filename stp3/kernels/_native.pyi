"""The compiled module; it is missing where STP3 was installed without a C++ compiler."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

def instruction_sets() -> list[str]: ...
def fft(signals: NDArray[np.complex64], inverse: bool, instructions: str) -> None: ...
def to_grey(
    slices: NDArray[np.float32],
    low: float | np.float32,
    scale: float | np.float32,
    out: NDArray[Any],
    threads: int,
    instructions: str = "",
) -> None: ...
def extent(values: NDArray[np.float32], threads: int, instructions: str = "") -> tuple[float, float, int]: ...
def count_values(
    values: NDArray[np.float32],
    low: float,
    high: float,
    scale: float,
    first: int,
    counts: NDArray[np.uint64],
    threads: int,
    instructions: str = "",
) -> None: ...
def count_greys(values: NDArray[Any], counts: NDArray[np.uint64], threads: int) -> None: ...
def weighted_sums(
    weights: NDArray[np.float32],
    lines: NDArray[np.float32],
    out: NDArray[np.float32],
    threads: int,
    instructions: str = "",
) -> None: ...
def subtract_weighted(
    base: NDArray[np.float32],
    weights: NDArray[np.float32],
    lines: NDArray[np.float32],
    out: NDArray[np.float32],
    threads: int,
    instructions: str = "",
) -> None: ...
def warp(
    frames: NDArray[np.float32],
    out: NDArray[np.float32],
    rows: NDArray[np.int32],
    columns: NDArray[np.int32],
    down: NDArray[np.float32],
    across: NDArray[np.float32],
    instructions: str = "",
) -> None: ...
def correct_counts(
    counts: NDArray[np.generic],
    out: NDArray[np.float32],
    open_beam: bool,
    dark: NDArray[np.float32],
    flats: NDArray[np.float32],
    earlier: NDArray[np.int32],
    later: NDArray[np.float32],
    air: NDArray[np.float32],
    window: int,
    threshold: float,
    floor: float,
    threads: int,
    instructions: str = "",
) -> None: ...
def filter_room(angles: int, rows: int, padded: int, reach: int, instructions: str = "") -> int: ...
def filter_projections(
    projections: NDArray[np.float32],
    first: int,
    out: NDArray[np.float32],
    padded: int,
    taps: NDArray[np.float32],
    lengths: NDArray[np.int32],
    room: NDArray[np.float32],
    instructions: str = "",
) -> None: ...

class Reconstructor:
    def __init__(
        self,
        theta: NDArray[np.float64],
        weights: NDArray[np.float64],
        columns: int,
        padded: int,
        picture: tuple[int, int],
        grid: tuple[int, int],
        centre: tuple[float, float],
        edge: bool,
        instructions: str = "",
    ) -> None: ...
    def reconstruct(
        self,
        projections: NDArray[np.float32],
        response: NDArray[np.float32],
        axes: NDArray[np.float64],
        out: NDArray[np.float32],
        threads: int,
        grids: int = 1,
    ) -> None: ...
    @property
    def working_bytes(self) -> int: ...
    @property
    def lanes(self) -> int: ...
    @property
    def instructions(self) -> str: ...

class StripeRemover:
    def __init__(
        self,
        angles: int,
        rows: int,
        columns: int,
        *,
        dead: bool = False,
        large: bool = False,
        snr: float = 3.0,
        size_large: int = 1,
        size_small: int = 1,
        analysis: NDArray[np.float64] | None = None,
        synthesis: NDArray[np.float64] | None = None,
        weights: NDArray[np.float64] | None = None,
        instructions: str = "",
    ) -> None: ...
    def working_bytes(self, threads: int) -> int: ...
    def remove(
        self,
        sinograms: NDArray[np.float32],
        out: NDArray[np.float32],
        memory: NDArray[np.uint8],
        threads: int,
    ) -> None: ...
