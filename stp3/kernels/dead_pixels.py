"""Pixels that do not measure: found by what they say over all projections, and filled from their neighbours.

A pixel that says the same in every projection is stuck and dead throughout. A value that is not a number, infinite or
not positive is dead in its projection only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stp3.kernels.threads import pieces, share

Frames = NDArray[Any]
Places = NDArray[np.intp]
_AT_ONCE = 256  # pixels filled together: their values over all frames stay in the cache
_LEAST_FRAMES = 8  # fewer may well agree by chance
_AROUND = [(down, across) for down in (-1, 0, 1) for across in (-1, 0, 1) if (down, across) != (0, 0)]


@dataclass(frozen=True)
class Dead:
    """Which pixels (rows, columns) are dead throughout, and which at least once; `positive` says that zero is dead."""

    throughout: NDArray[np.bool_]
    somewhere: NDArray[np.bool_]
    positive: bool


def is_dead(values: Frames, positive: bool) -> NDArray[np.bool_]:
    """Which values cannot be measured ones."""
    dead: NDArray[np.bool_] = values <= 0 if positive else np.zeros(values.shape, bool)
    return dead | ~np.isfinite(values) if values.dtype.kind == "f" else dead


def find(frames: Frames, *, positive: bool = True, stuck: bool = True, threads: int = 1) -> Dead:
    """The dead pixels of (frames, rows, columns), any real type."""
    stuck = stuck and len(frames) >= _LEAST_FRAMES

    def look(row: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        line = frames[:, row]
        lowest, highest = line.min(axis=0), line.max(axis=0)  # both not a number where any value is not
        somewhere = is_dead(lowest, positive) | is_dead(highest, positive)
        throughout = (lowest == highest) & stuck
        some = np.flatnonzero(somewhere)
        for part in pieces(len(some), _AT_ONCE):
            throughout[some[part]] |= is_dead(line[:, some[part]], positive).all(axis=0)
        return throughout, somewhere | throughout

    throughout, somewhere = zip(*share(look, range(frames.shape[1]), threads), strict=True)
    return Dead(np.stack(throughout), np.stack(somewhere), positive)


def fill(frames: Frames, dead: Dead, out: Frames, threads: int = 1) -> int:
    """How many values of `frames` are dead. In `out`, a copy of the frames, they are filled.

    With the mean of the good ones of the eight around; where there is none, between the nearest pixels of the row
    that are never dead; where there is none either, the value stays.
    """
    rows, columns = np.nonzero(dead.somewhere)

    def work(some: slice) -> int:
        return _fill(frames, dead, rows[some], columns[some], out)

    return sum(share(work, pieces(len(rows), _AT_ONCE), threads))


def _fill(frames: Frames, dead: Dead, rows: Places, columns: Places, out: Frames) -> int:
    given = frames[:, rows, columns]
    holes = is_dead(given, dead.positive) | dead.throughout[rows, columns]
    total, count = np.zeros(holes.shape), np.zeros(holes.shape, np.int32)
    for down, across in _AROUND:
        row, column = rows + down, columns + across
        there = (row >= 0) & (row < frames.shape[1]) & (column >= 0) & (column < frames.shape[2])
        row, column = np.where(there, row, rows), np.where(there, column, columns)
        near = frames[:, row, column]
        good = ~is_dead(near, dead.positive) & (there & ~dead.throughout[row, column])
        np.add(total, near, out=total, where=good)
        count += good
    filled = total / np.maximum(count, 1)
    lonely = holes & (count == 0)
    for pixel in np.flatnonzero(lonely.any(axis=0)):
        straight = _along_row(frames, ~dead.somewhere, int(rows[pixel]), int(columns[pixel]))
        filled[:, pixel] = np.where(lonely[:, pixel], straight, filled[:, pixel])
    values = filled if out.dtype.kind == "f" else np.rint(filled)
    out[:, rows, columns] = np.where(holes, values.astype(out.dtype), given)
    return int(holes.sum())


def _along_row(frames: Frames, alive: NDArray[np.bool_], row: int, column: int) -> NDArray[np.float64]:
    """Values of one pixel, drawn straight between the nearest pixels of its row that are never dead."""
    anchors = np.flatnonzero(alive[row])
    if not len(anchors):
        return np.asarray(frames[:, row, column], np.float64)
    after = int(np.searchsorted(anchors, column))
    left, right = int(anchors[max(after - 1, 0)]), int(anchors[min(after, len(anchors) - 1)])
    low, high = (frames[:, row, one].astype(np.float64) for one in (left, right))
    weight = np.clip((column - left) / max(right - left, 1), 0, 1)
    return np.asarray(low + (high - low) * weight)
