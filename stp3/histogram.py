"""How often values occur in a volume: counted slab by slab, in whatever slabs, with the same result.

Bins are as wide as a power of two and begin at its multiples, so two of them make exactly one that is twice as wide:
the histograms of slabs add up to that of the volume without a range that would have to be known before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stp3.kernels import histogram as kernel

MOST_BINS = 1024
_LEAST_EXPONENT = -120
_PLACES = 20  # a bin is not narrower than 2**-20 of the greatest value


@dataclass(frozen=True)
class Histogram:
    """Bin i counts the values from `(first + i) * 2**exponent` up to the next bin; `low` and `high` are the extremes.

    `at_ends` counts integers that are the lowest and the highest of their type: what lay at or beyond the grey range.
    """

    low: float | None = None
    high: float | None = None
    exponent: int = _LEAST_EXPONENT
    first: int = 0
    counts: tuple[int, ...] = ()
    not_finite: int = 0
    at_ends: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, slices: NDArray[Any], threads: int = 1) -> Histogram:
        """Of all values in an array of float32, uint16 or uint8; other types are counted as float32."""
        values = np.ascontiguousarray(slices).reshape(-1)
        if values.dtype in (np.uint8, np.uint16):
            return cls._of_greys(kernel.count_greys(values, threads))
        values = values.astype(np.float32, copy=False)
        low, high, finite = kernel.extent(values, threads)
        if not finite:
            return cls(not_finite=values.size)
        exponent = _exponent(low, high)
        first, last = _bin(low, exponent), _bin(high, exponent)
        counts = kernel.count_values(values, (low, high), 2.0**-exponent, range(first, last + 1), threads)
        return cls(low, high, exponent, first, tuple(counts.tolist()), values.size - finite)

    @classmethod
    def _of_greys(cls, occurring: NDArray[Any]) -> Histogram:
        found = np.flatnonzero(occurring)
        if not len(found):
            return cls(exponent=0)
        low, high = int(found[0]), int(found[-1])
        fine = cls(low, high, 0, low, tuple(occurring[low : high + 1].tolist()))
        counted = fine._coarser(max(0, _exponent(low, high)))
        return cls(**(vars(counted) | {"at_ends": (int(occurring[0]), int(occurring[-1]))}))

    def __add__(self, other: Histogram) -> Histogram:
        if self.low is None or other.low is None or self.high is None or other.high is None:
            more, less = (self, other) if other.low is None else (other, self)
            return Histogram(**(vars(more) | {"not_finite": more.not_finite + less.not_finite}))
        low, high = min(self.low, other.low), max(self.high, other.high)
        exponent = max(self.exponent, other.exponent, _exponent(low, high))
        one, two = self._coarser(exponent), other._coarser(exponent)
        first = min(one.first, two.first)
        counts = np.zeros(max(one.first + len(one.counts), two.first + len(two.counts)) - first, np.int64)
        for part in (one, two):
            counts[part.first - first : part.first - first + len(part.counts)] += part.counts
        ends = (self.at_ends[0] + other.at_ends[0], self.at_ends[1] + other.at_ends[1])
        return Histogram(
            low, high, exponent, first, tuple(counts.tolist()), self.not_finite + other.not_finite, ends
        )  # fmt: skip

    @property
    def total(self) -> int:
        """All values counted, those that are no numbers among them."""
        return sum(self.counts) + self.not_finite

    @property
    def clipped_percent(self) -> tuple[float, float]:
        """The share of values stored as the lowest and as the highest integer."""
        low, high = (100 * count / max(self.total, 1) for count in self.at_ends)
        return low, high

    def quantile(self, share: float) -> float:
        """The value below which that share (0 to 1) of all numbers lies, to within a bin; 0 where there is none."""
        if self.low is None or self.high is None:
            return 0.0
        below = np.concatenate(([0], np.cumsum(self.counts)))
        place = float(np.interp(share * below[-1], below, np.arange(len(below))))
        return min(max((self.first + place) * 2.0**self.exponent, self.low), self.high)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Histogram:
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in content.items()
        }
        return cls(**values)

    def in_words(self) -> dict[str, Any]:
        """As `volume.json` tells it."""
        return {
            "minimum": self.low,
            "maximum": self.high,
            "first_edge": self.first * 2.0**self.exponent,
            "bin_width": 2.0**self.exponent,
            "counts": list(self.counts),
            "not_finite": self.not_finite,
        }

    def _coarser(self, exponent: int) -> Histogram:
        """The same with bins of that width; counts of bins that become one are added."""
        if exponent == self.exponent or not self.counts:
            return self
        places = (self.first + np.arange(len(self.counts))) >> min(exponent - self.exponent, 62)
        first = int(places[0])
        counts = np.zeros(int(places[-1]) - first + 1, np.int64)
        np.add.at(counts, places - first, self.counts)
        return Histogram(
            self.low, self.high, exponent, first, tuple(counts.tolist()), self.not_finite, self.at_ends
        )  # fmt: skip


def _bin(value: float, exponent: int) -> int:
    return int(np.floor(value * 2.0**-exponent))


def _exponent(low: float, high: float) -> int:
    """The narrowest bins that reach from low to high."""
    greatest = max(abs(low), abs(high))
    exponent = max(_LEAST_EXPONENT, int(np.frexp(greatest)[1]) - _PLACES if greatest else _LEAST_EXPONENT)
    if high > low:
        exponent = max(exponent, int(np.frexp(high - low)[1]) - 12)  # never above the narrowest
    while _bin(high, exponent) - _bin(low, exponent) >= MOST_BINS:
        exponent += 1
    return exponent
