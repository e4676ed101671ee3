"""Filters over slabs against a transform of the whole projection in double precision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from stp3.kernels.phase import GeneralisedPaganin, Paganin
from stp3.kernels.projection_filter import filter_by_scipy, filtered, kernels_of, reach_of

RESPONSES = [method(strength) for method in (Paganin, GeneralisedPaganin) for strength in (0.1, 1.0, 10.0, 100.0)]


@pytest.fixture(params=["compiled", "SciPy"])
def means(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways in turn, where there are two."""
    if request.param == "SciPy":
        monkeypatch.setattr("stp3.kernels.projection_filter.is_compiled", lambda: False)


def projections(count: int = 3, rows: int = 90, columns: int = 110) -> np.ndarray:
    """Transmissions of spheres, with 1 % of noise."""
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:rows, :columns]
    out = []
    for _ in range(count):
        places = rng.uniform(0, (rows, columns, 30), (8, 3))
        chords = [np.sqrt(np.maximum(r * r - (y - cy) ** 2 - (x - cx) ** 2, 0)) / 60 for cy, cx, r in places]
        out.append(np.exp(-np.sum(chords, axis=0)) + rng.normal(0, 0.01, (rows, columns)))
    return np.array(out, np.float32)


def whole(data: np.ndarray, response: object, beyond: int) -> np.ndarray:
    """The definition: the projection continued far beyond its edges, transformed, multiplied, transformed back."""
    wide = np.pad(data.astype(np.float64), ((0, 0), (beyond, beyond), (beyond, beyond)), mode="edge")
    along, across = np.fft.fftfreq(wide.shape[1]), np.fft.rfftfreq(wide.shape[2])
    factor = response(2 * np.pi * across[None], 2 * np.pi * along[:, None])
    return np.fft.irfft2(np.fft.rfft2(wide) * factor, s=wide.shape[1:])[:, beyond:-beyond, beyond:-beyond]


@pytest.mark.parametrize("response", RESPONSES, ids=str)
def test_equals_the_transform_of_the_whole_projection(response: object) -> None:
    data = projections()
    expected = whole(data, response, 300)
    found = filtered(data, response, np.empty_like(data))
    assert np.abs(found - expected).max() < 1.5e-5 * np.ptp(expected)


@pytest.mark.parametrize("rows", [1, 5, 80, 150])
@pytest.mark.parametrize("strength", [1.0, 50.0])
def test_equals_what_scipy_does(rows: int, strength: float) -> None:
    data, response = projections(5, rows, 61), Paganin(strength)
    expected = np.empty_like(data)
    filter_by_scipy(data, kernels_of(response, 61, reach_of(response)), expected)
    found = filtered(data, response, np.empty_like(data))
    assert np.abs(found - expected).max() < 2e-6
    part = filtered(data, response, np.empty_like(data[:, rows // 2 :]), threads=2, first=rows // 2)
    np.testing.assert_array_equal(part, found[:, rows // 2 :])


def test_rows_may_lie_apart_in_memory() -> None:
    room = np.zeros((4, 40, 100), np.float32)
    room[:, ::2, 10:70] = projections(4, 20, 60)
    expected = filtered(np.ascontiguousarray(room[:, ::2, 10:70]), Paganin(9.0), np.empty((4, 20, 60), np.float32))
    filtered(room[:, ::2, 10:70], Paganin(9.0), room[:, 1::2, 5:65])
    np.testing.assert_array_equal(room[:, 1::2, 5:65], expected)


@pytest.mark.usefixtures("means")
@pytest.mark.parametrize("response", RESPONSES[1::2], ids=str)
def test_a_row_needs_no_more_than_its_halo(response: object) -> None:
    data = projections(rows=200)
    complete, halo = filtered(data, response, np.empty_like(data)), reach_of(response)
    for start, stop in ((0, 1), (95, 97), (100, 130), (199, 200)):
        first, last = max(start - halo, 0), min(stop + halo, 200)
        part = filtered(data[:, first:last], response, np.empty_like(data[:, first:last]))
        np.testing.assert_array_equal(part[:, start - first : stop - first], complete[:, start:stop])


@pytest.mark.usefixtures("means")
def test_neighbours_and_threads_change_nothing() -> None:
    data, response = projections(37, 20, 50), Paganin(3.0)
    together = filtered(data, response, np.empty_like(data), threads=3)
    for some in (slice(0, 1), slice(5, 30), slice(36, 37)):
        np.testing.assert_array_equal(filtered(data[some], response, np.empty_like(data[some])), together[some])
    over = data.copy()
    filtered(over, response, over, threads=2)
    np.testing.assert_array_equal(over, together)


@pytest.mark.parametrize("columns", [1, 2, 3, 17, 64])
@pytest.mark.parametrize("rows", [1, 2, 9])
def test_a_level_picture_stays_level_at_any_size(rows: int, columns: int) -> None:
    level = np.full((2, rows, columns), 0.7, np.float32)
    np.testing.assert_allclose(filtered(level, Paganin(20.0), np.empty_like(level)), 0.7, rtol=2e-6)


def test_the_reach_grows_with_the_length_of_the_decay() -> None:
    reaches = [reach_of(Paganin(strength)) for strength in (100.0, 400.0, 1600.0)]
    np.testing.assert_allclose(np.array(reaches) / (10, 20, 40), 10, atol=0.5)
    assert reach_of(Paganin(1e9)) == reach_of(Paganin(1e8)), "it ends somewhere"


def test_kernels_sum_to_the_response_at_frequency_zero_along_rows() -> None:
    response = Paganin(50.0)
    kernels = kernels_of(response, 200, reach_of(response))
    across = 2 * np.pi * np.arange(kernels.padded // 2 + 1) / kernels.padded
    taps = kernels.taps[:, : len(across)]
    np.testing.assert_allclose(2 * taps.sum(axis=0) - taps[0], response(across, np.zeros(1)), atol=2e-7)
    assert kernels.lengths.max() == len(taps)
    assert all(not line[length:].any() for line, length in zip(taps.T, kernels.lengths, strict=True))


@dataclass(frozen=True)
class Gaussian:
    """A response with a closed form on either side."""

    sigma: float

    def __call__(self, across: np.ndarray, along: np.ndarray) -> np.ndarray:
        return np.exp(-(self.sigma**2) * (across**2 + along**2) / 2)


def test_a_point_becomes_the_known_spot() -> None:
    point = np.zeros((1, 61, 71), np.float32)
    point[0, 30, 35] = 1
    y, x = np.mgrid[-30:31, -35:36]
    spot = np.exp(-(x**2 + y**2) / 18) / (18 * np.pi)
    np.testing.assert_allclose(filtered(point, Gaussian(3.0), np.empty_like(point))[0], spot, atol=2e-4 * spot.max())
