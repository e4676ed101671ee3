"""Sliding medians against SciPy's."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.ndimage import median_filter

from stp3.kernels.sliding_median import median_along_columns, median_of_frames


@pytest.mark.parametrize("size", [1, 3, 5, 7, 15, 21, 31, 51, 61])
@pytest.mark.parametrize("shape", [(64, 5), (70, 33), (1500, 40)])
@pytest.mark.parametrize("threads", [1, 3])
def test_medians_along_columns(size: int, shape: tuple[int, int], threads: int) -> None:
    data = np.random.default_rng(size).normal(size=shape).astype(np.float32)
    assert_array_equal(median_along_columns(data, size, threads), median_filter(data, (size, 1), mode="reflect"))


@pytest.mark.parametrize("size", [1, 3, 5, 7])
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 1, 40), (7, 3, 9), (90, 4, 130)])
def test_medians_of_frames(size: int, shape: tuple[int, int, int]) -> None:
    frames = np.round(np.random.default_rng(size).normal(size=shape), 1).astype(np.float32)
    expected = median_filter(frames, (1, size, size), mode="nearest")
    for threads in (1, 3):
        assert_array_equal(median_of_frames(frames, size, threads), expected)
