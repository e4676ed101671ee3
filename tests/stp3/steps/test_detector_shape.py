"""Projections of a detector that stood askew, or whose optics distort."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from stp3.errors import UsageFault
from stp3.kernels import warp
from stp3.kernels.warp import Warp
from stp3.scan import Scan
from stp3.steps.base import Slab, Step
from stp3.steps.detector_shape import Distortion, RotateDetector
from stp3.testing.step_contract import StepContract, example_slab


class TestRotateDetectorKeepsTheContract(StepContract):
    step = RotateDetector
    parameters = RotateDetector.Parameters(angle=1.3, centre_row=14.5, reach=2)


class TestDistortionKeepsTheContract(StepContract):
    step = Distortion
    parameters = Distortion.Parameters(k1=1e-3, k2=-2e-5, centre_row=12.0, centre_column=20.0, reach=2)


def image(row: Any, column: Any) -> NDArray[np.float64]:
    """Something smooth, anywhere."""
    return np.asarray(1 + 0.4 * np.sin(row / 19) * np.cos(column / 23) + 0.001 * column)


def slab_of(frame: NDArray[np.float64]) -> Slab:
    data = np.repeat(frame[None].astype(np.float32), 3, axis=0)
    return replace(example_slab(), data=data, rows=range(len(frame)), flats=None, darks=None)


def scan_like(rows: int, columns: int) -> Any:
    class Shape:
        pass

    shape = Shape()
    shape.rows, shape.columns = rows, columns  # type: ignore[attr-defined]
    return shape


def applied(step: type[Step], frame: NDArray[np.float64], **values: Any) -> NDArray[np.float32]:
    parameters = step.settle_for(step.Parameters(**values), scan_like(*frame.shape))
    return step.apply(slab_of(frame), parameters).data[1]


ROW, COLUMN = np.mgrid[:61, :80].astype(np.float64)


@pytest.mark.parametrize("angle", [-7.0, -0.4, 0.0, 2.5])
def test_a_turned_picture_is_turned_back(angle: float) -> None:
    a = np.deg2rad(angle)
    down, across = ROW - 30, COLUMN - 39.5
    askew = image(30 + down * np.cos(a) - across * np.sin(a), 39.5 + across * np.cos(a) + down * np.sin(a))
    found = applied(RotateDetector, askew, angle=angle)
    inside = np.hypot(down, across) < 29
    assert_allclose(found[inside], image(ROW, COLUMN)[inside], atol=6e-4)


def test_positive_angles_turn_counter_clockwise() -> None:
    frame = np.zeros((61, 80))
    frame[29:32, 65] = 1  # right of the middle
    found = applied(RotateDetector, frame, angle=10.0)
    assert np.average(ROW, weights=found) < 27


def test_an_angle_of_nothing_changes_nothing() -> None:
    frame = image(ROW, COLUMN)
    assert_array_equal(applied(RotateDetector, frame), frame.astype(np.float32))
    assert_array_equal(applied(Distortion, frame), frame.astype(np.float32))


def test_distortion_is_undone() -> None:
    down, across = ROW - 28, COLUMN - 42
    radius = np.hypot(down, across)
    # on the detector, what belongs at radius r is seen at r (1 + 1e-3 r - 2e-5 r^2): solved for r by iteration
    true = radius.copy()
    for _ in range(60):
        true = radius / (1 + 1e-3 * true - 2e-5 * true**2)
    scale = np.divide(true, radius, out=np.ones_like(radius), where=radius > 0)
    seen = image(28 + down * scale, 42 + across * scale)
    found = applied(Distortion, seen, centre_row=28.0, centre_column=42.0, k1=1e-3, k2=-2e-5)
    inside = np.s_[3:-3, 3:-3]
    assert np.abs(seen - image(ROW, COLUMN))[inside].max() > 4e-3
    assert_allclose(found[inside], image(ROW, COLUMN)[inside], atol=6e-4)


def test_the_halo_reaches_what_is_read() -> None:
    askew = RotateDetector.settle_for(RotateDetector.Parameters(angle=0.5), scan_like(200, 1001))
    assert askew.centre_row == 99.5
    assert RotateDetector.halo(askew) == 5  # 500 columns times the sine of half a degree is 4.36
    scaled = Distortion.settle_for(Distortion.Parameters(k0=1.1), scan_like(101, 50))
    assert Distortion.halo(scaled) == 6


def test_what_cannot_be_is_refused_in_words() -> None:
    with pytest.raises(UsageFault, match="would move pixels by"):
        Distortion.settle_for(Distortion.Parameters(k1=0.01), scan_like(1000, 1000))
    with pytest.raises(UsageFault, match="must be numbers"):
        RotateDetector.halo(RotateDetector.Parameters(angle=1.0))


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 7), (3, 5, 1), (17, 4, 33), (20, 6, 70)])
@pytest.mark.parametrize("compiled", [True, False])
def test_places_are_read_as_scipy_reads_them(
    shape: tuple[int, int, int], compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        monkeypatch.setattr(warp, "is_compiled", lambda: False)
    rng = np.random.default_rng(1)
    frames = rng.normal(size=shape).astype(np.float32)
    rows, columns = rng.uniform(-2, shape[1] + 1, shape[1:]), rng.uniform(-2, shape[2] + 1, shape[1:])
    found = np.empty_like(frames)
    Warp.reading(rows, columns).apply(frames, found, threads=2)
    for one, frame in zip(found, frames, strict=True):
        expected = map_coordinates(frame.astype(np.float64), [rows, columns], order=1, mode="nearest")
        assert_allclose(one, expected, atol=1e-6)


def test_a_scan_has_what_settling_asks() -> None:
    assert all(isinstance(getattr(Scan, name), property) for name in ("rows", "columns"))
