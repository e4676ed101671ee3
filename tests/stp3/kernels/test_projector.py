"""Projections against closed forms, and the adjoint against its definition."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from stp3.kernels import gridding, projector
from stp3.kernels.grid_sizes import Sizes
from stp3.kernels.projector import Projector, working_bytes


def noise(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(("columns", "angles", "rows"), [(64, 90, 3), (65, 71, 1), (53, 40, 2), (7, 3, 1), (1, 2, 1)])
def test_forward_and_back_are_adjoint(columns: int, angles: int, rows: int) -> None:
    theta = np.random.default_rng(3).uniform(-1, 7, angles)
    pair = Projector(theta, columns, columns * np.linspace(0.3, 0.6, rows))
    slices, sinograms = noise(rows, columns, columns), noise(rows, angles, columns)
    forward, back = pair.forward(slices), pair.adjoint(sinograms)
    there = np.vdot(forward.astype(float), sinograms)
    here = np.vdot(slices.astype(float), back)
    assert abs(there - here) < 1e-5 * np.linalg.norm(forward) * np.linalg.norm(sinograms)
    assert np.linalg.norm(forward) > 0


@pytest.mark.parametrize("columns", [128, 131])
def test_a_smooth_body_projects_onto_its_closed_form(columns: int) -> None:
    theta = np.linspace(0, 6, 50)
    axis, width, x, y = columns / 2 + 4.3, columns / 18, columns / 7, -columns / 5
    place = np.arange(columns) - (columns - 1) / 2
    body = np.exp(-((place[None] - x) ** 2 + (-place[:, None] - y) ** 2) / (2 * width**2)).astype(np.float32)
    found = Projector(theta, columns, axis).forward(body[None])[0]
    away = np.arange(columns) - (axis + x * np.cos(theta) + y * np.sin(theta))[:, None]
    expected = width * np.sqrt(2 * np.pi) * np.exp(-(away**2) / (2 * width**2))
    assert_allclose(found, expected, atol=5e-3 * expected.max())


def test_back_projection_is_that_of_the_reconstruction() -> None:
    theta = np.pi * np.arange(80) / 80
    sinograms = noise(2, 80, 60)
    found = Projector(theta, 60, 31.4).adjoint(sinograms) * np.pi / 80
    expected = gridding.reconstruct(np.moveaxis(sinograms, 0, 1), theta, 31.4, filter="none", pad="zero")
    assert_allclose(found, expected, atol=2e-6 * np.ptp(expected))


def test_a_row_is_the_same_alone_in_any_company_and_with_any_threads() -> None:
    theta, axes = np.random.default_rng(5).uniform(0, 4, 33), np.array([20.0, 21.5, 24.0])
    slices, sinograms = noise(3, 50, 50), noise(3, 33, 50)
    whole = Projector(theta, 50, axes, threads=3)
    forward, back = whole.forward(slices), whole.adjoint(sinograms)
    for row in range(3):
        alone = Projector(theta, 50, axes[row])
        assert_array_equal(alone.forward(slices[row : row + 1])[0], forward[row])
        assert_array_equal(alone.adjoint(sinograms[row : row + 1])[0], back[row])


def test_some_of_the_angles() -> None:
    theta = np.linspace(0, 3, 20)
    pair = Projector(theta, 40, 19.0)
    assert pair.some_angles(slice(0, 20)) is pair
    every_third = pair.some_angles(slice(1, None, 3)).forward(noise(1, 40, 40))
    assert_allclose(every_third, pair.forward(noise(1, 40, 40))[:, 1::3], atol=1e-4)


def test_matrices_are_kept_within_their_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, sizes = projector._Kept(), Sizes(20, 32)
    monkeypatch.setattr(projector, "_KEPT_BYTES", int(1.5 * sizes.matrix_bytes))
    thetas = [np.linspace(0, end, 20) for end in (3.0, 3.1)]
    first = kept.blocks(thetas[0], sizes, 1)
    assert kept.blocks(thetas[0], sizes, 1) is first
    assert kept.blocks(thetas[1], sizes, 1) is not first
    assert len(kept._blocks) == 1


def test_threads_that_ask_together_build_one_matrix() -> None:
    kept, sizes, theta = projector._Kept(), Sizes(20, 32), np.linspace(0, 3, 20)
    found: list[object] = []
    asking = [threading.Thread(target=lambda: found.append(kept.blocks(theta, sizes, 2))) for _ in range(4)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len(found) == 4
    assert all(blocks is found[0] for blocks in found)


def test_the_declared_memory_covers_what_is_allocated() -> None:
    import tracemalloc

    theta, slices = np.linspace(0, 3.1, 301), np.zeros((2, 256, 256), np.float32)
    tracemalloc.start()
    try:
        pair = Projector(theta, 256, 127.0, threads=2)
        pair.adjoint(pair.forward(slices))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= working_bytes(301, 256, 2)


def test_smoothed_weights_are_never_negative_and_fit_smoothed_sinograms() -> None:
    place = np.arange(40) - 19.5
    body = np.exp(-(place**2 + place[:, None] ** 2) / 32)[None].astype(np.float32)
    pair = Projector(np.linspace(0, 3, 7), 40, 19.3)
    smooth, sinograms = pair.without_negative_weights(pair.forward(body))
    assert_allclose(smooth.forward(body), sinograms, atol=2e-3 * sinograms.max())
    pixel = np.zeros((1, 40, 40), np.float32)
    pixel[0, 11, 25] = 1
    assert pair.forward(pixel).min() < -0.1
    assert smooth.forward(pixel).min() > -1e-3
    assert smooth.forward(pixel).sum(axis=2) == pytest.approx(1, abs=0.02)
