"""Finds the rotation axis of a scan, by methods that fail in different ways, and says whether to believe it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stp3.kernels.axis_fourier import axis_by_fourier
from stp3.kernels.axis_mass import axis_by_mass
from stp3.kernels.axis_pairs import Estimate, axis_by_pairs
from stp3.kernels.threads import share
from stp3.scan import Frames, Scan
from stp3.steps.base import Slab
from stp3.steps.flat_field import FlatField
from stp3.steps.minus_log import MinusLog

Verdict = Literal["green", "amber", "red"]
Method = Callable[[NDArray[np.float32], NDArray[np.float64]], Estimate | None]

# in the order in which they are trusted
METHODS: Mapping[str, Method] = {"pairs": axis_by_pairs, "mass": axis_by_mass, "fourier": axis_by_fourier}

_BANDS = 5
_BAND_ROWS = 4
_AGREE, _DISAGREE = 0.5, 3.0  # columns
_OUTLIER = 2.0  # columns that a row may be off the line through all rows
_SAMPLE = 0.3  # share of the strongest row's signal that a row must have to be used


@dataclass(frozen=True)
class AxisReport:
    """The rotation axis in columns, what each method found, and how far they are apart.

    `verdict` is green when methods agree within half a column, red when they disagree by more than three or none
    found anything. `tilt_deg` is the camera's tilt against the axis, positive when the axis moves to higher columns
    with the row; None when fewer than three rows tell.
    """

    rotation_axis: float
    spread: float
    verdict: Verdict
    tilt_deg: float | None
    methods: dict[str, float]


def find_rotation_axis(scan: Scan, *, threads: int = 1) -> AxisReport:
    """The rotation axis, measured on up to five bands of rows where the sample is."""
    bands = _bands(scan)
    found: dict[str, list[tuple[float, Estimate]]] = {name: [] for name in METHODS}
    for rows, estimates in zip(bands, share(partial(_measure, scan), bands, threads), strict=True):
        for name, estimate in estimates.items():
            found[name].append(((rows.start + rows.stop - 1) / 2, estimate))
    lines = {name: _through_rows(rows, scan.rows) for name, rows in found.items() if rows}
    return _judge(lines, scan)


def _bands(scan: Scan) -> list[range]:
    """Bands of neighbouring rows, spread over where the sample is."""
    signal = _signal(scan)
    usable = np.flatnonzero(signal >= _SAMPLE * signal.max())
    height = min(_BAND_ROWS, max(1, scan.rows // _BANDS))
    middles = np.unique(usable[np.linspace(0, len(usable) - 1, _BANDS + 2).astype(np.intp)[1:-1]])
    starts = np.unique(np.clip(middles - height // 2, 0, scan.rows - height))
    return [range(int(start), int(start) + height) for start in starts]


def _signal(scan: Scan) -> NDArray[np.float64]:
    """How strongly each row of the detector changes with the angle, on a few projections."""
    some = np.unique(np.linspace(0, scan.angles - 1, 5).astype(np.intp))
    lines = _line_integrals(scan, range(scan.rows), some)
    lines = lines[..., ::4] if scan.columns >= 256 else lines
    return np.median(np.abs(lines - lines.mean(axis=0)), axis=0).mean(axis=-1) + 1e-12


def _measure(scan: Scan, rows: range) -> dict[str, Estimate]:
    """What each method finds in the mean sinogram of a band."""
    sinogram = np.ascontiguousarray(_line_integrals(scan, rows).mean(axis=1))
    estimates = {name: method(sinogram, scan.theta) for name, method in METHODS.items()}
    return {name: estimate for name, estimate in estimates.items() if estimate is not None}


def _line_integrals(scan: Scan, rows: range, frames: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
    """Flat-field corrected line integrals of those rows and projections, shape (frames, rows, columns)."""

    def read(stack: Frames | None) -> NDArray[np.float32] | None:
        return None if stack is None else np.asarray(stack.read(rows), np.float32)

    data = np.asarray(scan.projections.read(rows, frames), np.float32)
    whole = frames is None
    slab = Slab(
        data=data,
        rows=rows,
        theta=scan.theta if frames is None else scan.theta[frames],
        rotation_axis=(scan.columns - 1) / 2,
        flats=read(scan.flats),
        darks=read(scan.darks),
        flat_times=scan.flat_times if whole else None,
    )
    corrected = FlatField.apply(slab, FlatField.Parameters())
    return MinusLog.apply(corrected, MinusLog.Parameters()).data


@dataclass(frozen=True)
class _Line:
    """The axis of one method over the rows: at the middle row, its slope, how many rows lie on it, how clearly."""

    column: float
    slope: float
    rows: int
    clarity: float


def _through_rows(found: list[tuple[float, Estimate]], rows: int) -> _Line:
    """A straight line through the estimates, weighted by their clarity, without those far off."""
    at = np.array([row for row, _ in found]) - (rows - 1) / 2
    columns = np.array([estimate.column for _, estimate in found])
    clarity = np.array([max(estimate.clarity, 1e-6) for _, estimate in found])
    middle = _weighted_median(columns, clarity)
    near = np.abs(columns - middle) <= _OUTLIER + 0.02 * np.abs(at)
    at, columns, weight = at[near], columns[near], clarity[near]
    slope = 0.0
    if len(at) >= 3 and np.ptp(at) >= 4:
        slope, middle = np.polyfit(at, columns, 1, w=weight)
        middle = middle if abs(middle - np.average(columns, weights=weight)) < 1 else _weighted_median(columns, weight)
    else:
        middle = float(np.average(columns, weights=weight))
    return _Line(float(middle), float(slope), len(at), float(np.median(clarity) * near.mean()))


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _judge(lines: dict[str, _Line], scan: Scan) -> AxisReport:
    """One axis out of what the methods found."""
    methods = {name: line.column for name, line in lines.items()}
    believed = {name: line for name, line in lines.items() if line.clarity >= 1}
    if not believed:
        values = list(methods.values()) or [(scan.columns - 1) / 2]
        best = max(lines.values(), key=lambda line: line.clarity).column if lines else values[0]
        return AxisReport(best, float(np.ptp(values)), "red", None, methods)
    chosen = next(iter(believed.values()))
    spread = float(np.ptp([line.column for line in believed.values()]))
    verdict: Verdict = "green" if len(believed) > 1 and spread <= _AGREE else "red" if spread > _DISAGREE else "amber"
    tilt = float(np.rad2deg(np.arctan(chosen.slope))) if chosen.rows >= 3 else None
    return AxisReport(chosen.column, spread, verdict, tilt, methods)
