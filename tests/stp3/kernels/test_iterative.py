"""Iterative methods against the truth of a phantom, against each other and against ASTRA."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from stp3.errors import UsageFault
from stp3.kernels import iterative
from stp3.kernels.astra_projector import AstraProjector
from stp3.kernels.iterative import Settings, back_projected, cgls, em, fista_tv, sirt
from stp3.kernels.projector import Projector
from stp3.testing.phantom import Ellipsoid, View, attenuation_slice, line_integrals

COLUMNS = 128
AXIS = 64.6
PHANTOM = (
    Ellipsoid(x=2, y=-1, a=52, b=46, turn_deg=20, attenuation=1),
    Ellipsoid(x=15, y=12, a=10, b=7, attenuation=0.5),
    Ellipsoid(x=-20, y=-5, a=6, b=6, attenuation=1),
    Ellipsoid(x=5, y=-25, a=3, b=4, attenuation=-1),
)
TRUTH = attenuation_slice(PHANTOM, 0, COLUMNS)
PLACE = np.arange(COLUMNS) - (COLUMNS - 1) / 2
INSIDE = np.hypot(PLACE[:, None], PLACE) < 0.475 * COLUMNS

Method = Callable[..., np.ndarray]
METHODS: dict[str, Method] = {
    "sirt": sirt,
    "sart": lambda *args, **more: sirt(*args, **more, subsets=5),
    "cgls": cgls,
    "em": em,
    "fista_tv": lambda *args, **more: fista_tv(*args, weight=1e-4, inner=10, **more),
}


def case(angles: int, threads: int = 1) -> tuple[Projector, np.ndarray]:
    theta = np.pi * np.arange(angles) / angles
    lines = line_integrals(PHANTOM, View(columns=COLUMNS, rotation_axis=AXIS), theta, np.zeros(1))
    return Projector(theta, COLUMNS, AXIS, threads), np.moveaxis(lines, 1, 0).astype(np.float32)


def error(slices: np.ndarray) -> float:
    """Root mean square inside the circle, in units of the body's attenuation."""
    return float(np.sqrt(np.mean((slices[0] - TRUTH)[INSIDE] ** 2)))


@pytest.mark.parametrize(
    ("name", "iterations", "limit"),
    [("sirt", 100, 0.045), ("sart", 40, 0.03), ("cgls", 20, 0.026), ("em", 100, 0.048), ("fista_tv", 100, 0.015)],
)
def test_a_noise_free_scan_converges_to_the_truth(name: str, iterations: int, limit: float) -> None:
    """Sharp edges cost filtered back-projection 0.025 here; SIRT and EM still sharpen after so many iterations."""
    projector, sinograms = case(200, threads=2)
    residuals: list[float] = []
    found = METHODS[name](
        projector, sinograms, Settings(iterations, on_iteration=lambda _, left: residuals.append(left))
    )
    assert error(found) < limit
    assert len(residuals) == iterations
    assert residuals[-1] < 0.01 < residuals[0]
    assert found[0][INSIDE].mean() == pytest.approx(TRUTH[INSIDE].mean(), rel=0.005)


def test_from_few_projections_total_variation_beats_back_projection_by_far() -> None:
    projector, sinograms = case(60)
    direct = error(back_projected(projector, sinograms))
    assert error(fista_tv(projector, sinograms, Settings(100, low=0.0), 1e-4, 10)) < direct / 2.5
    assert error(sirt(projector, sinograms, Settings(100, low=0.0))) < direct


def test_back_projection_starts_near_the_truth() -> None:
    projector, sinograms = case(200)
    start = back_projected(projector, sinograms)
    assert error(start) < 0.03
    for name in ("sirt", "cgls", "em", "fista_tv"):
        found = METHODS[name](projector, sinograms, Settings(3), start=start)
        assert error(found) < 0.03
        assert error(found) < error(METHODS[name](projector, sinograms, Settings(3)))


def test_sirt_is_what_its_definition_says_with_full_matrices() -> None:
    """The same iteration with the projector written out as a matrix, in float64."""
    theta, n = np.linspace(0, 3, 9), 12
    projector = Projector(theta, n, 5.9)
    units = np.eye(n * n, dtype=np.float32).reshape(-1, n, n)
    matrix = np.concatenate([projector.forward(one[None]).reshape(1, -1) for one in units]).T.astype(float)
    b = np.random.default_rng(1).uniform(0, 5, (1, 9, n)).astype(np.float32)
    lengths = iterative.ray_lengths(projector).ravel()
    rays, pixels = np.where(lengths > 0, 1 / np.maximum(lengths, 1), 0), 1 / matrix.sum(axis=0)
    x = np.zeros(n * n)
    for _ in range(15):
        x = np.maximum(x + pixels * (matrix.T @ (rays * (b.ravel() - matrix @ x))), 0)
    assert matrix.sum(axis=0).min() > 0.05 * len(theta)
    assert_allclose(sirt(projector, b, Settings(15, low=0.0))[0].ravel(), x, atol=1e-4 * np.ptp(x))


