"""The compiled transform against SciPy's, for every instruction set of this machine."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft

native = pytest.importorskip("stp3.kernels._native", reason="installed without a C++ compiler")

SETS = native.instruction_sets()


def smooth_lengths(limit: int) -> list[int]:
    return [n for n in range(1, limit) if scipy.fft.next_fast_len(n, real=True) == n]


@pytest.mark.parametrize("instructions", SETS)
@pytest.mark.parametrize("inverse", [False, True])
def test_equals_scipy_at_every_length(instructions: str, inverse: bool) -> None:
    rng = np.random.default_rng(1)
    for length in [*smooth_lengths(400), 2560, 4096, 6000, 16384, 19683]:
        x = (rng.normal(size=(5, length)) + 1j * rng.normal(size=(5, length))).astype(np.complex64)
        wide = x.astype(np.complex128)
        wanted = scipy.fft.ifft(wide, norm="forward") if inverse else scipy.fft.fft(wide)
        native.fft(x, inverse, instructions)
        assert np.abs(x - wanted).max() < 1e-6 * np.abs(wanted).max(), length


@pytest.mark.parametrize("instructions", SETS)
def test_there_and_back(instructions: str) -> None:
    rng = np.random.default_rng(2)
    x = (rng.normal(size=(17, 360)) + 1j * rng.normal(size=(17, 360))).astype(np.complex64)
    y = x.copy()
    native.fft(y, False, instructions)
    native.fft(y, True, instructions)
    assert np.abs(y / 360 - x).max() < 2e-6


def test_a_signal_does_not_feel_its_neighbours() -> None:
    rng = np.random.default_rng(3)
    x = (rng.normal(size=(40, 240)) + 1j * rng.normal(size=(40, 240))).astype(np.complex64)
    together = x.copy()
    native.fft(together, False, SETS[0])
    for some in (slice(0, 1), slice(3, 20), slice(39, 40)):
        alone = x[some].copy()
        native.fft(alone, False, SETS[0])
        assert np.array_equal(alone, together[some])


@pytest.mark.parametrize("length", [7, 11, 154, 0])
def test_other_lengths_are_refused(length: int) -> None:
    with pytest.raises(ValueError, match=f"factors but 2, 3 and 5, got {length}"):
        native.fft(np.zeros((1, length), np.complex64), False, SETS[0])


def test_unknown_instructions_are_refused() -> None:
    with pytest.raises(ValueError, match="does not run sse17"):
        native.fft(np.zeros((1, 8), np.complex64), False, "sse17")
