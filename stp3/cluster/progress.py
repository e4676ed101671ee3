"""How far a job is and how long it still takes, from the times that its slabs took."""

from __future__ import annotations

import time
from math import ceil

_WEIGHT = 0.3  # of the newest slab: one odd slab does not make the figure jump


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
        slabs = self.slabs_total - self.slabs_done
        if self._row_seconds is None or not slabs:
            return None
        rows = self.rows_total - self.rows_done
        whole = self._row_seconds * rows / min(self._slots, slabs)
        return round(max(whole - (time.monotonic() - self._measured_at), 0.0), 1)
