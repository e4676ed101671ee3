"""Filtered back-projection against closed forms and an exact back-projection in double precision."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.fft import next_fast_len

from stp3.kernels import grid_sizes, gridding, gridding_matrix
from stp3.kernels.angles import density_weights
from stp3.kernels.arrays import HOST
from stp3.kernels.grid_sizes import Sizes, fast_length
from stp3.kernels.gridding import reconstruct, rows_together, working_bytes

HALF_TURN = np.pi * np.arange(90) / 90


def disk_sinogram(
    columns: int, theta: np.ndarray, axis: float, disks: tuple[tuple[float, float, float, float], ...]
) -> np.ndarray:
    """Exact line integrals of disks (x, y, radius, level), averaged over each column, shape (angles, columns)."""

    def chord_area(t: np.ndarray, radius: float) -> np.ndarray:
        t = np.clip(t, -radius, radius)
        return t * np.sqrt(np.maximum(radius**2 - t**2, 0)) + radius**2 * np.arcsin(t / radius)

    out = np.zeros((len(theta), columns))
    for x, y, radius, level in disks:
        distance = np.arange(columns) - (axis + x * np.cos(theta) + y * np.sin(theta))[:, None]
        out += level * (chord_area(distance + 0.5, radius) - chord_area(distance - 0.5, radius))
    return out


def exact_back_projection(sinogram: np.ndarray, theta: np.ndarray, axis: float) -> np.ndarray:
    """Filtered back-projection straight from its definition, in float64 and with exact band-limited interpolation."""
    columns = sinogram.shape[1]
    padded = 8 * columns
    distance = np.minimum(np.arange(padded), padded - np.arange(padded))
    kernel = np.where(distance % 2 == 1, -1 / (np.pi * np.maximum(distance, 1)) ** 2, 0.0)
    kernel[0] = 0.25
    ramp = np.fft.rfft(kernel).real
    finer = 32
    filtered = np.fft.irfft(np.fft.rfft(sinogram, padded, axis=1) * ramp, padded * finer, axis=1) * finer
    place = np.arange(columns) - (columns - 1) / 2
    slice_ = np.zeros((columns, columns))
    for angle, line, weight in zip(theta, filtered, density_weights(theta), strict=True):
        at = axis + place[None, :] * np.cos(angle) - place[:, None] * np.sin(angle)
        whole = np.floor(at * finer).astype(int)
        part = at * finer - whole
        slice_ += weight * (line[whole % len(line)] * (1 - part) + line[(whole + 1) % len(line)] * part)
    return slice_


def psnr(found: np.ndarray, expected: np.ndarray) -> float:
    """In dB, inside the circle that all angles see, against the range of the expected values."""
    place = np.arange(len(expected)) - (len(expected) - 1) / 2
    inside = np.hypot(place[:, None], place) < 0.475 * len(expected)
    error = np.sqrt(np.mean((found - expected)[inside] ** 2))
    return float(20 * np.log10(np.ptp(expected[inside]) / error))


DISKS = ((10.0, 6.0, 9.0, 1.0), (-12.0, -5.0, 5.0, 2.0), (2.0, -18.0, 3.0, -0.5))


@pytest.mark.parametrize(("columns", "shift"), [(128, 0.0), (128, 3.3), (129, 0.0), (131, -5.2)])
def test_equals_the_exact_back_projection(columns: int, shift: float) -> None:
    axis = (columns - 1) / 2 + shift
    disks = tuple((2 * x, 2 * y, 2 * radius, level) for x, y, radius, level in DISKS)
    theta = np.pi * np.arange(180) / 180
    sinogram = disk_sinogram(columns, theta, axis, disks)
    found = reconstruct(sinogram[:, None].astype(np.float32), theta, axis, pad="zero")[0]
    assert psnr(found, exact_back_projection(sinogram, theta, axis)) > 70


@pytest.mark.parametrize(
    "theta",
    [
        pytest.param(np.deg2rad(16740) + HALF_TURN, id="beyond 360 degrees"),
        pytest.param(-HALF_TURN, id="other sense"),
        pytest.param(np.deg2rad(-88.2) + np.pi * np.arange(91) / 90, id="end included"),
        pytest.param(2 * np.pi * np.arange(181) / 181, id="whole turn"),
        pytest.param(2 * np.pi * np.arange(181) / 180, id="whole turn, end included"),
        pytest.param(np.random.default_rng(1).permutation(HALF_TURN), id="shuffled"),
        pytest.param(np.sort(np.random.default_rng(2).uniform(0, np.pi, 300)), id="uneven"),
    ],
)
def test_angles_of_any_kind_give_the_right_level_in_the_right_place(theta: np.ndarray) -> None:
    columns, axis = 64, 30.2
    sinogram = disk_sinogram(columns, theta, axis, DISKS[:2])
    found = reconstruct(sinogram[:, None].astype(np.float32), theta, axis)[0]
    place = np.arange(columns) - (columns - 1) / 2
    for x, y, radius, level in DISKS[:2]:
        inside = np.hypot(place - x, -place[:, None] - y) < 0.7 * radius
        assert found[inside].mean() == pytest.approx(level, rel=0.02)
    assert psnr(found, exact_back_projection(sinogram, theta, axis)) > 55


@pytest.mark.parametrize("angles", [1.0, 2.0])
@pytest.mark.parametrize("filter", ["ram-lak", "shepp-logan", "hann"])
def test_a_uniform_disk_has_its_attenuation_per_centimetre(angles: float, filter: str) -> None:
    columns, pixel_um, per_cm = 256, 6.5, 3.0
    theta = np.pi * angles * np.arange(int(400 * angles)) / int(400 * angles)
    sinogram = disk_sinogram(columns, theta, 127.5, ((5.0, -7.0, 90.0, per_cm * pixel_um * 1e-4),))
    found = reconstruct(sinogram[:, None].astype(np.float32), theta, 127.5, filter=filter, pixel_size=pixel_um * 1e-4)[
        0
    ]
    place = np.arange(columns) - (columns - 1) / 2
    inside = np.hypot(place - 5, place[:, None] - 7) < 80
    assert found[inside].mean() == pytest.approx(per_cm, rel=0.005)
    assert found[inside].std() < 0.02 * per_cm
    outside = (np.hypot(place - 5, place[:, None] - 7) > 100) & (np.hypot(place, place[:, None]) < 120)
    assert abs(found[outside].mean()) < 0.005 * per_cm


def test_edge_padding_takes_the_hollow_out_of_a_sample_wider_than_the_view() -> None:
    columns, axis = 128, 63.5
    theta = np.pi * np.arange(200) / 200
    lines = disk_sinogram(columns, theta, axis, ((0.0, 0.0, 120.0, 1.0),))[:, None].astype(np.float32)
    place = np.arange(columns) - (columns - 1) / 2
    rim = np.hypot(place, place[:, None])
    rim = (rim > 50) & (rim < 58)
    edge, zero = (reconstruct(lines, theta, axis, pad=pad)[0] for pad in ("edge", "zero"))
    middle = (slice(54, 74), slice(54, 74))
    assert zero[rim].mean() / zero[middle].mean() > 1.3
    assert abs(edge[rim].mean() / edge[middle].mean() - 1) < 0.2


@pytest.mark.parametrize("columns", [50, 53])
def test_a_row_is_the_same_alone_in_any_slab_and_with_any_threads(columns: int) -> None:
    rng = np.random.default_rng(3)
    projections = rng.normal(size=(37, 19, columns)).astype(np.float32)
    theta = rng.uniform(0, 7, 37)
    whole = reconstruct(projections, theta, 20.1, threads=3)
    assert rows_together(Sizes(37, columns)) < 19
    for row in (0, 7, 18):
        for threads in (1, 2):
            assert_array_equal(reconstruct(projections[:, row : row + 1], theta, 20.1, threads=threads)[0], whole[row])
    assert_array_equal(reconstruct(projections[:, 5:8], theta, 20.1), whole[5:8])


def test_a_matrix_too_large_to_keep_is_built_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    projections = rng.normal(size=(60, 3, 48)).astype(np.float32)
    theta = np.pi * np.arange(60) / 60
    kept = reconstruct(projections, theta, 23.0)
    monkeypatch.setattr(grid_sizes, "KEPT_BYTES", 1000)
    monkeypatch.setattr(grid_sizes, "_BLOCK_BYTES", Sizes(60, 48).matrix_bytes // 20)
    assert Sizes(60, 48).blocks > 2 * gridding._WAVE
    built = reconstruct(projections, theta, 23.0, threads=2)
    assert_allclose(built, kept, atol=2e-6 * np.ptp(kept))
    assert_array_equal(built, reconstruct(projections, theta, 23.0))


def test_matrices_kept_stay_within_their_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = Sizes(20, 32)
    monkeypatch.setattr(grid_sizes, "KEPT_BYTES", int(2.5 * sizes.matrix_bytes))
    kept = gridding_matrix._Kept()
    thetas = [np.linspace(0, end, 20) for end in (3.0, 3.1, 3.2)]
    first = kept.blocks(HOST, thetas[0], sizes, 1)
    assert kept.blocks(HOST, thetas[0], sizes, 1) is first
    for theta in thetas[1:]:
        kept.blocks(HOST, theta, sizes, 1)
    assert len(kept._blocks) == 2
    assert kept.blocks(HOST, thetas[0], sizes, 1) is not first


def test_the_declared_memory_covers_what_is_allocated() -> None:
    import tracemalloc

    angles, columns = 300, 256
    projections = np.zeros((angles, 8, columns), np.float32)
    theta = np.linspace(0, 3.1, angles)
    tracemalloc.start()
    try:
        reconstruct(projections, theta, 127.0, threads=2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= working_bytes(angles, columns) + 2 * 8 * columns**2 * 4


@pytest.mark.parametrize("columns", [1, 2, 3, 7, 11, 997])
def test_odd_widths_work(columns: int) -> None:
    theta = np.pi * np.arange(12) / 12
    found = reconstruct(np.ones((12, 1, columns), np.float32), theta, (columns - 1) / 2)
    assert found.shape == (1, columns, columns)
    assert np.isfinite(found).all()


def test_fast_lengths_are_those_of_scipy() -> None:
    assert [fast_length(n) for n in range(1, 5000)] == [next_fast_len(n, real=True) for n in range(1, 5000)]
