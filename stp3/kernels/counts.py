"""From the detector's counts to transmission and line integrals, in one pass over memory.

Three things are done to each value while it is at hand, and each may be left out: division by the open beam,
replacement of outliers by the median of their neighbours, and minus the logarithm. Done together or one after the
other they give the same bits. The C++ is in `native/counts.cpp`; without a compiler NumPy does the same to 1e-6.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stp3.errors import UsageFault
from stp3.kernels.reconstruction import is_compiled
from stp3.kernels.threads import pieces, share

Floats = NDArray[np.float32]

_TYPES = ("uint8", "uint16", "int16", "uint32", "int32", "float32", "float64")
_LEAST, _MOST = np.finfo(np.float32).tiny, np.finfo(np.float32).max
_TOGETHER = 32  # projections that a thread corrects at once in NumPy
_NO_FRAMES = np.empty((0, 1, 1), np.float32)
_NO_LINE = np.empty(0, np.float32)


@dataclass(frozen=True)
class Beam:
    """What the detector sees without a sample, at one moment or several.

    `dark` is (rows, columns); `flats` are (moments, rows, columns). Projection i lies between flat `earlier[i]` and the
    next one, whose share is `later[i]`; both are empty where there is one flat only.
    """

    dark: Floats
    flats: Floats
    earlier: NDArray[np.int32]
    later: Floats

    @classmethod
    def steady(cls, dark: Floats, flat: Floats) -> Beam:
        """The same for all projections."""
        return cls(dark, flat[None], np.empty(0, np.int32), _NO_LINE)

    @classmethod
    def drifting(cls, dark: Floats, flats: Floats, times: NDArray[np.float64], angles: int) -> Beam:
        """Linear in time between flats taken at `times` (in projection numbers, ascending), constant outside."""
        if len(times) == 1:
            return cls.steady(dark, flats[0])
        moments = np.arange(angles, dtype=np.float64)
        after = np.clip(np.searchsorted(times, moments), 1, len(times) - 1)
        later = np.clip((moments - times[after - 1]) / (times[after] - times[after - 1]), 0, 1)
        return cls(dark, flats, (after - 1).astype(np.int32), later.astype(np.float32))

    @classmethod
    def jumping(cls, dark: Floats, first: Floats, second: Floats, jumped: NDArray[np.bool_]) -> Beam:
        """The second flat for the projections that `jumped` marks, the first for the others."""
        return cls(dark, np.stack([first, second]), np.zeros(len(jumped), np.int32), jumped.astype(np.float32))

    def part(self, columns: slice) -> Beam:
        """The same for some of the columns."""
        return Beam(self.dark[:, columns], self.flats[:, :, columns], self.earlier, self.later)

    def light(self) -> Floats:
        """Of one flat the reciprocal of what it is brighter than the dark, not a number where it is not; of several
        the differences themselves."""
        bright = self.flats - self.dark
        if len(bright) > 1:
            return bright
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(bright > 0, 1 / bright, np.float32(np.nan))


def correct(
    counts: NDArray[np.generic],
    out: Floats,
    *,
    beam: Beam | None = None,
    open_beam: bool = False,
    air: Floats | None = None,
    window: int = 1,
    threshold: float = 0.0,
    floor: float = 0.0,
    threads: int = 1,
    instructions: str = "",
) -> None:
    """Writes what becomes of `counts` (angles, rows, columns) into `out`, float32 of that shape; they may be one array.

    `beam` makes them transmission, 1 where there is no beam. `open_beam` makes 1 of what is not finite. `air`
    (angles, rows, 2) is what open beam still is at the first and at the last column, to be divided by. Values
    further than `threshold` from the median of the `window` x `window` pixels around them (1: none are looked at; edges
    are repeated) are replaced by it. `floor` above 0 takes -ln of the value or the floor, whichever is larger.
    Both arrays may have any strides between angles and rows. Raises UsageFault for arguments that do not fit together.
    """
    if floor:
        floor = max(floor, float(_LEAST))
    if not is_compiled():
        return _by_numpy(counts, out, beam, open_beam, air, window, threshold, floor, threads)
    from stp3.kernels._native import correct_counts

    none = _NO_FRAMES, _NO_FRAMES, np.empty(0, np.int32), _NO_LINE
    light = none if beam is None else (_dense(beam.dark[None]), _dense(beam.light()), beam.earlier, beam.later)
    levels = _NO_FRAMES if air is None else _dense(air)
    what = open_beam or beam is not None, *light, levels, window, threshold, floor
    try:
        correct_counts(_readable(counts), out, *what, threads, instructions)
    except ValueError as error:
        raise UsageFault(str(error)) from error
    except TypeError as error:
        raise UsageFault(f"out must be a writable float32 array, got {out.dtype} {out.shape}.") from error
    return None


def air_levels(
    counts: NDArray[np.generic], beam: Beam | None, left: int, right: int, threads: int = 1
) -> Floats | None:
    """What open beam is at the first and the last column of each line, shape (angles, rows, 2), 1 where it cannot be.

    Seen in the first `left` and the last `right` columns, whose medians a straight line joins; None without either.
    """
    columns = counts.shape[2]
    if left + right > columns:
        raise UsageFault(f"the air at the left and right takes {left + right} columns of {columns}. Take fewer.")
    seen = []
    for some in (slice(0, left), slice(columns - right, columns)):
        if some.start < some.stop:
            values = np.empty((*counts.shape[:2], some.stop - some.start), np.float32)
            correct(counts[:, :, some], values, beam=beam and beam.part(some), open_beam=True, threads=threads)
            seen.append(((some.start + some.stop - 1) / 2, np.median(values, axis=2).astype(np.float64)))
    if not seen:
        return None
    (first, low), (last, high) = seen[0], seen[-1]
    slope = (high - low) / max(last - first, 1)
    ends = np.stack([low - slope * first, low + slope * (columns - 1 - first)], axis=2)
    ends[~(np.isfinite(ends) & (ends > 0)).all(axis=2)] = 1
    return ends.astype(np.float32)


def _readable(counts: NDArray[np.generic]) -> NDArray[np.generic]:
    """The counts in a type and a layout that the kernel reads; themselves wherever they are."""
    if counts.dtype not in _TYPES:  # a foreign byte order is another type
        return counts.astype(np.float32)
    whole = all(stride % counts.itemsize == 0 for stride in counts.strides)
    beside = counts.shape[-1] == 1 or counts.strides[-1] == counts.itemsize
    return counts if whole and beside and counts.flags.aligned else np.ascontiguousarray(counts)


def _dense(frames: Floats) -> Floats:
    return np.ascontiguousarray(frames, np.float32)


def _by_numpy(
    counts: NDArray[np.generic],
    out: Floats,
    beam: Beam | None,
    open_beam: bool,
    air: Floats | None,
    window: int,
    threshold: float,
    floor: float,
    threads: int,
) -> None:
    if counts.shape != out.shape:
        raise UsageFault(f"out must have the shape of the counts, {counts.shape}, got {out.shape}.")
    light = None if beam is None else beam.light()
    columns = counts.shape[2]
    across = np.arange(columns, dtype=np.float32) * np.float32(1 / max(columns - 1, 1))

    def divide(some: slice) -> None:
        part = out[some]
        np.copyto(part, counts[some], casting="unsafe")
        if beam is not None and light is not None:
            _divide(part, some, beam, light)
        if open_beam or beam is not None:
            part[~np.isfinite(part)] = 1
        if air is not None:
            part /= across * (air[some, :, 1:] - air[some, :, :1]) + air[some, :, :1]

    def take_logarithm(some: slice) -> None:
        part = out[some]
        np.fmax(part, np.float32(floor), out=part)
        np.minimum(part, _MOST, out=part)
        np.log(part, out=part)
        np.negative(part, out=part)

    share(divide, pieces(len(out), _TOGETHER), threads)
    if window > 1:
        _replace_outliers(out, window, threshold, threads)
    if floor:
        share(take_logarithm, pieces(len(out), _TOGETHER), threads)


def _divide(part: Floats, some: slice, beam: Beam, light: Floats) -> None:
    part -= beam.dark
    if len(light) == 1:
        part *= light[0]
        return
    earlier, later = beam.earlier[some], beam.later[some, None, None]
    bright = light[earlier] * (1 - later) + light[earlier + 1] * later
    with np.errstate(divide="ignore", invalid="ignore"):
        part /= np.where(bright > 0, bright, np.float32(np.nan))


def _replace_outliers(data: Floats, window: int, threshold: float, threads: int) -> None:
    from stp3.kernels.sliding_median import median_of_frames

    np.copyto(data, np.float32(np.inf), where=np.isnan(data))
    medians = median_of_frames(data, window, threads)

    def choose(some: slice) -> None:
        with np.errstate(invalid="ignore"):
            keep = np.abs(data[some] - medians[some]) <= np.float32(threshold)
        np.copyto(data[some], medians[some], where=~keep)

    share(choose, pieces(len(data), _TOGETHER), threads)
