"""How far a job is and how long it still takes, from the times that its slabs took."""

from __future__ import annotations

import time
from collections import deque
from math import ceil

_WEIGHT = 0.3  # of the newest slab: one odd slab does not make the figure jump
_KEPT = 40  # slabs whose spread gives the range
_NARROWEST = 0.05  # of the estimate, to either side: slabs still to come may differ by as much


class Progress:
    """Counts rows and slabs; `slots` slabs are worked on at a time."""

    def __init__(self, rows_total: int, slab_rows: int, slots: int) -> None:
        self.rows_total = rows_total
        self.rows_done = 0
        self.slabs_done = 0
        self.slabs_total = ceil(rows_total / slab_rows)
        self._slots = slots
        self._slab_rows = slab_rows
        self._row_seconds: float | None = None
        self._seen: deque[float] = deque(maxlen=_KEPT)
        self._measured_at = 0.0

    def found(self, rows: int) -> None:
        """A slab that an earlier driver finished."""
        self.rows_done += rows
        self.slabs_done += 1

    def finished(self, rows: int, seconds: float) -> None:
        """A slab that has just been finished within that many seconds."""
        self.found(rows)
        now = seconds / rows
        before = self._row_seconds
        self._row_seconds = now if before is None else (1 - _WEIGHT) * before + _WEIGHT * now
        self._seen.append(now)
        self._measured_at = time.monotonic()

    @property
    def rows_per_second(self) -> float | None:
        """None until a slab is finished."""
        if not self._row_seconds:
            return None
        return round(min(self._slots, self.slabs_total) / self._row_seconds, 3)

    @property
    def seconds_left(self) -> float | None:
        """None until a slab is finished, and when all are."""
        return None if self._row_seconds is None else self._left(self._row_seconds)

    @property
    def seconds_left_range(self) -> tuple[float, float] | None:
        """Between which it most likely lies: as if all slabs to come took as long as a quick or as a slow one did."""
        if len(self._seen) < 3 or self._row_seconds is None:
            return None
        seen = sorted(self._seen)
        tail = len(seen) // 5
        low = min(seen[tail], self._row_seconds * (1 - _NARROWEST))
        high = max(seen[-1 - tail], self._row_seconds * (1 + _NARROWEST))
        ends = self._left(low), self._left(high)
        return None if ends[0] is None or ends[1] is None else (ends[0], ends[1])

    def _left(self, row_seconds: float) -> float | None:
        slabs = self.slabs_total - self.slabs_done
        if not slabs:
            return None
        rows = self.rows_total - self.rows_done
        whole = row_seconds * rows / min(self._slots, slabs)
        return round(max(whole - (time.monotonic() - self._measured_at), 0.0), 1)
