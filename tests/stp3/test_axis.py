"""The rotation axis of measured scans and of practice scans with known truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from runpy import run_path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stp3.axis import AxisReport, find_rotation_axis
from stp3.axis_verdict import Line, judge, through_rows
from stp3.kernels.axis_fourier import axis_by_fourier, half_turn
from stp3.kernels.axis_mass import axis_by_mass
from stp3.kernels.axis_pairs import Estimate, axis_by_pairs, opposite_pairs
from stp3.scan import Scan, ScanIdentity, open_scan
from stp3.testing.practice import write_practice_scan

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("name", "axis", "within", "verdicts"),
    [
        ("tooth.h5", 296.0, 0.5, {"green"}),
        ("i13_24737_nxtomo.nxs", 85.8, 0.5, {"green", "amber"}),
        ("tomo_00076_rows01.h5", 1274.8, 0.5, {"green", "amber"}),
        ("neutron360_sino.h5", 245.25, 0.75, {"green"}),
        ("i12_dendrite_sino.h5", 628.5, 1.5, {"green", "amber"}),
    ],
)
def test_measured_scans(measured: Path, name: str, axis: float, within: float, verdicts: set[str]) -> None:
    report = find_rotation_axis(open_scan(measured / name), threads=2)
    assert report.rotation_axis == pytest.approx(axis, abs=within)
    assert report.verdict in verdicts


@pytest.mark.parametrize(
    ("settings", "verdicts"),
    [
        pytest.param({}, {"green", "amber"}, id="clean"),
        pytest.param({"faults": {"noise", "rings"}}, {"green"}, id="rings"),
        pytest.param({"faults": {"noise", "rings", "drift", "zingers"}}, {"green"}, id="drift"),
        pytest.param({"faults": {"noise", "phase"}}, {"green"}, id="phase"),
        pytest.param({"faults": {"noise", "rings", "axis"}}, {"green"}, id="far off the middle"),
        pytest.param({"faults": {"noise", "rings", "truncated"}}, {"green", "amber"}, id="wider than the view"),
        pytest.param({"faults": {"noise"}, "photons": 300.0}, {"green", "amber"}, id="few photons"),
        pytest.param({"faults": {"noise"}, "angles": 91}, {"green", "amber"}, id="few angles"),
        pytest.param({"faults": {"noise", "rings"}, "angle_range_deg": 360}, {"green"}, id="whole turn"),
        pytest.param({"faults": {"noise", "rings", "half"}, "angles": 720}, {"green", "amber"}, id="axis at one side"),
    ],
)
def test_practice_scans(tmp_path: Path, settings: dict[str, Any], verdicts: set[str]) -> None:
    settings = {"columns": 300, "rows": 4, "angles": 301, "seed": 21, **settings}
    truth = write_practice_scan(tmp_path / "scan.h5", threads=2, **settings)
    report = find_rotation_axis(open_scan(tmp_path / "scan.h5"), threads=2)
    assert report.rotation_axis == pytest.approx(truth.rotation_axis, abs=0.5)
    assert report.verdict in verdicts


def test_a_tilted_camera_is_told(tmp_path: Path) -> None:
    truth = write_practice_scan(
        tmp_path / "scan.h5", columns=256, rows=96, angles=121, faults={"tilt", "noise"}, seed=3, threads=2
    )
    report = find_rotation_axis(open_scan(tmp_path / "scan.h5"), threads=2)
    assert truth.view.tilt_deg != 0
    assert report.tilt_deg == pytest.approx(truth.view.tilt_deg, abs=0.1)


@dataclass(frozen=True)
class InMemory:
    """Frames that were never on disk."""

    frames: NDArray[Any]

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.frames.shape  # type: ignore[return-value]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.frames.dtype

    def read(self, rows: range | None = None, frames: NDArray[np.intp] | None = None) -> NDArray[Any]:
        some = self.frames if frames is None else self.frames[frames]
        return some if rows is None else some[:, rows.start : rows.stop]


def scan_of(sinogram: NDArray[np.float32], theta: NDArray[np.float64], rows: int = 1) -> Scan:
    """A scan of transmissions without flats, the same in every row."""
    frames = np.repeat(np.exp(-sinogram)[:, None].astype(np.float32), rows, axis=1)
    return Scan(Path("none"), "none", ScanIdentity("none", 0, 0, 0, ""), InMemory(frames), theta)


def bodies(theta: NDArray[np.float64], axis: float, columns: int = 300, noise: float = 0.01) -> NDArray[np.float32]:
    column = np.arange(columns) - axis
    out = np.random.default_rng(1).normal(0, noise, (len(theta), columns))
    for x, y, width, level in ((40, 20, 9, 0.6), (-30, 55, 14, 0.4), (10, -50, 6, 0.8), (0, 0, 30, 0.4)):
        offset = x * np.cos(theta) + y * np.sin(theta)
        out += level * np.exp(-(((column - offset[:, None]) / width) ** 2))
    return out.astype(np.float32)


DEGREE = np.pi / 180


@pytest.mark.parametrize(
    "theta",
    [
        pytest.param(DEGREE * np.arange(180), id="end left out"),
        pytest.param(DEGREE * np.arange(181), id="end included"),
        pytest.param(DEGREE * np.linspace(0, 179.0055, 181), id="ends short of half a turn"),
        pytest.param(-DEGREE * np.arange(180) + 4, id="other sense"),
        pytest.param(DEGREE * np.linspace(16740, 16920, 360), id="beyond 360 degrees"),
        pytest.param(DEGREE * np.linspace(-20, 185, 250), id="over half a turn"),
        pytest.param(DEGREE * np.arange(0, 360, 0.8), id="whole turn"),
    ],
)
@pytest.mark.parametrize("axis", [120.3, 171.8])
def test_every_method_honours_theta(theta: NDArray[np.float64], axis: float) -> None:
    sinogram = bodies(theta, axis)
    for method in (axis_by_pairs, axis_by_mass, axis_by_fourier):
        estimate = method(sinogram, theta)
        assert estimate is not None, method.__name__
        assert estimate.column == pytest.approx(axis, abs=0.5), method.__name__
        assert estimate.clarity >= 1, method.__name__


def test_nothing_to_see_is_red() -> None:
    noise = np.random.default_rng(2).normal(0.5, 0.05, (180, 200)).astype(np.float32)
    assert find_rotation_axis(scan_of(noise, DEGREE * np.arange(180))).verdict == "red"


def test_a_scan_too_short_for_any_method_is_red() -> None:
    theta = DEGREE * np.arange(90)
    report = find_rotation_axis(scan_of(bodies(theta, 150.0), theta))
    assert report == AxisReport(149.5, 0.0, "red", None, {})


def test_wrong_angles_do_not_pass_for_right_ones() -> None:
    theta = DEGREE * np.arange(180)
    sinogram = bodies(theta, 150.0)
    stretched = theta * 1.06
    report = find_rotation_axis(scan_of(sinogram, stretched))
    assert report.verdict != "green"


def test_threads_change_nothing() -> None:
    theta = DEGREE * np.arange(180)
    scan = scan_of(bodies(theta, 140.0), theta, rows=12)
    assert find_rotation_axis(scan, threads=1) == find_rotation_axis(scan, threads=3)


def test_the_choice_of_pairs() -> None:
    pairs = opposite_pairs(DEGREE * np.arange(0, 360, 1.0))
    assert np.all(pairs.first < pairs.second)
    np.testing.assert_allclose(np.abs(pairs.second - pairs.first), 180 + pairs.gap / DEGREE, atol=1e-6)
    assert len(opposite_pairs(DEGREE * np.arange(90)).gap) == 0
    assert np.all(opposite_pairs(DEGREE * np.arange(180)).gap < 0)


def test_half_a_turn_is_made_even() -> None:
    theta = DEGREE * np.sort(np.random.default_rng(5).uniform(0, 181, 400))
    theta[[0, -1]] = 0, DEGREE * 181
    turn = half_turn(np.stack([theta, np.cos(theta)], axis=1).astype(np.float32), theta)
    assert turn is not None
    np.testing.assert_allclose(turn[:, 0], np.pi * np.arange(len(turn)) / len(turn), atol=2e-3)


@pytest.mark.parametrize("number", [5, 9, 12, 13, 15, 26, 31, 45])
def test_practice_scans_of_many_kinds(tmp_path: Path, number: int) -> None:
    bench = run_path(str(CHECKOUT / "bench" / "axis.py"))
    (case,) = bench["cases"](range(number, number + 1), tmp_path)
    report = find_rotation_axis(case.scan, threads=2)
    assert report.rotation_axis == pytest.approx(case.axis, abs=0.3), case.about
    assert report.verdict in ("green", "amber")


def test_rows_tell_of_a_tilt_only_where_methods_agree() -> None:
    def rising(method: str, slope: float) -> Line:
        found = [(row, Estimate(100 + slope * (row - 50), 2.0)) for row in (10.0, 30.0, 50.0, 70.0, 90.0)]
        return through_rows(method, found, rows=101)

    agreed = judge([rising("pairs", 0.02), rising("sharpness", 0.021)], otherwise=0.0)
    assert agreed.slope == pytest.approx(0.02, abs=0.001)
    assert agreed.slope_is_significant
    assert not judge([rising("pairs", 0.02)], otherwise=0.0).slope_is_significant
    assert not judge([rising("pairs", 0.0), rising("sharpness", 0.0005)], otherwise=0.0).slope_is_significant
    assert judge([rising("pairs", 0.02), rising("sharpness", -0.02)], otherwise=0.0).slope is None


def test_what_contradicts_is_never_green() -> None:
    def line(method: str, column: float, clarity: float = 2.0) -> Line:
        return through_rows(method, [(row, Estimate(column, clarity)) for row in (0.0, 5.0, 9.0)], rows=10)

    assert judge([line("pairs", 50.0), line("sharpness", 50.3)], 0.0).verdict == "green"
    assert judge([line("sharpness", 50.0), line("entropy", 50.1)], 0.0).verdict == "amber"  # both look at slices
    assert judge([line("pairs", 50.0), line("sharpness", 80.0)], 0.0).verdict == "red"
    assert judge([line("pairs", 50.0), line("sharpness", 50.1), line("mass", 55.0)], 0.0).verdict == "amber"
    assert judge([line("pairs", 50.0, clarity=0.1)], 0.0).verdict == "red"
    assert judge([], otherwise=31.5).column == 31.5


@pytest.mark.parametrize(("axis", "side"), [(60.3, "left"), (240.8, "right")])
def test_a_whole_turn_off_the_axis_tells_side_and_overlap(axis: float, side: str) -> None:
    theta = DEGREE * np.arange(0, 360, 0.8)
    report = find_rotation_axis(scan_of(bodies(theta, axis), theta))
    assert report.side == side
    assert report.overlap == pytest.approx(2 * min(axis, 299 - axis) + 1, abs=1)
