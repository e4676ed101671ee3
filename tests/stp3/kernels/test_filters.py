"""Filters."""

import numpy as np
import pytest
from scipy.signal import windows

from stp3.kernels.filters import FILTERS, FilterName, filter_response, ramp

SAMPLES = 4097


def test_the_ramp_is_the_transform_of_the_spatial_kernel() -> None:
    padded = 4096
    frequency = np.arange(padded // 2 + 1) / padded
    # away from both ends it is |f|; at 0 it holds what the kernel cut at half the padded length leaves over
    np.testing.assert_allclose(ramp(padded)[10:-10], frequency[10:-10], atol=1e-6)
    assert ramp(padded)[0] == pytest.approx(2 / np.pi**2 / padded, rel=1e-2)


@pytest.mark.parametrize("name", FILTERS)
def test_nothing_passes_beyond_the_cutoff(name: str) -> None:
    response = filter_response(name, 512, 0.5)
    assert np.all(response[129:] == 0)
    assert response[32] > 0


def test_filters_are_named_from_sharp_to_smooth() -> None:
    noise = [np.sum(filter_response(name, 512) ** 2) for name in FILTERS if name != "none"]
    assert sorted(noise, reverse=True) == noise
    assert np.all(filter_response("none", 64) == 1)


@pytest.mark.parametrize(("name", "window"), [
    ("tukey", windows.tukey(SAMPLES, 0.5)), ("hamming", windows.hamming(SAMPLES)), ("hann", windows.hann(SAMPLES)),
    ("gaussian", windows.gaussian(SAMPLES, 0.4 * 2048)), ("blackman", windows.blackman(SAMPLES)),
    ("kaiser", windows.kaiser(SAMPLES, 8.6)), ("nuttall", windows.nuttall(SAMPLES)),
    ("blackman-harris", windows.blackmanharris(SAMPLES)), ("flat-top", windows.flattop(SAMPLES)),
    ("lanczos", windows.lanczos(SAMPLES)),
])  # fmt: skip
def test_windows_equal_scipys(name: FilterName, window: np.ndarray) -> None:
    np.testing.assert_allclose(filter_response(name, 4096), window[2048:] * ramp(4096), atol=1e-12)


@pytest.mark.parametrize(("name", "window"), [
    ("cosine", windows.cosine(SAMPLES)), ("parzen", windows.parzen(SAMPLES)),  # SciPy's end half a sample further out
    ("shepp-logan", np.sinc(np.linspace(-0.5, 0.5, SAMPLES))),
])  # fmt: skip
def test_windows_have_their_shape(name: FilterName, window: np.ndarray) -> None:
    np.testing.assert_allclose(filter_response(name, 4096), window[2048:] * ramp(4096), atol=2e-4)
