"""The order of slabs: all of them once, the whole volume coarsely first."""

from __future__ import annotations

from itertools import pairwise

import pytest

from stp3.cluster.slab_order import coarse_first


@pytest.mark.parametrize("count", [1, 2, 3, 7, 15, 16, 100, 4000])
def test_each_slab_once(count: int) -> None:
    assert sorted(coarse_first(range(count))) == list(range(count))


def test_the_middle_comes_first_and_gaps_are_halved() -> None:
    order = coarse_first(range(64))
    assert order[:3] == [32, 16, 48]
    for looked, gap in ((1, 33), (3, 17), (7, 9), (15, 5)):
        shown = [-1, *sorted(order[:looked]), 64]
        assert max(b - a for a, b in pairwise(shown)) <= gap
    assert order[15:] == sorted(order[15:])
