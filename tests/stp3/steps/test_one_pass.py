"""Flat field, zingers and minus logarithm together are what they are apart, to the bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from stp3.steps import find_step
from stp3.steps.base import Slab
from stp3.testing.step_contract import example_slab

Uses = list[tuple[str, Any]]
FLAT, ZINGERS, LOG = "flat_field", "zingers", "minus_log"


def uses(*names: str, **values: Any) -> Uses:
    return [(name, find_step(name).Parameters(**(values if name == names[0] else {}))) for name in names]


def together(slab: Slab, some: Uses) -> Slab:
    step = find_step(some[0][0])
    assert step.joins(some) == len(some)
    return step.apply_joined(slab, some)


def apart(slab: Slab, some: Uses) -> Slab:
    for name, parameters in some:
        slab = find_step(name).apply(slab, parameters)
    return slab


@pytest.mark.parametrize("names", [(FLAT, ZINGERS, LOG), (FLAT, ZINGERS), (FLAT, LOG), (ZINGERS, LOG)])
@pytest.mark.parametrize("columns", [1, 17, 64])
def test_together_as_apart(names: tuple[str, ...], columns: int) -> None:
    slab = example_slab(columns=columns)
    some = uses(*names)
    expected = apart(slab, some).data
    assert_array_equal(together(slab, some).data, expected)
    ours = replace(slab, data=slab.data.copy(), threads=3, may_overwrite=True)
    assert_array_equal(together(ours, some).data, expected)


@pytest.mark.parametrize("flats", ["interpolate", "all", "before", "after"])
def test_counts_of_the_file_give_what_floats_give(flats: str) -> None:
    slab, some = example_slab(), uses(FLAT, ZINGERS, LOG, flats=flats)
    counts = slab.with_data(slab.data.astype(np.uint16))  # type: ignore[arg-type]
    assert_array_equal(together(counts, some).data, together(slab, some).data)


def test_only_what_follows_in_order_joins() -> None:
    other = [("stripes_all", find_step("stripes_all").Parameters())]
    assert find_step(FLAT).joins(uses(FLAT) + other) == 1
    assert find_step(FLAT).joins(uses(FLAT, LOG) + other) == 2
    assert find_step(FLAT).joins(uses(FLAT, ZINGERS, LOG) + other) == 3
    assert find_step(FLAT).joins(uses(FLAT, LOG, ZINGERS)) == 2, "zingers of line integrals are something else"
    assert find_step(ZINGERS).joins(uses(ZINGERS, LOG)) == 2
    assert find_step(ZINGERS).joins(uses(ZINGERS, FLAT)) == 1
    assert find_step(LOG).joins(uses(LOG) + other) == 1


def test_a_row_is_the_same_in_any_slab() -> None:
    slab, some = example_slab(rows=6), uses(FLAT, ZINGERS, LOG)
    assert slab.flats is not None
    assert slab.darks is not None
    whole = together(slab, some).data
    for row in range(1, 5):
        held = np.s_[:, row - 1 : row + 2]
        part = replace(slab, data=slab.data[held], flats=slab.flats[held], darks=slab.darks[held])
        assert_array_equal(together(part, some).data[:, 1], whole[:, row])
