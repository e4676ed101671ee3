"""Flat field, zingers and minus logarithm in one pass over memory; apart they give the same bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stp3.kernels.counts import Beam, Floats, correct
from stp3.steps.base import Slab

_ORDER = ("flat_field", "zingers", "minus_log")


def joined(uses: Sequence[tuple[str, Any]]) -> int:
    """How many of these steps, from the first on, follow each other as they do in one pass."""
    places = [_ORDER.index(name) if name in _ORDER else -1 for name, _ in uses]
    count = 1
    while count < len(places) and places[count] > places[count - 1] >= 0:
        count += 1
    return count


def correct_slab(
    slab: Slab, uses: Sequence[tuple[str, Any]], beam: Beam | None = None, air: Floats | None = None
) -> Slab:
    """The slab after these steps. Without a beam flat field takes the data for transmission already."""
    given = dict(uses)
    zingers, minus_log = given.get("zingers"), given.get("minus_log")
    out = slab.target()
    correct(
        slab.data,
        out,
        beam=beam,
        open_beam="flat_field" in given,
        air=air,
        window=zingers.size | 1 if zingers else 1,
        threshold=zingers.threshold if zingers else 0.0,
        floor=minus_log.floor if minus_log else 0.0,
        threads=slab.threads,
    )
    return slab.with_data(out)
