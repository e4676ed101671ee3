"""A part of the slice, by every means: the same as cut from the whole one, whatever its company."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest
from numpy.typing import NDArray

from stp3.errors import UsageFault
from stp3.kernels import gridding, reconstruction
from stp3.kernels.window import Window

Reconstruct = Callable[..., NDArray[np.float32]]
MEANS: dict[str, Reconstruct] = {"scipy": gridding.reconstruct}
if find_spec("stp3.kernels._native"):
    from stp3.kernels import compiled_gridding

    for _name in compiled_gridding.instruction_sets():
        MEANS[_name] = partial(compiled_gridding.reconstruct, instructions=_name)

WINDOWS = [
    (128, (32, 96, 32, 96)),
    (128, (3, 40, 90, 127)),
    (97, (0, 97, 40, 41)),
    (97, (60, 95, 0, 97)),
    (250, (249, 250, 0, 1)),
    (131, (0, 131, 0, 131)),
]


def smooth_sinograms(columns: int, rows: int, axis: float, theta: NDArray[np.float64]) -> NDArray[np.float32]:
    """Blobs of other places in each row: the sinogram of a Gaussian is one."""
    rng = np.random.default_rng(columns)
    at = np.arange(columns) - axis
    out = np.zeros((len(theta), rows, columns))
    for row in range(rows):
        for x, y, width in rng.uniform((-0.3, -0.3, 0.02), (0.3, 0.3, 0.1), (6, 3)) * columns:
            shift = (x * np.cos(theta) + y * np.sin(theta))[:, None]
            out[:, row] += np.exp(-0.5 * ((at - shift) / width) ** 2)
    return out.astype(np.float32)


@pytest.mark.parametrize("means", MEANS)
@pytest.mark.parametrize(("columns", "edges"), WINDOWS)
def test_a_window_shows_its_part_of_the_whole_slice(columns: int, edges: tuple[int, ...], means: str) -> None:
    theta = 0.4 - np.pi * np.arange(150) / 150
    window = Window(*edges, columns)
    sinograms = smooth_sinograms(columns, 2, 0.47 * columns, theta)
    whole = MEANS[means](sinograms, theta, 0.47 * columns)
    found = MEANS[means](sinograms, theta, 0.47 * columns, window=window)
    assert found.shape == (2, window.tall, window.wide)
    part = whole[:, window.top : window.bottom, window.left : window.right]
    assert np.abs(found - part).max() < 5e-4 * np.ptp(whole)  # the rim of the whole one is its least exact part


@pytest.mark.parametrize("means", MEANS)
@pytest.mark.parametrize("edges", [(10, 43, 5, 60), (0, 16, 30, 62), (61, 62, 0, 62)])
def test_bits_of_a_window_depend_on_neither_company_nor_threads(edges: tuple[int, ...], means: str) -> None:
    window, theta = Window(*edges, 62), np.arange(41) * np.pi / 41
    sinograms = np.random.default_rng(1).random((41, 21, 62), np.float32)
    axes = 30.0 + 0.05 * (np.arange(21) // 2)
    found = MEANS[means](sinograms, theta, axes, window=window)
    for first, count, threads in [(0, 1, 1), (20, 1, 2), (3, 2, 3), (2, 16, 2), (4, 17, 1), (0, 21, 3)]:
        some = slice(first, first + count)
        alone = MEANS[means](sinograms[:, some], theta, axes[some], window=window, threads=threads)
        assert np.array_equal(alone, found[some]), (first, count, threads)


@pytest.mark.parametrize("means", MEANS)
def test_an_axis_for_each_row(means: str) -> None:
    theta = np.arange(60) * np.pi / 60
    axes = np.array([30.2, 31.0, 31.0, 28.9])
    sinograms = np.concatenate([smooth_sinograms(64, 1, axis, theta) for axis in axes], axis=1)
    found = MEANS[means](sinograms, theta, axes)
    for row, axis in enumerate(axes):
        assert np.array_equal(found[row], MEANS[means](sinograms[:, row : row + 1], theta, float(axis))[0])
        assert np.abs(found[row] - found[0]).max() < 0.02 * np.ptp(found[0])  # the same object, wherever the axis is


@pytest.mark.parametrize(
    ("edges", "words"),
    [
        ((5, 5, 0, 9), "0 <= left < right <= 40 .* left, right = 5, 5"),
        ((0, 9, -1, 4), "top, bottom = -1, 4"),
        ((0, 41, 0, 9), "left, right = 0, 41"),
    ],
)
def test_a_window_outside_the_slice_is_refused(edges: tuple[int, ...], words: str) -> None:
    with pytest.raises(UsageFault, match=words):
        reconstruction.reconstruct(np.zeros((9, 1, 40), np.float32), np.arange(9) / 3, 20.0, window=Window(*edges, 40))
