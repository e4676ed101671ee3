"""What to believe of what the methods found: one axis out of many estimates, and a colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stp3.kernels.axis_pairs import Estimate

Verdict = Literal["green", "amber", "red"]
Found = tuple[float, Estimate]  # the row, and what was found there


@dataclass(frozen=True)
class _Kind:
    """How far to trust a method: what it looks at, its error at best, with one clear row, and when it is clear."""

    looks_at: str
    least_error: float
    usual_error: float
    clear: float


_KINDS: Mapping[str, _Kind] = {
    "pairs": _Kind("projections", 0.03, 0.25, 1.0),
    "mass": _Kind("mass", 0.25, 0.3, 1.0),
    "fourier": _Kind("sinogram", 0.15, 0.4, 1.0),
    "sharpness": _Kind("slices", 0.03, 0.15, 0.4),
    "entropy": _Kind("slices", 0.1, 0.25, 0.4),
    "negativity": _Kind("slices", 0.25, 0.5, 0.4),
}
METHODS = tuple(_KINDS)

_AGREE, _DISAGREE = 0.5, 3.0  # columns
_OUTLIER = 2.0  # columns that a row may be off the line through all rows
_HELD_UP = 2.0  # rows that the usual error counts for
_TILT_TOLD = np.deg2rad(0.2)  # a tilt less certain than this is not told
_SIGNIFICANT = 3.0  # errors that a slope must differ from 0 by


@dataclass(frozen=True)
class Line:
    """The axis of one method over the rows: at the middle row and its error, its slope and the error of that."""

    method: str
    column: float
    error: float
    slope: float
    slope_error: float
    clarity: float

    @property
    def kind(self) -> _Kind:
        return _KINDS[self.method]

    @property
    def is_believed(self) -> bool:
        return self.clarity >= self.kind.clear and self.error <= _AGREE

    @property
    def trust(self) -> float:
        """About 1 for a line that can just be believed, 2 for a clear one."""
        clear = min(2.0, self.clarity / self.kind.clear)
        return clear if self.error <= _AGREE else clear * _AGREE / self.error / 2

    @property
    def weight(self) -> float:
        return min(1.0, self.clarity / self.kind.clear) / self.error**2


def through_rows(method: str, found: Sequence[Found], rows: int) -> Line:
    """A straight line through the estimates, weighted by their clarity, without those far off."""
    kind = _KINDS[method]
    at = np.array([row for row, _ in found]) - (rows - 1) / 2
    columns = np.array([estimate.column for _, estimate in found])
    clarity = np.array([max(estimate.clarity, 1e-6) for _, estimate in found])
    near = np.abs(columns - _weighted_median(columns, clarity)) <= _OUTLIER + 0.02 * np.abs(at)
    share, at, columns, weight = near.mean(), at[near], columns[near], clarity[near]
    clear = float(np.median(weight) * share)
    column, slope, slope_error, left = float(np.average(columns, weights=weight)), 0.0, np.inf, columns
    least = max(kind.least_error, max(estimate.least_error for _, estimate in found))
    usual = kind.usual_error / min(max(clear / kind.clear, 0.2), 2.0)
    if len(at) >= 3 and np.ptp(at) > 0:
        slope, at_middle = (float(value) for value in np.polyfit(at, columns, 1, w=weight))
        scatter = _scatter(columns - at_middle - slope * at, usual, 2)
        slope_error = max(scatter, least) / float(np.sqrt(np.sum((at - at.mean()) ** 2)))
        if slope_error < _TILT_TOLD:
            column, left = at_middle, columns - slope * at
    error = float(np.hypot(least, _scatter(left - left.mean(), usual, 1) / np.sqrt(len(at))))
    return Line(method, column, error, slope, slope_error, clear)


def _scatter(residuals: NDArray[np.float64], usual: float, fitted: int) -> float:
    """Standard deviation of one row; that of few rows is held up by what is usual."""
    free = max(len(residuals) - fitted, 0)
    return float(np.sqrt((_HELD_UP * usual**2 + np.sum(residuals**2)) / (_HELD_UP + free)))


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


@dataclass(frozen=True)
class Judgement:
    """The axis at the middle row, how far the believed methods are apart, a colour, and the slope they agree on."""

    column: float
    spread: float
    verdict: Verdict
    slope: float | None
    slope_is_significant: bool


def judge(lines: Sequence[Line], otherwise: float) -> Judgement:
    """One axis out of what the methods found; `otherwise` where none found any."""
    if not lines:
        return Judgement(otherwise, 0.0, "red", None, False)
    believed = [line for line in lines if line.is_believed]
    agreeing = max((_around(line, lines) for line in believed or lines), key=_strength)
    column = float(np.average([line.column for line in agreeing], weights=[line.weight for line in agreeing]))
    spread = float(np.ptp([line.column for line in believed or lines]))
    told, significant = _slope(agreeing)
    return Judgement(column, spread, _colour(agreeing, lines, column), told, significant)


def _around(middle: Line, lines: Sequence[Line]) -> list[Line]:
    return [line for line in lines if abs(line.column - middle.column) <= _AGREE]


def _strength(lines: Sequence[Line]) -> float:
    """How much speaks for these lines: each thing looked at counts once, by its clearest witness."""
    best: dict[str, float] = {}
    for line in lines:
        best[line.kind.looks_at] = max(best.get(line.kind.looks_at, 0.0), line.trust)
    return sum(best.values())


def _colour(agreeing: Sequence[Line], lines: Sequence[Line], column: float) -> Verdict:
    """Green: things looked at in different ways agree, and nothing believed says otherwise.

    Red: nothing is believed, what is believed contradicts as strongly, or all else is far away.
    """
    seen = {line.kind.looks_at for line in agreeing if line.is_believed}
    against = [line for line in lines if line.is_believed and line not in agreeing]
    far = [line for line in against if abs(line.column - column) > _DISAGREE]
    contradicted = _strength(against) > _strength(agreeing) / 2
    if len(seen) > 1 and not contradicted and not far:
        return "green"
    near = {line.kind.looks_at for line in lines if abs(line.column - column) <= _DISAGREE}
    alone = len(near) < 2 <= len({line.kind.looks_at for line in lines})
    return "red" if not seen or (contradicted and far) or alone else "amber"


def _slope(lines: Sequence[Line]) -> tuple[float | None, bool]:
    """The slope that the methods agree on, None where none would tell of it; and whether it differs from 0."""
    told = [line for line in lines if line.slope_error < _TILT_TOLD]
    slopes = np.array([line.slope for line in told])
    if not told or np.ptp(slopes) > _TILT_TOLD:
        return None, False
    weights = np.array([1 / line.slope_error**2 for line in told])
    slope, error = float(np.average(slopes, weights=weights)), min(line.slope_error for line in told)
    witnesses = {line.kind.looks_at for line in told if abs(line.slope - slope) <= _SIGNIFICANT * line.slope_error}
    return slope, len(witnesses) > 1 and abs(slope) > _SIGNIFICANT * error
