"""One engine: previews and slabs of any height agree to the bit, and earlier stages are used again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stp3.engine import run_slab
from stp3.errors import ScanFault, UsageFault
from stp3.plan import PROCESS_BYTES, Plan, resolve
from stp3.preview import Preview
from stp3.recipe import Recipe
from stp3.scan import Scan, open_scan
from stp3.steps.base import Slab
from stp3.testing import Truth, write_practice_scan

Practice = tuple[Scan, Truth]


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Practice:
    path: Path = tmp_path_factory.mktemp("engine") / "scan.h5"
    faults = {"noise", "rings", "drift", "zingers"}
    truth = write_practice_scan(path, columns=96, rows=7, angles=120, faults=faults, seed=3)
    return open_scan(path), truth


def plan_of(practice: Practice, **values: object) -> Plan:
    scan, truth = practice
    return resolve(Recipe.default().with_values({"rotation_axis.column": truth.rotation_axis, **values}), scan)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("height", [1, 2, 3, 7])
def test_slab_height_and_threads_never_change_a_bit(practice: Practice, height: int, threads: int) -> None:
    plan = plan_of(practice)
    whole = run_slab(plan, range(7))
    plan = replace(plan, slab_rows=height)
    parts = [run_slab(plan, rows, threads=threads) for rows in plan.slabs()]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_a_preview_is_that_row_of_the_volume(practice: Practice) -> None:
    scan, truth = practice
    recipe = Recipe.default().with_values({"rotation_axis.column": truth.rotation_axis})
    volume = run_slab(resolve(recipe, scan), range(7))
    for row in (0, 3, 6):
        np.testing.assert_array_equal(Preview(scan, threads=2).slice(recipe, row), volume[row])


def test_the_preview_of_an_integer_volume_is_its_slice_before_conversion(practice: Practice) -> None:
    scan, _ = practice
    plan = plan_of(practice, **{"output.dtype": "uint16"})
    low, high = (plan.recipe.use("output").parameters.model_dump()[end] for end in ("low", "high"))
    stored = run_slab(plan, range(2, 3))[0]
    assert stored.dtype == np.uint16
    seen = np.clip(Preview(scan).slice(plan.recipe, 2), low, high)
    np.testing.assert_allclose(low + stored / 65535 * (high - low), seen, atol=0.51 * (high - low) / 65535)


def test_the_slice_is_right(practice: Practice) -> None:
    scan, truth = practice
    image = Preview(scan).slice(Recipe.default().with_values({"rotation_axis.column": truth.rotation_axis}), 3)
    expected = truth.slice(3)
    inside = np.hypot(*np.mgrid[-47.5:48, -47.5:48]) < 45
    assert np.corrcoef(image[inside], expected[inside])[0, 1] > 0.85  # 96 noisy columns with every kind of ring
    assert image[inside].mean() == pytest.approx(expected[inside].mean(), rel=0.02)


def test_only_what_follows_a_change_runs_again(practice: Practice) -> None:
    scan, truth = practice
    preview, ran = Preview(scan), []
    recipe = Recipe.default().with_values({"rotation_axis.column": truth.rotation_axis})
    preview.slice(recipe, 3)
    preview.slice(recipe.with_values({"rotation_axis.column": 40.0}), 3, on_step=ran.append)
    assert ran == ["rotation_axis", "fbp", "circle_mask"]
    ran.clear()
    preview.slice(recipe.with_values({"stripes_all.snr": 5.0}), 3, on_step=ran.append)
    assert ran[0] == "stripes_all"
    ran.clear()
    preview.slice(recipe, 3, on_step=ran.append)
    assert ran == [], "going back costs nothing"


def test_stages_used_before_give_the_same_bits(practice: Practice) -> None:
    stages: dict[str, Slab] = {}
    for column in (47.0, 48.5, 47.0):
        plan = plan_of(practice, **{"rotation_axis.column": column})
        kept = run_slab(plan, range(2, 4), stages=stages)
        np.testing.assert_array_equal(kept, run_slab(plan, range(2, 4)))


def test_stopping_between_steps_leaves_what_is_done_and_spoils_nothing(practice: Practice) -> None:
    class Newer(Exception):
        pass

    def stop(step: str) -> None:
        if step == "stripes_all":
            raise Newer

    plan, stages = plan_of(practice), {}
    with pytest.raises(Newer):
        run_slab(plan, range(1), stages=stages, on_step=stop)
    before = [uses for uses in plan.passes if uses[0].step.domain == "projection"]
    assert len(stages) == 1 + len(before)  # as measured, and after each pass
    np.testing.assert_array_equal(run_slab(plan, range(1), stages=stages), run_slab(plan, range(1)))


def test_a_step_that_iterates_can_be_stopped_between_iterations(practice: Practice) -> None:
    scan, truth = practice
    recipe = Recipe.default().with_values({"rotation_axis.column": truth.rotation_axis}).as_dict()
    recipe["steps"] = [{"step": "cgls"} if entry["step"] == "fbp" else entry for entry in recipe["steps"]]
    plan, heard = resolve(Recipe.from_dict(recipe), scan), []

    def stop(name: str) -> None:
        heard.append(name)
        if heard.count("cgls") == 4:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        run_slab(plan, range(1), on_step=stop)
    assert heard[-4:] == ["cgls"] * 4  # before the step, and before three of its iterations


def test_a_resolved_recipe_has_nothing_left_to_find(practice: Practice) -> None:
    plan = plan_of(practice, **{"output.dtype": "uint8"})
    assert "auto" not in [value for use in plan.steps for value in use.parameters.model_dump().values()]
    assert resolve(plan.recipe, plan.scan).recipe == plan.recipe


def test_slabs_cover_the_rows_and_fit_the_memory(practice: Practice) -> None:
    scan, truth = practice
    recipe = Recipe.default().with_values({"rotation_axis.column": truth.rotation_axis})
    fixed = PROCESS_BYTES + max(use.step.memory_fixed(use.parameters, 120, 96) for use in recipe.running)
    few = resolve(recipe, scan, memory_bytes=fixed + 30 * 120 * 96 * 4)
    many = resolve(recipe, scan, memory_bytes=1 << 30)
    assert 1 <= few.slab_rows < many.slab_rows == 7
    assert [row for slab in few.slabs() for row in slab] == list(range(7))
    with pytest.raises(UsageFault, match="one row needs"):
        resolve(recipe, scan, memory_bytes=1000)


@pytest.mark.parametrize("rows", [range(3, 3), range(5, 9), range(-1, 2), range(0, 6, 2)])
def test_rows_outside_the_scan_are_refused(practice: Practice, rows: range) -> None:
    with pytest.raises(UsageFault, match=r"rows must lie within 0:7"):
        resolve(Recipe.default(), practice[0], rows=rows)


def test_a_row_and_an_axis_outside_the_scan_are_refused(practice: Practice) -> None:
    preview = Preview(practice[0])
    with pytest.raises(UsageFault, match="row must be between 0 and 6"):
        preview.slice(Recipe.default(), 7)
    with pytest.raises(UsageFault, match="between 0 and 95"):
        preview.slice(Recipe.default().with_values({"rotation_axis.column": 96.5}), 0)
    with pytest.raises(UsageFault, match="no rotation_axis step"):
        preview.slice(Recipe.default().without("rotation_axis"), 0)


def test_an_axis_that_cannot_be_trusted_is_never_accepted_silently(tmp_path: Path) -> None:
    import h5py

    write_practice_scan(tmp_path / "scan.h5", columns=64, rows=2, angles=60)
    with h5py.File(tmp_path / "scan.h5", "r+") as file:  # nothing but noise: there is no axis to be found
        data = file["exchange/data"]
        data[...] = np.random.default_rng(1).integers(1000, 50000, data.shape)
    with pytest.raises(ScanFault, match=r"cannot be trusted.*rotation_axis\.column"):
        resolve(Recipe.default(), open_scan(tmp_path / "scan.h5"))
