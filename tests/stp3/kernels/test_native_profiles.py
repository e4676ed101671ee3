"""Weighted sums over angles, compiled."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

_native = pytest.importorskip("stp3.kernels._native", reason="no C++ compiler")


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("instructions", _native.instruction_sets())
@pytest.mark.parametrize("columns", [1, 3, 64, 65, 150])
@pytest.mark.parametrize(("outputs", "terms"), [(1, 1), (9, 37), (6, 128), (14, 300)])
def test_sums_are_matrix_products(instructions: str, columns: int, outputs: int, terms: int) -> None:
    weights, lines, base = drawn(outputs, terms), drawn(terms, 3, columns), drawn(outputs, 3, columns)
    wanted = np.einsum("ik,krc->irc", weights.astype(np.float64), lines)
    sums = np.empty_like(base)
    _native.weighted_sums(weights, lines, sums, 2, instructions)
    assert_allclose(sums, wanted, atol=2e-5 * np.sqrt(terms))
    left = base.copy()
    _native.subtract_weighted(left, weights, lines, left, 3, instructions)
    assert_allclose(left, base - wanted, atol=2e-5 * np.sqrt(terms))


@pytest.mark.parametrize("instructions", _native.instruction_sets())
def test_a_row_alone_has_the_same_bits(instructions: str) -> None:
    weights, lines = drawn(7, 200), drawn(200, 4, 99)
    together, alone = np.empty((7, 4, 99), np.float32), np.empty((7, 1, 99), np.float32)
    _native.weighted_sums(weights, lines, together, 5, instructions)
    for row in range(4):
        _native.weighted_sums(weights, lines[:, row : row + 1], alone, 1, instructions)
        assert_array_equal(together[:, row], alone[:, 0])


def test_faults_are_told_with_value_and_limit() -> None:
    weights, lines, out = drawn(2, 5), drawn(5, 1, 8), np.empty((2, 1, 8), np.float32)
    with pytest.raises(ValueError, match=r"lines, axis 0, must hold 5 values.*got 4"):
        _native.weighted_sums(weights, lines[:4], out, 1)
    with pytest.raises(ValueError, match=r"out, axis 2, must hold 8 values.*got 7"):
        _native.weighted_sums(weights, lines, out[..., :7], 1)
    with pytest.raises(ValueError, match=r"threads must be between 1 and 1024, got 0"):
        _native.weighted_sums(weights, lines, out, 0)
    with pytest.raises(ValueError, match=r"stride 1, got 2"):
        _native.weighted_sums(weights, drawn(5, 1, 16)[..., ::2], out, 1)
    with pytest.raises(ValueError, match=r"base, axis 0"):
        _native.subtract_weighted(out[:1], weights, lines, out, 1)
