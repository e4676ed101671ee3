"""A whole turn about an axis at one side of the detector is a wide scan of half a turn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from stp3.errors import RecipeFault, UsageFault
from stp3.kernels.half_acquisition import extend, opposite
from stp3.plan import resolve
from stp3.preview import Preview
from stp3.recipe import Recipe
from stp3.run import reconstruct
from stp3.scan import open_scan
from stp3.steps.base import Slab
from stp3.steps.extended_field_of_view import ExtendedFieldOfView
from stp3.testing import write_practice_scan
from stp3.testing.step_contract import StepContract, example_slab

STEPS = [{"step": "flat_field"}, {"step": "minus_log"}, {"step": "rotation_axis"}]
HALF = [*STEPS, {"step": "extended_field_of_view"}, {"step": "fbp", "filter": "shepp-logan", "pad": "zero"}]


class TestExtendedFieldOfViewKeepsTheContract(StepContract):
    step = ExtendedFieldOfView
    parameters = ExtendedFieldOfView.Parameters(side="left", overlap=21.5)

    def slab(self) -> Slab:
        slab = example_slab(angles=60)
        return replace(slab, theta=2 * np.pi * np.arange(60) / 60, rotation_axis=10.25, axis_slope=0.01, axis_row=12.0)

    def shape(self, slab: Slab) -> tuple[int, ...]:
        return 30, len(slab.rows), 52 + 30


def bodies(theta: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.float32]:
    """Line integrals at columns counted from the axis."""
    out = np.zeros((len(theta), len(columns)))
    for x, y, width, level in ((60, 20, 9, 0.6), (-50, 55, 14, 0.4), (10, -90, 6, 0.8), (0, 0, 60, 0.4)):
        middle = x * np.cos(theta) + y * np.sin(theta)
        out += level * np.exp(-(((columns - middle[:, None]) / width) ** 2))
    return out.astype(np.float32)


@pytest.mark.parametrize("blend", ["linear", "average"])
@pytest.mark.parametrize("axis", [20.0, 23.37, 140.61])
@pytest.mark.parametrize("angles", [360, 361])
def test_wide_sinograms_are_what_a_wide_detector_sees(blend: str, axis: float, angles: int) -> None:
    theta = 0.3 - np.deg2rad(360 / 360 * np.arange(angles))
    side = "left" if axis < 80 else "right"
    data = np.repeat(bodies(theta, np.arange(161) - axis)[:, None], 2, axis=1)
    overlap = 2 * min(axis, 160 - axis) + 1
    settings = ExtendedFieldOfView.Parameters(side=side, overlap=overlap, blend=blend)
    slab = ExtendedFieldOfView.apply(Slab(data, range(2), theta, axis), settings)
    expected = bodies(slab.theta, np.arange(slab.data.shape[2]) - slab.rotation_axis)
    assert slab.data.shape == (180, 2, int(161 + 161 - overlap))
    np.testing.assert_allclose(slab.data[:, 1], expected, atol=2e-4)


def test_odd_numbers_of_angles_are_interpolated() -> None:
    theta = np.deg2rad(360 / 361 * np.arange(361))
    data = bodies(theta, np.arange(161) - 30.0)[:, None]
    wide, half, shift = extend(data, theta, np.array([30.0]), side="left", added=100)
    np.testing.assert_allclose(wide[:, 0], bodies(half, np.arange(261) - 30.0 - shift), atol=1.5e-2)


def test_levels_are_matched_where_projections_overlap() -> None:
    theta = np.deg2rad(np.arange(360.0))
    data = bodies(theta, np.arange(161) - 30.0)[:, None]
    drifting = data + np.linspace(0, 0.2, 360, dtype=np.float32)[:, None, None]
    settings = {"side": "left", "added": 100}
    steps = [
        np.abs(np.diff(extend(drifting, theta, np.array([30.0]), normalise=match, **settings)[0][:, 0] - clean)).max()
        for clean in [extend(data, theta, np.array([30.0]), **settings)[0][:, 0]]
        for match in (False, True)
    ]
    assert steps[1] < 1e-4 < 1e-3 < steps[0]


def test_less_than_a_whole_turn_is_refused() -> None:
    with pytest.raises(UsageFault, match=r"cover 180\.0"):
        opposite(np.linspace(0, np.pi, 181))


@pytest.mark.parametrize("axis", [25.3, 101.6])
def test_the_slice_of_a_half_acquisition_equals_that_of_a_wide_scan(tmp_path: Path, axis: float) -> None:
    settings = {"rows": 2, "angles": 720, "faults": {"half"}, "seed": 5, "rotation_axis": axis}
    truth = write_practice_scan(tmp_path / "half.h5", columns=128, **settings)
    recipe = Recipe.from_dict({"steps": HALF}).with_values({"rotation_axis.column": axis})
    scan = open_scan(tmp_path / "half.h5")
    volume = reconstruct(scan, recipe, tmp_path / "volume")
    size = volume.shape[2]
    assert size == int(2 * max(axis, 127 - axis) + 1)
    found = volume.slice(1)
    np.testing.assert_array_equal(found, Preview(scan).slice(recipe, 1))

    wide = replace_view(truth, size)
    expected = wide_slice(wide, size)
    inside = np.hypot(*(np.mgrid[:size, :size] - (size - 1) / 2)) < 0.47 * size
    body = truth.attenuation_per_cm
    assert np.sqrt(np.mean((found - expected)[inside] ** 2)) < 0.02 * body
    assert found[inside].mean() == pytest.approx(truth.slice(1, size)[inside].mean(), rel=0.005)


def replace_view(truth, size):
    view = truth.view.model_copy(update={"columns": size, "rotation_axis": (size - 1) / 2})
    return truth.model_copy(update={"view": view, "columns": size, "angles": 360, "angle_range_deg": 180})


def wide_slice(truth, size: int) -> NDArray[np.float32]:
    from stp3.steps.fbp import FilteredBackProjection

    slab = Slab(truth.sinogram(1)[:, None], range(1, 2), truth.theta, (size - 1) / 2, truth.pixel_size_um)
    parameters = FilteredBackProjection.Parameters(filter="shepp-logan", pad="zero")
    return FilteredBackProjection.apply(slab, parameters).data[0]


def test_side_and_overlap_follow_from_the_axis_that_is_found(tmp_path: Path) -> None:
    settings = {"columns": 160, "rows": 3, "angles": 480, "seed": 8, "faults": {"half", "noise"}}
    truth = write_practice_scan(tmp_path / "half.h5", **settings)
    plan = resolve(Recipe.from_dict({"steps": HALF}), open_scan(tmp_path / "half.h5"))
    found = plan.recipe.use("extended_field_of_view").parameters.model_dump()
    assert found["side"] == ("left" if truth.rotation_axis < 80 else "right")
    assert found["overlap"] == pytest.approx(2 * min(truth.rotation_axis, 159 - truth.rotation_axis) + 1, abs=1)
    assert plan.columns > 250


def test_side_and_overlap_tell_the_axis(tmp_path: Path) -> None:
    settings = {"columns": 64, "rows": 1, "angles": 60, "faults": {"half"}}
    write_practice_scan(tmp_path / "half.h5", **settings)
    recipe = Recipe.from_dict({"steps": HALF}).with_values(
        {"extended_field_of_view.side": "right", "extended_field_of_view.overlap": 12.0}
    )
    plan = resolve(recipe, open_scan(tmp_path / "half.h5"))
    assert plan.recipe.use("rotation_axis").parameters.model_dump()["column"] == 63 - 5.5
    preview = Preview(open_scan(tmp_path / "half.h5"))
    assert preview.resolve(recipe, 0).recipe.fingerprint == plan.recipe.fingerprint
    assert preview._axis is None, "nothing was searched"
    with pytest.raises(UsageFault, match="at most 64"):
        resolve(recipe.with_values({"extended_field_of_view.overlap": 70.0}), open_scan(tmp_path / "half.h5"))


def test_it_stands_below_the_axis() -> None:
    with pytest.raises(RecipeFault, match="Move it below rotation_axis"):
        Recipe.from_dict({"steps": [*STEPS[:2], HALF[3], STEPS[2], HALF[4]]})
