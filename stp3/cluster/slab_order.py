"""In which order the slabs of a job are done: the whole volume coarsely first, then the gaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

_COARSE = 15
Item = TypeVar("Item")


def coarse_first(slabs: Sequence[Item]) -> list[Item]:
    """The same slabs: the middle one, those at the quarters, at the eighths and sixteenths, then the rest in order.

    The rest in order, because a disk reads neighbours faster.
    """
    places = [int(_halving(number) * len(slabs)) for number in range(1, _COARSE + 1)]
    first = list(dict.fromkeys(places))
    chosen = set(first)
    return [slabs[place] for place in first] + [slab for place, slab in enumerate(slabs) if place not in chosen]


def _halving(number: int) -> float:
    """The van der Corput sequence to the base 2: 1/2, 1/4, 3/4, 1/8, 5/8, ... (J. G. van der Corput, 1935)."""
    value, step = 0.0, 0.5
    while number:
        value += step * (number & 1)
        number >>= 1
        step /= 2
    return value
