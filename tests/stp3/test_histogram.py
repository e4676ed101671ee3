"""Histograms of slabs add up to that of the volume, bin for bin, whatever the slabs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from stp3.histogram import Histogram
from stp3.kernels import histogram as kernel
from stp3.kernels.reconstruction import is_compiled

RNG = np.random.default_rng(11)
FLOATS = (RNG.normal(0.2, 0.7, (24, 31, 29)) ** 3).astype(np.float32)
GREYS = (RNG.gamma(2.0, 9000.0, (24, 31, 29))).clip(0, 65535).astype(np.uint16)
SPLITS = ([24], [1] * 24, [5, 11, 1, 7])


def parts(volume: np.ndarray, split: list[int]) -> list[np.ndarray]:
    return np.split(volume, np.cumsum(split)[:-1])


@pytest.mark.parametrize("split", SPLITS, ids=str)
@pytest.mark.parametrize("volume", [FLOATS, GREYS, (GREYS >> 8).astype(np.uint8), FLOATS * 1e-30, FLOATS * 1e30 + 3e30])
def test_slabs_add_up_to_the_volume(volume: np.ndarray, split: list[int]) -> None:
    whole = Histogram.of(volume)
    assert sum((Histogram.of(part) for part in parts(volume, split)), Histogram()) == whole
    assert sum((Histogram.of(part) for part in parts(volume, split)[::-1]), Histogram()) == whole
    edges = (whole.first + np.arange(len(whole.counts) + 1)) * 2.0**whole.exponent
    expected, _ = np.histogram(volume.astype(np.float64), edges)  # its last bin holds both edges
    assert_array_equal(whole.counts, expected)
    assert (whole.low, whole.high, whole.total) == (volume.min(), volume.max(), volume.size)
    assert len(whole.counts) <= 1024


def test_what_is_no_number_is_counted_apart() -> None:
    values = np.array([np.nan, 1, np.inf, -np.inf, 2], np.float32)
    found = Histogram.of(values)
    assert (found.low, found.high, found.not_finite, sum(found.counts)) == (1, 2, 3, 2)
    nothing = Histogram.of(values[:1])
    assert (nothing.low, nothing.not_finite, nothing.quantile(0.5)) == (None, 1, 0.0)
    assert found + nothing == nothing + found
    assert (found + nothing).total == 6


def test_one_value_and_none() -> None:
    one = Histogram.of(np.full((2, 3, 4), 0.1, np.float32))
    assert one.counts == (24,)
    assert one.quantile(0.3) == np.float32(0.1)
    assert one + Histogram() == Histogram() + one == one
    zero = Histogram.of(np.zeros(5, np.float32))
    assert zero + Histogram.of(FLOATS) == Histogram.of(np.concatenate([np.zeros(5, np.float32), FLOATS.ravel()]))


def test_ends_of_integers_are_counted_as_clipped() -> None:
    greys = np.array([0, 0, 0, 7, 255], np.uint8)
    found = Histogram.of(greys) + Histogram.of(greys[3:])
    assert found.at_ends == (3, 2)
    assert found.clipped_percent == pytest.approx((300 / 7, 200 / 7))
    assert Histogram.of(greys[3:4]).at_ends == (0, 0)


def test_quantiles_are_those_of_the_values_to_a_bin() -> None:
    found = Histogram.of(FLOATS)
    for share in (0.0, 0.01, 0.5, 0.99, 1.0):
        assert found.quantile(share) == pytest.approx(np.quantile(FLOATS, share), abs=2.0**found.exponent)


def test_it_travels_as_json() -> None:
    found = Histogram.of(FLOATS)
    assert Histogram.from_dict(json.loads(json.dumps(found.as_dict()))) == found


@pytest.mark.skipif(not is_compiled(), reason="no C++ compiler")
def test_the_compiled_kernel_and_numpy_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    from stp3.kernels._native import count_values, extent, instruction_sets

    values = np.concatenate([FLOATS.ravel(), np.float32([np.nan, np.inf, -np.inf, -0.0, 1e-45])])
    found = Histogram.of(values), Histogram.of(GREYS), Histogram.of(GREYS.astype(np.uint8))
    bins = range(found[0].first, found[0].first + len(found[0].counts))
    for instructions in instruction_sets():
        counts = np.empty(len(bins), np.uint64)
        assert extent(values, 3, instructions) == (found[0].low, found[0].high, values.size - 3)
        count_values(values, *extent(values, 1)[:2], 2.0 ** -found[0].exponent, bins.start, counts, 3, instructions)
        assert_array_equal(counts, found[0].counts)
    with pytest.raises(ValueError, match="below first"):
        count_values(values, -9.0, 9.0, 1.0, -9, np.empty(3, np.uint64), 1)
    monkeypatch.setattr(kernel, "is_compiled", lambda: False)
    assert (Histogram.of(values), Histogram.of(GREYS), Histogram.of(GREYS.astype(np.uint8))) == found
