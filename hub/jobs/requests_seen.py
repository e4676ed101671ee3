"""How many requests were answered and how long they took, for Prometheus."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)  # seconds
NAME = "stp3_request_seconds"


class RequestsSeen:
    """A histogram of the time until an answer began, by class of its status."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, int]] = Counter()
        self._sums: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, status: int, seconds: float) -> None:
        """Count an answer."""
        with self._lock:
            self._counts[f"{status // 100}xx", bisect_left(BOUNDS, seconds)] += 1
            self._sums[f"{status // 100}xx"] += seconds  # type: ignore[assignment]

    def text(self) -> str:
        """As Prometheus reads it."""
        with self._lock:
            counts, sums = dict(self._counts), dict(self._sums)
        lines = [f"# HELP {NAME} Time until an answer began.", f"# TYPE {NAME} histogram"]
        for status in sorted(sums):
            passed = 0
            for place, bound in enumerate((*BOUNDS, float("inf"))):
                passed += counts.get((status, place), 0)
                edge = "+Inf" if bound == float("inf") else f"{bound:g}"
                lines.append(f'{NAME}_bucket{{status="{status}",le="{edge}"}} {passed}')
            lines.append(f'{NAME}_sum{{status="{status}"}} {sums[status]:.6f}')
            lines.append(f'{NAME}_count{{status="{status}"}} {passed}')
        return "\n".join(lines) + "\n"
