"""Finds the rotation axis of a scan, by methods that fail in different ways, and says whether to believe it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stp3.axis_verdict import METHODS, Found, Verdict, judge, through_rows
from stp3.kernels.axis_fourier import axis_by_fourier
from stp3.kernels.axis_mass import axis_by_mass
from stp3.kernels.axis_pairs import Estimate, axis_by_pairs, stripes_of
from stp3.kernels.axis_slices import agreement, axis_by_slices, closer, wide_sweep
from stp3.kernels.stripe_removal import remove_stripes
from stp3.kernels.threads import share
from stp3.scan import Frames, Scan
from stp3.steps.base import Slab
from stp3.steps.flat_field import FlatField
from stp3.steps.minus_log import MinusLog

_BANDS, _BANDS_LARGE, _LARGE = 5, 3, 1 << 19  # fewer bands of large sinograms
_BINNED = 500, 1024  # about the most angles of a half turn and columns that mass and Fourier look at
_SLICED = 360, 512  # ... that slices are made of
_SLICED_FINELY = 720, 1024
_SEARCHED = 240, 256  # ... near every guess
_SWEPT = 200, 200  # ... in a sweep over all axes
_BAND_ROWS = 4
_SAMPLE = 0.3  # share of the strongest row's signal that a row must have to be used
_COUNTS = -1.0  # line integrals below it are counts that no flat divided
_SAME = 8.0  # columns of the wide sweep within which two guesses are one
_SETTLED = 0.3  # agreement of the marks of slices at which no other band is searched
_WHOLE_TURN = 1.9 * np.pi

Side = Literal["left", "right"]


@dataclass(frozen=True)
class AxisReport:
    """The rotation axis in columns, what each method found, and how far those that are believed are apart.

    `rotation_axis` is that of the middle row, (rows - 1) / 2. `verdict` is green when methods that look at different
    things agree within half a column and nothing believed contradicts, red when nothing is believed, or the rest is
    more than three columns away. `tilt_deg` is the camera's tilt against the axis, positive when the axis
    moves to higher columns with the row, None when there are too few rows to tell; `slope` is the same in columns a
    row, and 0 unless methods agree on one that differs from it. Over a whole turn `overlap` columns are seen from
    both sides, at this `side` of the detector; None over half a turn.
    """

    rotation_axis: float
    spread: float
    verdict: Verdict
    tilt_deg: float | None
    methods: dict[str, float]
    slope: float = 0.0
    overlap: float | None = None
    side: Side | None = None

    def on_detector(self, scan: Scan) -> dict[str, float]:
        """Column, row and tilt (degrees) as the step `rotation_axis` takes them, of the scan that was looked at.

        Rounded far below what can be measured: the last digits depend on how many threads a library used.
        """
        return {
            "column": round(scan.on_detector(self.rotation_axis), 3),
            "row": scan.row_on_detector((scan.rows - 1) / 2),
            "tilt": round(float(np.rad2deg(np.arctan(self.slope))), 4),
        }


@dataclass(frozen=True)
class _Band:
    """The mean sinogram of some rows, and what was found in it."""

    row: float
    sinogram: NDArray[np.float32]
    theta: NDArray[np.float64]
    found: dict[str, Estimate] = field(default_factory=dict)

    def binned(self, most: tuple[int, int]) -> _Binned:
        """The sinogram with neighbouring angles and columns averaged until they are few enough, without stripes."""
        angles, columns = self.sinogram.shape
        half_turns = max(1, round(float(np.ptp(self.theta)) / np.pi))
        turns, width = max(1, angles // (most[0] * half_turns)), -(-columns // most[1])
        kept_angles, kept_columns = angles // turns * turns, columns // width * width
        over_angles = self.sinogram[:kept_angles].reshape(-1, turns, columns).mean(axis=1)
        parts = [over_angles[:, first:kept_columns:width] for first in range(width)]
        lines = sum(parts[1:], parts[0]) / np.float32(width)
        theta = np.unwrap(self.theta)[:kept_angles].reshape(-1, turns).mean(axis=1)
        clean = remove_stripes(lines[:, None], stripes_of(lines.shape[1]), lines[:, None])[:, 0]
        return _Binned(clean, theta, width)


@dataclass(frozen=True)
class _Binned:
    """A sinogram of which `width` columns became one."""

    lines: NDArray[np.float32]
    theta: NDArray[np.float64]
    width: int

    def columns(self, estimate: Estimate) -> Estimate:
        """What was found here, in columns of the detector."""
        column = (estimate.column + 0.5) * self.width - 0.5
        return replace(estimate, column=column, least_error=estimate.least_error * self.width)

    def from_columns(self, estimate: Estimate) -> Estimate:
        """What was found in columns of the detector, in columns here."""
        return replace(estimate, column=(estimate.column + 0.5) / self.width - 0.5)


def find_rotation_axis(scan: Scan, *, threads: int = 1) -> AxisReport:
    """The rotation axis, measured on up to five bands of rows where the sample is."""
    bands = share(partial(_measure, scan), _rows(scan), threads)
    bands = _with_slices(bands, threads)
    found: dict[str, list[Found]] = {name: [] for name in METHODS}
    for band in bands:
        for name, estimate in band.found.items():
            found[name].append((band.row, estimate))
    lines = [through_rows(name, rows, scan.rows) for name, rows in found.items() if rows]
    said = judge(lines, otherwise=(scan.columns - 1) / 2)
    overlap, side = _overlap(scan, said.column)
    return AxisReport(
        rotation_axis=said.column,
        spread=said.spread,
        verdict=said.verdict,
        tilt_deg=None if said.slope is None else float(np.rad2deg(np.arctan(said.slope))),
        methods={line.method: line.column for line in lines},
        slope=said.slope if said.slope is not None and said.slope_is_significant else 0.0,
        overlap=overlap,
        side=side,
    )


def _overlap(scan: Scan, column: float) -> tuple[float | None, Side | None]:
    if np.ptp(scan.theta) < _WHOLE_TURN:
        return None, None
    return 2 * min(column, scan.columns - 1 - column) + 1, "left" if column < (scan.columns - 1) / 2 else "right"


def _rows(scan: Scan) -> list[range]:
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


def _measure(scan: Scan, rows: range) -> _Band:
    """The band of those rows, and what the methods that look anywhere on the detector find in it."""
    sinogram = np.ascontiguousarray(_line_integrals(scan, rows).mean(axis=1))
    if np.median(sinogram) < _COUNTS:
        sinogram -= sinogram.mean(axis=0)  # what the beam and the detector do, and no flat took away
    band = _Band((rows.start + rows.stop - 1) / 2, sinogram, scan.theta)
    binned = band.binned(_BINNED)
    mass, fourier = (method(binned.lines, binned.theta) for method in (axis_by_mass, axis_by_fourier))
    found = {
        "pairs": axis_by_pairs(sinogram, scan.theta),
        "mass": mass and binned.columns(mass),
        "fourier": fourier and binned.columns(fourier),
    }
    return replace(band, found={name: estimate for name, estimate in found.items() if estimate})


def _with_slices(bands: Sequence[_Band], threads: int) -> list[_Band]:
    """The bands with what their slices say near the axis that one band's slices, searched widely, say."""
    guess: float | None = None
    best = 0.0
    for band in (bands[len(bands) // 2], bands[0]):
        coarse = band.binned(_SEARCHED)
        found = _near(_guesses(band, threads), band, coarse, threads)
        if found and (guess is None or agreement(found) > best):
            guess, best = coarse.columns(found["sharpness"]).column, agreement(found)
        if best >= _SETTLED:
            break
    if guess is None:
        return list(bands)
    sliced = share(partial(_by_slices, guess, max(1, threads // len(bands))), bands, threads)
    return [replace(band, found={**band.found, **more}) for band, more in zip(bands, sliced, strict=True)]


def _guesses(band: _Band, threads: int) -> list[float]:
    """Axes worth a closer look: what was found already, and what stands out in a wide sweep."""
    swept = band.binned(_SWEPT)
    wide = [swept.columns(Estimate(column, 0)).column for column in wide_sweep(swept.lines, swept.theta, threads)]
    guesses: list[float] = []
    for column in [*(estimate.column for estimate in band.found.values()), *wide]:
        if all(abs(column - guess) > _SAME * swept.width for guess in guesses):
            guesses.append(column)
    return guesses


def _by_slices(guess: float, threads: int, band: _Band) -> dict[str, Estimate]:
    """What the slices of a band say near a guess; they are believed as far as their marks agree."""
    binned, fine = band.binned(_SLICED), band.binned(_SLICED_FINELY)
    found = _near([guess], band, binned, threads)
    if found and fine.width < binned.width:
        found = {name: fine.from_columns(binned.columns(estimate)) for name, estimate in found.items()}
        binned, found = fine, closer(fine.lines, fine.theta, found, threads)
    clear = agreement(found)
    return {
        name: binned.columns(replace(estimate, clarity=min(clear, estimate.clarity)))
        for name, estimate in found.items()
    }


def _near(guesses: Sequence[float], band: _Band, binned: _Binned, threads: int) -> dict[str, Estimate]:
    here = [binned.from_columns(Estimate(guess, 0)).column for guess in guesses]
    return axis_by_slices(binned.lines, binned.theta, here, "mass" in band.found, threads)


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