def test_cgls_ends_at_the_least_squares_solution() -> None:
    theta, n = np.linspace(0, 3, 40), 9
    projector = Projector(theta, n, 4.0)
    units = np.eye(n * n, dtype=np.float32).reshape(-1, n, n)
    matrix = np.concatenate([projector.forward(one[None]).reshape(1, -1) for one in units]).T.astype(float)
    b = np.random.default_rng(2).normal(size=(1, 40, n)).astype(np.float32)
    best = np.linalg.lstsq(matrix, b.ravel(), rcond=None)[0]
    left = np.linalg.norm(matrix @ best - b.ravel())
    found = cgls(projector, b, Settings(300))[0].ravel()
    assert np.linalg.norm(matrix @ found - b.ravel()) == pytest.approx(left, rel=1e-4)


def test_rays_are_as_long_as_the_square_is_wide_where_they_cross_it() -> None:
    projector = Projector(np.array([0.0, np.pi / 4, np.pi / 2, 0.3]), 11, 5.0)
    lengths = iterative.ray_lengths(projector)[0]
    assert_allclose(lengths[0], 11)
    assert_allclose(lengths[1], 11 * np.sqrt(2) - 2 * np.abs(np.arange(11) - 5), rtol=1e-6)
    assert_allclose(lengths[2], 11)
    assert lengths[3, 5] == pytest.approx(11 / np.cos(0.3))


@pytest.mark.parametrize("name", METHODS)
def test_a_settled_row_stays_while_others_go_on(name: str) -> None:
    projector, sinograms = case(40)
    noisy = sinograms + np.random.default_rng(1).normal(0, 2, sinograms.shape).astype(np.float32)
    settings = Settings(12, stop=0.1)
    both = METHODS[name](projector, np.concatenate([sinograms, noisy]), settings)
    assert_array_equal(both[0], METHODS[name](projector, sinograms, settings)[0])
    assert_array_equal(both[1], METHODS[name](projector, noisy, settings)[0])


@pytest.mark.parametrize("name", METHODS)
def test_it_stops_by_itself_and_when_told(name: str) -> None:
    projector, sinograms = case(40)
    seen: list[int] = []

    def stop(iteration: int, residual: float) -> None:
        seen.append(iteration)
        if iteration == 3:
            raise InterruptedError

    METHODS[name](projector, sinograms, Settings(50, stop=0.3, on_iteration=lambda i, _: seen.append(i)))
    assert len(seen) < 50
    seen.clear()
    with pytest.raises(InterruptedError):
        METHODS[name](projector, sinograms, Settings(50, on_iteration=stop))
    assert seen == [0, 1, 2, 3]


@pytest.mark.parametrize("name", METHODS)
def test_an_empty_row_stays_empty(name: str) -> None:
    projector, sinograms = case(10)
    assert_array_equal(METHODS[name](projector, 0 * sinograms, Settings(3)), 0)


@pytest.mark.parametrize("name", ["sirt", "sart", "em", "fista_tv"])
def test_values_keep_to_their_limits(name: str) -> None:
    projector, sinograms = case(20)
    found = METHODS[name](projector, sinograms, Settings(5, low=0.1, high=0.9))
    assert found.min() >= np.float32(0.1)
    assert found.max() <= np.float32(0.9)


def test_the_penalty_means_the_same_in_any_unit() -> None:
    projector, sinograms = case(30)
    one, thousand = (fista_tv(projector, scale * sinograms, Settings(5), 1e-3, 5) for scale in (1, 1000))
    assert_allclose(thousand / 1000, one, atol=1e-4)


def test_without_astra_its_projector_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stp3.kernels.astra_projector.find_spec", lambda name: None)
    with pytest.raises(UsageFault, match="pip install astra-toolbox"):
        AstraProjector(np.zeros(1), 8, 3.5)


@pytest.mark.skipif(not find_spec("astra"), reason="ASTRA is not installed")
def test_sirt_equals_that_of_astra() -> None:
    """Within 1 % of the range, root mean square: ASTRA draws linearly between pixels, which blurs."""
    import astra

    projector, sinograms = case(60)
    theirs = AstraProjector(projector.theta, COLUMNS, AXIS)
    beam = astra.create_proj_geom("parallel_vec", COLUMNS, theirs._vectors(AXIS))
    operator = astra.OpTomo(astra.create_projector("linear", beam, astra.create_vol_geom(COLUMNS, COLUMNS)))
    expected = operator.reconstruct("SIRT", sinograms[0], 50).reshape(COLUMNS, COLUMNS)
    by_their_projector = sirt(theirs, sinograms, Settings(50))[0]
    own = sirt(projector, sinograms, Settings(50))[0]
    assert_allclose(by_their_projector, expected, atol=0.02 * np.ptp(TRUTH))
    assert np.sqrt(np.mean((by_their_projector - expected) ** 2)) < 0.002 * np.ptp(TRUTH)
    assert np.sqrt(np.mean((own - expected) ** 2)) < 0.01 * np.ptp(TRUTH)


def test_the_declared_memory_covers_what_is_allocated() -> None:
    import tracemalloc

    projector, sinograms = case(180)
    again = replace(Settings(2))
    for name, method in METHODS.items():
        tracemalloc.start()
        try:
            method(projector, np.repeat(sinograms, 2, axis=0), again)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak <= iterative.working_bytes(180, COLUMNS, 2), name
