"""The beam of each projection, found in the projection itself."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from stp3.engine import run_slab
from stp3.errors import RecipeFault, Stp3Error, UsageFault
from stp3.kernels.eigen_flats import flat_statistics
from stp3.measured import digest, read_measured, write_measured
from stp3.plan import Plan, resolve
from stp3.preview import Preview
from stp3.recipe import Recipe
from stp3.scan import Scan, ScanIdentity
from stp3.steps.base import Slab
from stp3.steps.flat_field import FlatField
from stp3.steps.flat_field_dynamic import FlatFieldDynamic
from stp3.testing.step_contract import StepContract, example_slab

DARK = 100.0


@dataclass(frozen=True)
class InMemory:
    """Frames that are held already."""

    frames: np.ndarray

    @property
    def shape(self) -> Any:
        return self.frames.shape

    @property
    def dtype(self) -> Any:
        return self.frames.dtype

    def read(self, rows: range | None = None, frames: np.ndarray | None = None) -> np.ndarray:
        some = self.frames if frames is None else self.frames[frames]
        return (some if rows is None else some[:, rows.start : rows.stop]).copy()


def scan_of(data: np.ndarray, flats: np.ndarray | None, times: np.ndarray, theta: np.ndarray) -> Scan:
    return Scan(
        path=Path("none"), format="memory", identity=ScanIdentity("none", 0, 0, 0, "0" * 64),
        projections=InMemory(data), theta=theta, flats=None if flats is None else InMemory(flats),
        darks=InMemory(np.full((2, *data.shape[1:]), DARK, np.float32)), flat_times=times, pixel_size_um=5.0,
    )  # fmt: skip


def simulated(
    modes: int = 2, *, photons: float = 20_000, noise: bool = True, shape: tuple[int, int] = (48, 96), angles: int = 40
) -> tuple[Scan, np.ndarray]:
    """A ball in a beam that changes its profile from one projection to the next, and its transmission."""
    rng = np.random.default_rng(4)
    y, x = np.mgrid[: shape[0], : shape[1]]
    mean = photons * (1 + 0.2 * np.cos(x / 9) * np.cos(y / 7)) * (0.7 + 0.3 * np.sin(np.pi * y / shape[0]))
    ways = np.stack([0.06 * np.sin(y / 4.0) * mean, 0.04 * np.cos(x / 6 + y / 5.0) * mean])[:modes]
    theta = np.pi * np.arange(angles) / angles
    centre = 47.5 + 15 * np.cos(theta)[:, None, None]
    inside = np.maximum(0, 18.0**2 - (x - centre) ** 2 - (y - 24) ** 2)
    sample = np.exp(-0.05 * np.sqrt(inside))

    def counts(light: np.ndarray) -> np.ndarray:
        return ((rng.poisson(light) if noise else light) + DARK).astype(np.float32)

    def beams(count: int) -> np.ndarray:
        return mean + np.tensordot(rng.normal(size=(count, modes)), ways, 1)

    times = np.concatenate([np.arange(-10.0, 0), np.arange(angles, angles + 10.0)])
    return scan_of(counts(beams(angles) * sample), counts(beams(20)), times, theta), sample


def whole(scan: Scan, **values: Any) -> tuple[Slab, Any]:
    """All rows as a slab with what was measured, and the parameters it was measured with."""
    parameters = FlatFieldDynamic.settle(FlatFieldDynamic.Parameters(**values), scan.columns)
    measured = FlatFieldDynamic.measure(parameters, scan, 1)
    flats = None if scan.flats is None else scan.flats.read()
    slab = Slab(
        data=scan.projections.read(), rows=range(scan.rows), theta=scan.theta, rotation_axis=47.5, flats=flats,
        darks=scan.darks.read() if scan.darks else None, flat_times=scan.flat_times, measured=measured,
    )  # fmt: skip
    return slab, FlatFieldDynamic.settle_measured(parameters, measured)


def errors(scan: Scan, sample: np.ndarray, **values: Any) -> tuple[float, float]:
    """Root mean square errors of the dynamic correction and of the usual one."""
    slab, parameters = whole(scan, **values)
    usual = FlatField.apply(slab, FlatField.Parameters())
    found = [one.data - sample for one in (FlatFieldDynamic.apply(slab, parameters), usual)]
    return float(np.sqrt(np.mean(found[0] ** 2))), float(np.sqrt(np.mean(found[1] ** 2)))


class TestFlatFieldDynamicKeepsTheContract(StepContract):
    step = FlatFieldDynamic

    def slab(self) -> Slab:
        given = example_slab()
        assert given.flats is not None
        assert given.flat_times is not None
        scan = scan_of(given.data, given.flats, given.flat_times, given.theta)
        parameters = FlatFieldDynamic.Parameters(components=2, downsample=4)
        return replace(given, measured=FlatFieldDynamic.measure(parameters, scan, 1))


class TestFlatFieldDynamicWithMedianKeepsTheContract(TestFlatFieldDynamicKeepsTheContract):
    parameters = FlatFieldDynamic.Parameters(median=3)


@pytest.mark.parametrize("modes", [1, 2])
def test_a_beam_without_noise_is_found_in_each_projection(modes: int) -> None:
    scan, sample = simulated(modes, noise=False)
    dynamic, usual = errors(scan, sample, components=modes)
    assert usual > 0.02
    assert dynamic < usual / 50


@pytest.mark.parametrize("modes", [1, 2])
def test_under_noise_what_is_left_is_noise(modes: int) -> None:
    scan, sample = simulated(modes)
    _, parameters = whole(scan)
    assert parameters.components == modes
    light = 20_000 * 0.9
    dynamic, usual = errors(scan, sample)
    assert dynamic < 1.2 / np.sqrt(light)
    assert dynamic < usual / 5


def test_a_steady_beam_has_no_components_and_gives_what_flat_field_gives() -> None:
    scan, _ = simulated(0)
    slab, parameters = whole(scan)
    assert parameters.components == 0
    expected = FlatField.apply(slab, FlatField.Parameters(flats="all")).data
    assert_allclose(FlatFieldDynamic.apply(slab, parameters).data, expected, rtol=1e-6, atol=1e-7)


def test_light_that_only_fades_follows_the_flats_where_projections_cannot_tell() -> None:
    scan, sample = simulated(0, noise=False)
    level = np.interp(np.arange(40), [-5.5, 44.5], [1.0, 0.8])[:, None, None]
    flats = (scan.flats.read() - DARK) * np.repeat([1.0, 0.8], 10)[:, None, None] + DARK
    data = (scan.projections.read() - DARK) * level + DARK
    fading = scan_of(data.astype(np.float32), flats.astype(np.float32), scan.flat_times, scan.theta)
    slab, parameters = whole(fading, components=1)
    assert_allclose(FlatFieldDynamic.apply(slab, parameters).data, sample, rtol=1e-3)


def test_components_of_the_flats_are_the_principal_ones() -> None:
    scan, _ = simulated(2)
    assert scan.flats is not None
    beam = flat_statistics(scan.flats, scan.darks, 4)
    flats = scan.flats.read().reshape(20, -1).astype(np.float64)
    found = np.tensordot(beam.coefficients(2), flats, (0, 0))
    _, values, vectors = np.linalg.svd(flats - flats.mean(axis=0), full_matrices=False)
    expected = vectors[:2] * values[:2, None] / np.sqrt(19)
    signs = np.sign((found * expected).sum(axis=1))
    assert_allclose(found * signs[:, None], expected, atol=1e-5 * np.abs(expected).max())


def test_dead_pixels_and_missing_numbers_become_open_beam_and_disturb_nothing() -> None:
    scan, sample = simulated(1)
    data, flats = scan.projections.read().copy(), scan.flats.read().copy()
    flats[:, 5, 6], flats[:, 30, 40], data[3, 7, 8] = DARK, np.nan, np.nan
    slab, parameters = whole(replace(scan, projections=InMemory(data), flats=InMemory(flats)))
    out = FlatFieldDynamic.apply(slab, parameters).data
    assert_array_equal(out[:, [5, 30], [6, 40]], 1)
    assert out[3, 7, 8] == 1
    good = np.ones(sample.shape, bool)
    good[:, [5, 30], [6, 40]] = good[3, 7, 8] = False
    assert np.sqrt(np.mean((out - sample)[good] ** 2)) < 0.011


def test_threads_do_not_change_what_is_measured() -> None:
    scan, _ = simulated(2)
    one, five = (FlatFieldDynamic.measure(FlatFieldDynamic.Parameters(), scan, threads) for threads in (1, 5))
    for name, array in one.items():
        assert_array_equal(five[name], array)


def test_without_flats_the_data_are_transmission_already() -> None:
    scan, _ = simulated(1)
    bare = replace(scan, flats=None, darks=None, flat_times=np.empty(0))
    slab, parameters = whole(bare)
    assert_array_equal(FlatFieldDynamic.apply(slab, parameters).data, scan.projections.read())


def test_a_slab_of_nothing_measured_says_so() -> None:
    with pytest.raises(UsageFault, match="Run it in a plan"):
        FlatFieldDynamic.apply(example_slab(), FlatFieldDynamic.Parameters())
    slab = TestFlatFieldDynamicKeepsTheContract().slab()
    with pytest.raises(UsageFault, match="45 projections and 5 flats, the slab has 44 and 5"):
        FlatFieldDynamic.apply(replace(slab, data=slab.data[1:]), FlatFieldDynamic.Parameters())


def recipe() -> Recipe:
    return Recipe.default().with_step("flat_field_dynamic", median=3).with_values({"rotation_axis.column": 47.5})


def test_it_takes_the_place_of_flat_field() -> None:
    names = [use.name for use in recipe().running]
    assert names[:3] == ["flat_field_dynamic", "zingers", "minus_log"]
    assert "flat_field" not in names
    steps = [{"step": name} for name in ("flat_field", "flat_field_dynamic", "minus_log", "rotation_axis", "fbp")]
    with pytest.raises(RecipeFault, match=r"divided by twice\. Remove flat_field_dynamic"):
        Recipe.from_dict({"steps": steps})


def test_a_plan_measures_once_and_slab_height_changes_no_bit() -> None:
    scan, _ = simulated(2, shape=(13, 96))
    plan = resolve(recipe(), scan)
    parameters = plan.recipe.use("flat_field_dynamic").parameters.model_dump()
    assert parameters == {"components": 2, "downsample": 4, "median": 3}
    plan = pickle.loads(pickle.dumps(plan))
    expected = run_slab(plan, range(13))
    for height in (1, 5):
        for start in range(0, 13, height):
            rows = range(start, min(start + height, 13))
            assert_array_equal(run_slab(plan, rows, threads=height), expected[rows.start : rows.stop])
    again = Plan(scan, plan.recipe, plan.rows, 1, resolve(plan.recipe, scan).measured)
    assert digest(again.measured) == digest(plan.measured) != ""


def test_a_preview_is_that_row_and_measures_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scan, _ = simulated(2, shape=(13, 96))
    expected = run_slab(resolve(recipe(), scan), range(6, 8))
    calls: list[int] = []
    measure = FlatFieldDynamic.measure
    monkeypatch.setattr(FlatFieldDynamic, "measure", lambda *given: calls.append(1) or measure(*given))
    preview = Preview(scan)
    assert_array_equal(preview.slice(recipe(), 6), expected[0])
    assert_array_equal(preview.slice(recipe(), 7), expected[1])
    assert len(calls) == 1


def test_what_was_measured_is_read_again_as_it_was(tmp_path: Path) -> None:
    measured = {"ab": {"weights": np.arange(6.0).reshape(3, 2), "coefficients": np.empty((4, 0))}}
    path = tmp_path / "measured.npz"
    write_measured(path, measured)
    found = read_measured(path, digest(measured))
    assert_array_equal(found["ab"]["weights"], measured["ab"]["weights"], strict=True)
    assert_array_equal(found["ab"]["coefficients"], measured["ab"]["coefficients"], strict=True)
    with pytest.raises(Stp3Error, match="not what this job measured"):
        read_measured(path, "0" * 64)
    path.write_bytes(b"PK")
    with pytest.raises(Stp3Error, match="Start a new job"):
        read_measured(path, digest(measured))
    assert read_measured(tmp_path / "none", "") == {}
