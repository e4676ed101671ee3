"""The path without a compiler on other arrays than NumPy's: on a GPU where there is one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stp3.errors import UsageFault
from stp3.kernels import arrays, grid_sizes, gridding, reconstruction
from stp3.kernels.window import Window
from tests.stp3.kernels.test_window import smooth_sinograms

THETA = 0.2 - np.pi * np.arange(120) / 120
needs_gpu = pytest.mark.skipif(bool(arrays.missing_gpu()), reason=f"no GPU to try: {arrays.missing_gpu()}")


@pytest.mark.parametrize("kept_bytes", [1 << 30, 1000])
def test_arrays_elsewhere_give_the_same(kept_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way of a GPU's arrays, with NumPy in its place: placed, worked on as a whole, brought back."""
    brought: list[Any] = []

    def to_host(array: Any) -> Any:
        brought.append(array)
        return array

    elsewhere = replace(arrays.HOST, name="elsewhere", matrix=lambda of: of.tocsr(), to_host=to_host, lines=1 << 30)
    monkeypatch.setattr(grid_sizes, "KEPT_BYTES", kept_bytes)
    sinograms, axes = smooth_sinograms(64, 3, 30.0, THETA), np.array([30.0, 30.5, 31.0])
    window = Window(3, 60, 10, 41, 64)
    found = gridding.reconstruct(sinograms, THETA, axes, window=window, arrays=elsewhere)
    wanted = gridding.reconstruct(sinograms, THETA, axes, window=window)
    assert np.abs(found - wanted).max() < 2e-6 * np.ptp(wanted)
    assert len(brought) == 3


@needs_gpu
@pytest.mark.parametrize("columns", [97, 256])
def test_the_gpu_agrees_with_the_processor(columns: int) -> None:
    sinograms = smooth_sinograms(columns, 9, columns / 2, THETA)
    for window in (None, Window(5, 60, 20, 90, columns)):
        found = reconstruction.reconstruct(sinograms, THETA, columns / 2, filter="hann", window=window, engine="gpu")
        wanted = reconstruction.reconstruct(sinograms, THETA, columns / 2, filter="hann", window=window)
        assert np.abs(found - wanted).max() < 5e-4 * np.ptp(wanted)


@pytest.mark.skipif(not arrays.missing_gpu(), reason="there is a GPU")
def test_without_a_gpu_the_answer_says_what_to_do() -> None:
    with pytest.raises(UsageFault, match=r'no GPU to reconstruct on: .*Set fbp\.engine to "cpu"'):
        reconstruction.reconstruct(np.zeros((9, 1, 20), np.float32), np.arange(9) / 3, 10.0, engine="gpu")
