"""ASTRA and TomoPy behind the same call give the same slices, as far as they can."""

from importlib.util import find_spec

import numpy as np
import pytest
from numpy.testing import assert_allclose

from stp3.errors import UsageFault
from stp3.kernels.reconstruction import reconstruct
from stp3.kernels.window import Window

needs_astra = pytest.mark.skipif(not find_spec("astra"), reason="ASTRA is not installed")
needs_tomopy = pytest.mark.skipif(not find_spec("tomopy"), reason="TomoPy is not installed")
COLUMNS = 97
AXES = np.array([44.3, 50.0])
UNEVEN = np.sort(np.random.default_rng(3).uniform(0, np.pi, 240))
SIGMA, X, Y = 6.0, 14.0, -9.0


def sinograms(theta: np.ndarray) -> np.ndarray:
    """A round body with a Gaussian profile, seen from all angles about the axis of each row."""
    places = AXES[:, None] + X * np.cos(theta)[:, None, None] + Y * np.sin(theta)[:, None, None]
    lines = np.sqrt(2 * np.pi) * SIGMA * np.exp(-((np.arange(COLUMNS) - places) ** 2) / (2 * SIGMA**2))
    return lines.astype(np.float32)


def body() -> np.ndarray:
    x = np.arange(COLUMNS) - (COLUMNS - 1) / 2
    return np.exp(-((x - X) ** 2 + (x[::-1, None] - Y) ** 2) / (2 * SIGMA**2))


@needs_astra
@pytest.mark.parametrize("filter", ["ram-lak", "hann"])
def test_astra(filter: str) -> None:
    slices = reconstruct(sinograms(UNEVEN), UNEVEN, AXES, filter=filter, pixel_size=0.5, engine="astra")
    ours = reconstruct(sinograms(UNEVEN), UNEVEN, AXES, filter=filter, pixel_size=0.5)
    inside = np.hypot(*(np.mgrid[:COLUMNS, :COLUMNS] - (COLUMNS - 1) / 2)) < 40
    assert_allclose(slices[:, inside], ours[:, inside], atol=0.03 * 2)
    window = Window(40, 80, 30, 70, COLUMNS)
    part = reconstruct(sinograms(UNEVEN), UNEVEN, AXES, filter=filter, pixel_size=0.5, engine="astra", window=window)
    assert_allclose(part, slices[:, 30:70, 40:80], atol=1e-6)


@needs_tomopy
def test_tomopy() -> None:
    slices = reconstruct(sinograms(UNEVEN), UNEVEN, AXES, filter="ram-lak", pixel_size=0.5, engine="tomopy", threads=2)
    for one in slices:
        assert np.corrcoef(one.ravel(), body().ravel())[0, 1] > 0.98
        assert one.max() == pytest.approx(2.0, rel=0.25)  # TomoPy's values are too high
    part = reconstruct(
        sinograms(UNEVEN), UNEVEN, AXES, pixel_size=0.5, engine="tomopy", window=Window(40, 80, 30, 70, COLUMNS)
    )
    assert_allclose(part, slices[:, 30:70, 40:80], atol=1e-6)


def test_a_filter_that_tomopy_has_not_is_refused() -> None:
    with pytest.raises(UsageFault, match="TomoPy has no filter lanczos with cut-off 1"):
        reconstruct(sinograms(UNEVEN), UNEVEN, AXES, filter="lanczos", engine="tomopy")
    with pytest.raises(UsageFault, match=r"cut-off 0\.5"):
        reconstruct(sinograms(UNEVEN), UNEVEN, AXES, cutoff=0.5, engine="tomopy")


@pytest.mark.parametrize("engine", ["astra", "tomopy"])
def test_where_they_are_missing_it_says_how_to_get_them(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("astra_projector", "tomopy_algorithms"):
        monkeypatch.setattr(f"stp3.kernels.{module}.find_spec", lambda name: None)
    with pytest.raises(UsageFault, match="is not installed"):
        reconstruct(sinograms(UNEVEN), UNEVEN, AXES, engine=engine)
