"""Finds the rotation axis of a scan, by methods that fail in different ways, and says whether to believe it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stp3.kernels.axis_fourier import axis_by_fourier
from stp3.kernels.axis_mass import axis_by_mass
from stp3.kernels.axis_pairs import Estimate, axis_by_pairs, stripes_of
from stp3.kernels.threads import share
from stp3.scan import Frames, Scan
from stp3.steps.base import Slab
from stp3.steps.flat_field import FlatField
from stp3.steps.minus_log import MinusLog

Verdict = Literal["green", "amber", "red"]
Method = Callable[[NDArray[np.float32], NDArray[np.float64]], Estimate | None]

BINNED_METHODS: Mapping[str, Method] = {"mass": axis_by_mass, "fourier": axis_by_fourier}
METHODS = ("pairs", *BINNED_METHODS)  # in the order in which they are trusted

_BANDS, _BANDS_LARGE, _LARGE = 5, 3, 1 << 19  # fewer bands of large sinograms
_BINNED_ANGLES, _BINNED_COLUMNS = 600, 700
_BAND_ROWS = 4
_AGREE, _DISAGREE = 0.5, 3.0  # columns
_OUTLIER = 2.0  # columns that a row may be off the line through all rows
_LEAST_SCATTER = 0.05  # columns; rows do not tell the axis better than this
_TILT_TOLD = np.deg2rad(0.2)  # a tilt less certain than this is not told
_SAMPLE = 0.3  # share of the strongest row's signal that a row must have to be used


@dataclass(frozen=True)
class AxisReport:
    """The rotation axis in columns, what each method found, and how far they are apart.

    `verdict` is green when methods agree within half a column, red when they disagree by more than three or none
    found anything. `tilt_deg` is the camera's tilt against the axis, positive when the axis moves to higher columns
    with the row; None when there are too few rows to tell.
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
    bands = _BANDS_LARGE if scan.angles * scan.columns > _LARGE else _BANDS
    middles = np.unique(usable[np.linspace(0, len(usable) - 1, bands + 2).astype(np.intp)[1:-1]])
    starts = np.unique(np.clip(middles - height // 2, 0, scan.rows - height))
    return [range(int(start), int(start) + height) for start in starts]


def _signal(scan: Scan) -> NDArray[np.float64]:
    """How strongly each row of the detector changes with the angle, on a few projections."""
    some = np.unique(np.linspace(0, scan.angles - 1, 5).astype(np.intp))
    lines = _line_integrals(scan, range(scan.rows), some)
    lines = lines[..., ::4] if scan.columns >= 256 else lines
    return np.asarray(np.median(np.abs(lines - lines.mean(axis=0)), axis=0).mean(axis=-1) + 1e-12)


def _measure(scan: Scan, rows: range) -> dict[str, Estimate]:
    """What each method finds in the mean sinogram of a band; all but the first look at it binned and cleaned."""
    sinogram = np.ascontiguousarray(_line_integrals(scan, rows).mean(axis=1))
    found = {"pairs": axis_by_pairs(sinogram, scan.theta)}
    binned, theta, width = _binned(sinogram, scan.theta)
    clean = stripes_of(binned.shape[1]).remove(binned)
    for name, method in BINNED_METHODS.items():
        estimate = method(clean, theta)
        found[name] = estimate and replace(estimate, column=(estimate.column + 0.5) * width - 0.5)
    return {name: estimate for name, estimate in found.items() if estimate is not None}


def _binned(
    sinogram: NDArray[np.float32], theta: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float64], int]:
    """The sinogram with neighbouring angles and columns averaged, its angles, and how many columns became one."""
    angles, columns = sinogram.shape
    turns, width = max(1, angles // _BINNED_ANGLES), max(1, columns // _BINNED_COLUMNS)
    kept_angles, kept_columns = angles // turns * turns, columns // width * width
    shape = (kept_angles // turns, turns, kept_columns // width, width)
    binned = sinogram[:kept_angles, :kept_columns].reshape(shape).mean(axis=(1, 3))
    return binned, np.unwrap(theta)[:kept_angles].reshape(-1, turns).mean(axis=1), width


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
    """The axis of one method over the rows: at the middle row, its slope and the error of that, rows on it, clarity."""

    column: float
    slope: float
    slope_error: float
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
    middle, slope, error = float(np.average(columns, weights=weight)), 0.0, np.inf
    if len(at) >= 3 and np.ptp(at) > 0:
        slope, at_middle = np.polyfit(at, columns, 1, w=weight)
        scatter = np.sqrt(np.sum((columns - at_middle - slope * at) ** 2) / (len(at) - 2))
        error = max(float(scatter), _LEAST_SCATTER) / float(np.sqrt(np.sum((at - at.mean()) ** 2)))
        middle = float(at_middle) if error < _TILT_TOLD else middle
    return _Line(middle, float(slope), error, len(at), float(np.median(clarity) * near.mean()))


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
    columns = [line.column for line in believed.values()]
    spread, middle = float(np.ptp(columns)), float(np.median(columns))
    near = [line for line in believed.values() if abs(line.column - middle) <= _AGREE]
    chosen = near[0] if near else replace(next(iter(believed.values())), column=middle)
    verdict: Verdict = "green" if len(believed) > 1 and spread <= _AGREE else "red" if spread > _DISAGREE else "amber"
    tilt = float(np.rad2deg(np.arctan(chosen.slope))) if chosen.slope_error < _TILT_TOLD else None
    return AxisReport(chosen.column, spread, verdict, tilt, methods)
