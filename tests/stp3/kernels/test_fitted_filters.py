"""Computed filters against what they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from stp3.kernels import fitted_filters
from stp3.kernels.angles import density_weights
from stp3.kernels.filters import filter_response, ramp
from stp3.kernels.fitted_filters import bands, least_residual_response, sirt_response, working_bytes
from stp3.kernels.iterative import Settings, back_projected, sirt
from stp3.kernels.projector import Projector
from stp3.testing.phantom import Ellipsoid, View, attenuation_slice, line_integrals

COLUMNS = 128
AXIS = 62.9
PHANTOM = (
    Ellipsoid(x=2, y=-1, a=52, b=46, turn_deg=20, attenuation=1),
    Ellipsoid(x=15, y=12, a=10, b=7, attenuation=0.5),
    Ellipsoid(x=5, y=-25, a=3, b=4, attenuation=-1),
)
TRUTH = attenuation_slice(PHANTOM, 0, COLUMNS)
PLACE = np.arange(COLUMNS) - (COLUMNS - 1) / 2
INSIDE = np.hypot(PLACE[:, None], PLACE) < 0.45 * COLUMNS


def case(angles: int, noise: float = 0.0) -> tuple[Projector, np.ndarray]:
    theta = np.pi * np.arange(angles) / angles
    lines = line_integrals(PHANTOM, View(columns=COLUMNS, rotation_axis=AXIS), theta, np.zeros(1))
    lines += np.random.default_rng(1).normal(0, noise, lines.shape) if noise else 0
    return Projector(theta, COLUMNS, AXIS), np.moveaxis(lines, 1, 0).astype(np.float32)


def residual(projector: Projector, slices: np.ndarray, sinogram: np.ndarray) -> float:
    return float(np.linalg.norm(projector.forward(slices) - sinogram) / np.linalg.norm(sinogram))


@pytest.mark.parametrize("padded", [16, 100, 256, 4096])
def test_the_bands_add_up_to_ram_lak(padded: int) -> None:
    assert_allclose(bands(padded).sum(axis=0), ramp(padded), atol=1e-12)


@pytest.mark.parametrize(("angles", "noise"), [(200, 0.0), (40, 0.0), (60, 2.0)])
def test_no_filter_of_the_list_fits_the_measurement_better(angles: int, noise: float) -> None:
    projector, sinogram = case(angles, noise)
    fitted = projector.filtered_adjoint(sinogram, least_residual_response(projector, sinogram))
    weights = density_weights(projector.theta)[:, None]
    for name in ("ram-lak", "shepp-logan", "hann"):
        listed = projector.filtered_adjoint(sinogram, weights * filter_response(name, projector.padded))
        assert residual(projector, fitted, sinogram) < residual(projector, listed, sinogram)


def test_a_fitted_filter_gives_the_truth_and_beats_ram_lak_from_few_angles() -> None:
    def error(slices: np.ndarray) -> float:
        return float(np.sqrt(np.mean((slices[0] - TRUTH)[INSIDE] ** 2)))

    projector, sinogram = case(200)
    fitted = projector.filtered_adjoint(sinogram, least_residual_response(projector, sinogram))
    assert error(fitted) == pytest.approx(error(back_projected(projector, sinogram)), rel=0.05)
    projector, sinogram = case(30, noise=1.0)
    fitted = projector.filtered_adjoint(sinogram, least_residual_response(projector, sinogram))
    assert error(fitted) < 0.6 * error(back_projected(projector, sinogram))


@pytest.mark.parametrize(("angles", "limit"), [(200, 0.02), (60, 0.03)])
def test_sirt_as_a_filter_gives_nearly_what_sirt_gives(angles: int, limit: float) -> None:
    """In units of the body's attenuation, root mean square; SIRT weighs rays by their length, the filter cannot."""
    projector, sinogram = case(angles)
    found = projector.filtered_adjoint(sinogram, sirt_response(projector.theta, COLUMNS, 60, 2))
    expected = sirt(projector, sinogram, Settings(60))
    assert np.sqrt(np.mean((found - expected)[0][INSIDE] ** 2)) < limit
    assert found[0][INSIDE].mean() == pytest.approx(expected[0][INSIDE].mean(), rel=0.02)


def test_sirt_filters_are_kept_but_not_all() -> None:
    computed: list[int] = []

    def compute(theta: np.ndarray, columns: int, iterations: int, threads: int) -> np.ndarray:
        computed.append(iterations)
        return np.full(1, iterations)

    filters = fitted_filters._SirtFilters(compute)
    for iterations in (1, 1, 2, 3, 4, 5, 5, 1):
        assert filters.find(np.zeros(3), 8, iterations, 1) == iterations
    assert computed == [1, 2, 3, 4, 5, 1]


def test_the_declared_memory_covers_what_is_allocated() -> None:
    import tracemalloc

    projector, sinogram = case(181)
    for fit, declared in (
        (lambda: least_residual_response(projector, sinogram), working_bytes),
        (lambda: sirt_response(projector.theta, COLUMNS, 3, 1), fitted_filters.sirt_working_bytes),
    ):
        tracemalloc.start()
        try:
            fit()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak <= declared(181, COLUMNS)
