"""Phase retrieval in a recipe: slabs, previews and the truth of a practice scan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stp3.engine import run_slab
from stp3.errors import UsageFault
from stp3.plan import Plan, resolve, slab_height
from stp3.preview import Preview
from stp3.recipe import Recipe
from stp3.scan import Scan, open_scan
from stp3.testing import Truth, write_practice_scan

ROWS = 40


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scan, Truth]:
    path: Path = tmp_path_factory.mktemp("phase") / "scan.h5"
    optics = {"energy_kev": 20.0, "distance_mm": 60.0, "delta_beta": 300.0}
    truth = write_practice_scan(path, columns=96, rows=ROWS, angles=150, faults={"phase"}, seed=4, **optics)
    return open_scan(path), truth


def recipe_with(practice: tuple[Scan, Truth], step: str) -> Recipe:
    _, truth = practice
    recipe = Recipe.default().without("stripes_all", "zingers").with_values({"fbp.filter": "ram-lak"})
    recipe = recipe.with_values({"rotation_axis.column": truth.rotation_axis})
    return recipe if step == "minus_log" else recipe.with_step(step, delta_beta=truth.delta_beta)


def plan_of(practice: tuple[Scan, Truth], step: str = "phase_paganin") -> Plan:
    return resolve(recipe_with(practice, step), practice[0])


def test_slabs_of_any_height_and_previews_agree_to_the_bit(practice: tuple[Scan, Truth]) -> None:
    plan = plan_of(practice)
    assert 4 < plan.halo < ROWS / 2
    whole = run_slab(plan, range(ROWS))
    for height in (1, 7, 16):
        parts = [run_slab(plan, rows, threads=2) for rows in replace(plan, slab_rows=height).slabs()]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
    preview = Preview(practice[0], threads=2)
    for row in (0, 20, 39):
        np.testing.assert_array_equal(preview.slice(recipe_with(practice, "phase_paganin"), row), whole[row])


def test_fringes_go_and_the_attenuation_stays(practice: tuple[Scan, Truth]) -> None:
    truth = practice[1].slice(20)
    inside = np.hypot(*np.mgrid[-47.5:48, -47.5:48]) < 44
    steps = ("minus_log", "phase_paganin", "phase_paganin_generalised")
    slices = {step: run_slab(plan_of(practice, step), range(20, 21))[0] for step in steps}
    errors = {step: np.sqrt(np.mean((found - truth)[inside] ** 2)) for step, found in slices.items()}
    assert errors["phase_paganin_generalised"] < errors["phase_paganin"] < 0.5 * errors["minus_log"]
    assert errors["phase_paganin_generalised"] < 0.05 * np.ptp(truth)  # noise and edges of one pixel
    assert slices["phase_paganin"][inside].mean() == pytest.approx(truth[inside].mean(), rel=0.01)


def test_the_plan_knows_the_optics_of_the_scan(practice: tuple[Scan, Truth]) -> None:
    settled = plan_of(practice).recipe.use("phase_paganin").parameters.model_dump()
    assert (settled["energy_kev"], settled["distance_mm"]) == (20.0, 60.0)
    assert settled["pixel_size_um"] == pytest.approx(practice[1].pixel_size_um)


def test_a_halo_beyond_the_scan_needs_no_memory(practice: tuple[Scan, Truth]) -> None:
    plan = resolve(recipe_with(practice, "phase_paganin").with_values({"phase_paganin.delta_beta": 4e4}), practice[0])
    assert plan.halo > 2 * ROWS
    scarce = next(mib for mib in range(100, 4000, 10) if _fits(plan, mib << 20))
    assert slab_height(plan, (scarce + 10) << 20) == ROWS


def _fits(plan: Plan, memory_bytes: int) -> bool:
    try:
        return slab_height(plan, memory_bytes) >= 1
    except UsageFault:
        return False
