"""The compiled filter on every instruction set, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from stp3.errors import UsageFault
from stp3.kernels.phase import Paganin
from stp3.kernels.projection_filter import Kernels, filter_by_scipy, filter_compiled, kernels_of, reach_of

native = pytest.importorskip("stp3.kernels._native", reason="installed without a C++ compiler")

DATA = np.random.default_rng(4).random((7, 33, 45), dtype=np.float32)
KERNELS = kernels_of(Paganin(6.0), 45, reach_of(Paganin(6.0)))


@pytest.mark.parametrize("instructions", native.instruction_sets())
@pytest.mark.parametrize("angles", [1, 3, 7])
def test_equals_scipy(instructions: str, angles: int) -> None:
    expected, found = np.empty_like(DATA[:angles]), np.empty_like(DATA[:angles])
    filter_by_scipy(DATA[:angles], KERNELS, expected)
    filter_compiled(DATA[:angles], KERNELS, found, 2, 0, instructions)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"projections": DATA[:, :, ::2], "out": DATA[:, :, ::2].copy()}, "stride 1, got 2"),
        ({"out": np.empty_like(DATA[:2])}, "out, axis 0, must hold 7 values"),
        ({"out": np.empty_like(DATA[:, :, :9])}, "out, axis 2, must hold 45 values"),
        ({"first": 33}, "first must be between 0 and 32, got 33"),
        ({"first": 1}, "out must hold 1 to 32 rows, got 33"),
        ({"kernels": Kernels(KERNELS.padded + 2, KERNELS.taps, KERNELS.lengths)}, "no factors but 2, 3 and 5"),
        ({"kernels": Kernels(40, KERNELS.taps, KERNELS.lengths)}, "must have 1 to 40 columns, got 45"),
        ({"kernels": Kernels(KERNELS.padded, KERNELS.taps[:, :-1].copy(), KERNELS.lengths)}, "taps, axis 1,"),
        ({"kernels": Kernels(KERNELS.padded, KERNELS.taps, KERNELS.lengths + 99)}, r"lengths\[0\] must be between 1"),
        ({"projections": DATA[:, :0], "out": DATA[:, :0].copy()}, "rows must be at least 1"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_in_words(changes: dict[str, object], words: str) -> None:
    arguments = {"projections": DATA, "kernels": KERNELS, "out": np.empty_like(DATA), "first": 0, **changes}
    with pytest.raises(UsageFault, match=words):
        filter_compiled(**arguments)


def test_room_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match=r"room must have .* floats for each thread, got 64"):
        native.filter_projections(
            DATA, 0, np.empty_like(DATA), KERNELS.padded, KERNELS.taps, KERNELS.lengths,
            _lines_of_cache(64),
        )  # fmt: skip


def _lines_of_cache(floats: int) -> np.ndarray:
    from stp3.kernels import memory

    return memory.empty((1, floats))
