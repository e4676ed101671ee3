"""Noise goes, edges stay."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import median_filter

from stp3.kernels.noise import noise_of
from stp3.kernels.total_variation import Denoiser
from stp3.steps.base import Slab
from stp3.steps.denoise import Denoise
from stp3.testing.step_contract import StepContract, example_slab


def slices() -> np.ndarray:
    values = np.random.default_rng(2).normal(0, 0.1, (4, 60, 60)).astype(np.float32)
    values[:, 15:40, 20:45] += 1
    return values


class DenoiseContract(StepContract):
    step = Denoise

    def slab(self) -> Slab:
        return example_slab(rows=4).with_data(slices())


class TestMedianKeepsTheContract(DenoiseContract):
    pass


class TestTotalVariationKeepsTheContract(DenoiseContract):
    parameters = Denoise.Parameters(method="total_variation")


@pytest.mark.parametrize("size", [3, 5, 7])
def test_the_median_is_scipys(size: int) -> None:
    data = slices()
    found = Denoise.apply(example_slab(rows=4).with_data(data), Denoise.Parameters(size=size)).data
    np.testing.assert_array_equal(found, median_filter(data, (1, size, size), mode="nearest"))


def test_a_step_between_two_halves_loses_what_theory_says() -> None:
    """Halves of n pixels across a straight edge come closer by weight / n each, and stay flat."""
    image = np.zeros((8, 40), np.float32)
    image[:, 25:] = 1
    expected = np.where(np.arange(40) < 25, 0.2 / 25, 1 - 0.2 / 15)
    np.testing.assert_allclose(smooth(image, 0.2, 400), np.broadcast_to(expected, image.shape), atol=4e-4)


def smooth(image: np.ndarray, weight: float, iterations: int = 50) -> np.ndarray:
    return Denoiser(image.shape, weight, iterations, None, None)(image)


def total(image: np.ndarray, noisy: np.ndarray, weight: float) -> float:
    down = np.diff(image, axis=0, append=image[-1:])
    across = np.diff(image, axis=1, append=image[:, -1:])
    return float(((image - noisy) ** 2).sum() / 2 + weight * np.hypot(down, across).sum())


def test_no_slice_nearby_is_better() -> None:
    noisy = slices()[0].astype(np.float64)
    found = smooth(noisy.astype(np.float32), 0.1, 500).astype(np.float64)
    least = total(found, noisy, 0.1)
    rng = np.random.default_rng(3)
    for size in (0.003, 0.03):
        for _ in range(20):
            assert total(found + rng.normal(0, size, noisy.shape), noisy, 0.1) > least
    assert total(smooth(noisy.astype(np.float32), 0.1).astype(np.float64), noisy, 0.1) < 1.01 * least


def test_noise_is_told_and_removed_and_the_edge_stays() -> None:
    noisy = slices()[0]
    assert noise_of(noisy) == pytest.approx(0.1, rel=0.1)
    slab = example_slab(rows=1).with_data(noisy[None])
    found = Denoise.apply(slab, Denoise.Parameters(method="total_variation")).data[0]
    assert found[18:37, 23:42].std() < 0.04
    assert found[25, 43] - found[25, 46] > 0.7


def test_a_flat_slice_stays_flat() -> None:
    flat = np.full((1, 50, 50), 3, np.float32)
    slab = example_slab(rows=1).with_data(flat)
    np.testing.assert_array_equal(Denoise.apply(slab, Denoise.Parameters(method="total_variation")).data, flat)
