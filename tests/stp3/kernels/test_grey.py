"""Grey numbers: every instruction set and NumPy give the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from stp3.kernels import grey
from stp3.kernels.reconstruction import is_compiled

VALUES = np.random.default_rng(5).normal(0.3, 0.4, (3, 37, 41)).astype(np.float32)
VALUES[0, 0, :4] = np.nan, np.inf, -np.inf, 3e38


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_the_compiled_kernel_and_numpy_agree_to_the_bit(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(grey, "is_compiled", lambda: False)
        expected = grey.to_grey(VALUES, dtype, -0.2, 0.9)
    assert_array_equal(grey.to_grey(VALUES, dtype, -0.2, 0.9, threads=3), expected)
    assert expected.min() == 0 < expected.max() == np.iinfo(dtype).max


@pytest.mark.skipif(not is_compiled(), reason="no C++ compiler")
def test_every_instruction_set_gives_the_same() -> None:
    from stp3.kernels._native import instruction_sets, to_grey

    found = []
    for instructions in instruction_sets():
        out = np.empty(VALUES.shape, np.uint16)
        to_grey(VALUES, np.float32(-0.2), np.float32(60000), out, 2, instructions)
        found.append(out)
    for other in found:
        assert_array_equal(other, found[0])
    with pytest.raises(ValueError, match=r"each axis of out.*41"):
        to_grey(VALUES, 0.0, 1.0, np.empty((3, 37, 40), np.uint8), 1)
