"""Stripes that hardly change over the angles, and the methods that rely on it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from stp3.kernels import slow_stripes
from stp3.kernels.wavelets import bands, scaling_filter
from stp3.steps import find_step
from stp3.steps.base import Slab
from stp3.steps.stripes_slow import (
    StripesBoinHaibel,
    StripesRaven,
    StripesRivers,
    StripesTitarenko,
    StripesWaveletFft,
)
from stp3.testing.step_contract import StepContract, example_slab

Array = NDArray[np.float32]


class SlowContract(StepContract):
    def slab(self) -> Slab:
        slab = example_slab(rows=4, angles=60, columns=90)
        return slab.with_data(np.log(np.maximum(slab.data, 1)))


class TestRiversKeepsTheContract(SlowContract):
    step = StripesRivers


class TestBoinHaibelKeepsTheContract(SlowContract):
    step = StripesBoinHaibel


class TestTitarenkoKeepsTheContract(SlowContract):
    step = StripesTitarenko
    parameters = StripesTitarenko.Parameters(blocks=3)


class TestRavenKeepsTheContract(SlowContract):
    step = StripesRaven


class TestWaveletFftKeepsTheContract(SlowContract):
    step = StripesWaveletFft
    parameters = StripesWaveletFft.Parameters(levels=3)


def body(angles: int = 240, columns: int = 300) -> Array:
    """Three smooth bodies on their sine curves over a disk, shape (angles, columns)."""
    theta = np.pi * np.arange(angles)[:, None] / angles
    column = np.arange(columns) - columns / 2
    bodies = ((60, 30, 30, 0.8), (-45, 50, 40, 0.6), (0, 0, 90, 1.0))
    lines = [
        level * np.exp(-(((column - x * np.cos(theta) - y * np.sin(theta)) / width) ** 2))
        for x, y, width, level in bodies
    ]
    return np.asarray(sum(lines), np.float32)


def stripes(columns: int = 300) -> Array:
    """One column wide, two wide, and of both signs."""
    wrong = np.zeros(columns, np.float32)
    wrong[[90, 151, 200]] = 0.1, -0.08, 0.15
    wrong[120:122] = 0.1
    return wrong


def removed(name: str, sinogram: Array, **values: object) -> Array:
    step = find_step(name)
    slab = example_slab(rows=1, angles=len(sinogram)).with_data(sinogram[:, None])
    return step.apply(slab, step.Parameters(**values)).data[:, 0]


METHODS = [  # the RMS error left, as a share of the stripes', and how much of the clean sinogram is taken for some
    ("stripes_rivers", {"width": 9}, 0.25, 2e-4),
    ("stripes_boin_haibel", {"width": 15}, 0.38, 4e-3),
    ("stripes_titarenko", {}, 0.36, 4e-3),
    ("stripes_titarenko", {"blocks": 4}, 0.42, 6e-3),
    ("stripes_raven", {}, 0.29, 2e-3),
    ("stripes_wavelet_fft", {}, 0.31, 2e-3),
    ("stripes_oimoen", {"across": 9, "along": 201}, 0.29, 1e-3),
    ("stripes_sijbers_postnov", {"window": 21}, 0.17, 5e-4),
]


@pytest.mark.parametrize(("name", "values", "left", "touched"), METHODS, ids=str)
def test_stripes_go_and_the_body_stays(name: str, values: dict[str, object], left: float, touched: float) -> None:
    clean, wrong = body(), stripes()
    assert rms(removed(name, clean + wrong, **values) - clean) < left * rms(np.broadcast_to(wrong, clean.shape))
    assert rms(removed(name, clean, **values) - clean) < touched * rms(clean)


def rms(values: Array) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def test_rivers_is_the_mean_less_its_median() -> None:
    data = (body() + stripes())[:, :120]
    mean = data.mean(axis=0, dtype=np.float64)
    expected = data - (mean - median_filter(mean, 11, mode="nearest"))
    np.testing.assert_allclose(removed("stripes_rivers", data, width=11), expected, atol=2e-6)


def test_boin_and_haibel_make_the_sums_smooth() -> None:
    data = body() + 0.5 + stripes()
    sums = data.sum(axis=0, dtype=np.float64)
    expected = np.convolve(np.pad(sums, 4, mode="edge"), np.full(9, 1 / 9), mode="valid")
    found = removed("stripes_boin_haibel", data, width=9).sum(axis=0, dtype=np.float64)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_air_is_not_scaled() -> None:
    data = np.zeros((40, 60), np.float32)
    data[:, 20:40] = 1
    data[:, 5] = 1e-3
    np.testing.assert_array_equal(removed("stripes_boin_haibel", data)[:, :15], data[:, :15])


@pytest.mark.parametrize("alpha", [1e-3, 0.3])
def test_titarenko_solves_his_equation(alpha: float) -> None:
    """(steps' steps + alpha) q = steps' steps mean, with steps between neighbouring columns."""
    data = np.random.default_rng(3).normal(1, 0.3, (50, 37)).astype(np.float32)
    steps = np.diff(np.eye(37), axis=0)
    power = steps.T @ steps
    wrong = np.linalg.solve(power + alpha * np.eye(37), power @ data.mean(axis=0, dtype=np.float64))
    np.testing.assert_allclose(removed("stripes_titarenko", data, alpha=alpha), data - wrong, atol=5e-6)


def test_blocks_follow_a_stripe_that_grows() -> None:
    clean, left = body(), []
    grown = clean.copy()
    grown[:, 150] += 0.2 * np.linspace(0, 1, len(clean), dtype=np.float32)
    for blocks in (1, 6):
        found, usual = (removed("stripes_titarenko", data, alpha=0.01, blocks=blocks) for data in (grown, clean))
        left.append(rms((found - usual)[:, 150]))
    assert left[1] < 0.4 * left[0]


def test_raven_is_a_filter_in_two_dimensional_fourier_space() -> None:
    data = np.random.default_rng(4).normal(1, 0.3, (64, 50)).astype(np.float32)
    spectrum = np.fft.fft2(np.concatenate([data, data[:, ::-1]], axis=1))
    across = np.abs(np.fft.fftfreq(100)) * 2
    smooth = 1 / (1 + (across / 0.2) ** 8)
    spectrum[[0, 1, 2, -1, -2]] *= smooth
    expected = np.fft.ifft2(spectrum).real[:, :50]
    np.testing.assert_allclose(removed("stripes_raven", data, rows=3, cutoff=0.2), expected, atol=1e-5)


# Table 6.1 of Ten Lectures on Wavelets, for five vanishing moments
DB5 = [
    0.1601023979741929, 0.6038292697971895, 0.7243085284377726, 0.1384281459013203, -0.2422948870663823,
    -0.0322448695846381, 0.0775714938400459, -0.0062414902127983, -0.0125807519990820, 0.0033357252854738,
]  # fmt: skip


def test_wavelets_are_those_of_the_table() -> None:
    np.testing.assert_allclose(scaling_filter(5), DB5, atol=1e-13)
    root = np.sqrt(3)
    np.testing.assert_allclose(scaling_filter(2), np.array([1 + root, 3 + root, 3 - root, 1 - root]) / np.sqrt(32))


@pytest.mark.parametrize("moments", range(1, 11))
def test_wavelets_are_orthogonal_to_their_shifts_and_to_polynomials(moments: int) -> None:
    taps = scaling_filter(moments)
    shifts = np.correlate(taps, taps, "full")[len(taps) - 1 :: 2]
    np.testing.assert_allclose(shifts, np.eye(1, len(shifts))[0], atol=1e-12)
    high = taps[::-1] * (-1.0) ** np.arange(len(taps))
    for power in range(moments):
        scaled = np.arange(len(taps)) / len(taps)
        assert abs(high @ scaled**power) < 1e-9


@pytest.mark.parametrize("length", [5, 64, 101])
@pytest.mark.parametrize("moments", [1, 5])
def test_coarse_and_fine_make_the_signal_again(moments: int, length: int) -> None:
    signal = np.random.default_rng(5).normal(size=length).astype(np.float32)
    level = bands(moments, length)
    found = level.from_coarse @ (level.to_coarse @ signal) + level.from_fine @ (level.to_fine @ signal)
    np.testing.assert_allclose(found, signal, atol=2e-6)


def split(values: Array, taps: Array) -> tuple[Array, Array]:
    """Coarse and fine band along the last axis, by convolution of what is mirrored, as textbooks have it."""
    count = (values.shape[-1] + len(taps) - 1) // 2
    wide = np.pad(values, ((0, 0), (len(taps) - 1, len(taps) - 1)), mode="symmetric")
    high = taps[::-1] * (-1.0) ** np.arange(len(taps))
    low, fine = (np.stack([np.correlate(line, each, "valid") for line in wide]) for each in (taps, high))
    return low[:, 1::2][:, :count], fine[:, 1::2][:, :count]


def join(coarse: Array, fine: Array, taps: Array, length: int) -> Array:
    high = taps[::-1] * (-1.0) ** np.arange(len(taps))
    spread = np.zeros((2, len(coarse), 2 * coarse.shape[1]))
    spread[0, :, ::2], spread[1, :, ::2] = coarse, fine
    made = [[np.convolve(line, each) for line in band] for band, each in zip(spread, (taps, high), strict=True)]
    return np.sum(made, axis=0)[:, len(taps) - 2 :][:, :length]


def munch(data: Array, moments: int, levels: int, sigma: float) -> Array:
    """The paper's algorithm, word for word."""
    taps, kept, coarse = scaling_filter(moments), [], data.astype(np.float64)
    for _ in range(levels):
        low, high = split(coarse, taps)
        down = [band.T for part in (low, high) for band in split(part.T, taps)]
        kept.append((coarse.shape, down))
        coarse = down[0]
    for shape, (_, low_fine, high_coarse, high_fine) in reversed(kept):
        turns = np.fft.fftfreq(len(high_coarse)) * len(high_coarse)
        damp = 1 - np.exp(-(turns**2) / (2 * sigma**2))
        damped = np.fft.ifft(np.fft.fft(high_coarse, axis=0) * damp[:, None], axis=0).real
        sides = [join(one.T, two.T, taps, shape[0]).T for one, two in ((coarse, low_fine), (damped, high_fine))]
        coarse = join(sides[0], sides[1], taps, shape[1])
    return coarse


@pytest.mark.parametrize(("moments", "levels", "sigma"), [(5, 3, 1.0), (1, 2, 2.5), (3, 4, 0.4)])
def test_waves_in_bands_are_what_the_whole_transform_damps(moments: int, levels: int, sigma: float) -> None:
    data = np.random.default_rng(6).normal(1, 0.3, (75, 50)).astype(np.float32)
    found = removed("stripes_wavelet_fft", data, wavelet=f"db{moments}", levels=levels, sigma=sigma)
    np.testing.assert_allclose(found, munch(data, moments, levels, sigma), atol=5e-6)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (3, 40), (40, 2)])
@pytest.mark.parametrize("name", sorted({method[0] for method in METHODS}))
def test_the_smallest_sinograms_pass(name: str, shape: tuple[int, int]) -> None:
    found = removed(name, np.random.default_rng(7).random(shape, np.float32))
    assert found.shape == shape
    assert np.isfinite(found).all()


def test_both_means_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    data = (body() + stripes())[:, None].repeat(2, axis=1)
    weights = np.random.default_rng(8).random((7, len(data)), np.float32)
    given = []
    for compiled in (True, False):
        monkeypatch.setattr(slow_stripes, "is_compiled", lambda compiled=compiled: compiled)
        sums = slow_stripes.weighted_sums(weights, data)
        out = np.empty_like(data)
        slow_stripes.subtract_weighted(data, np.ascontiguousarray(weights.T), sums, out)
        given.append((sums, out))
    np.testing.assert_allclose(given[0][0], given[1][0], rtol=1e-5)
    np.testing.assert_allclose(given[0][1], given[1][1], rtol=1e-5, atol=1e-4)
