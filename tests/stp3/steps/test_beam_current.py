"""A beam that fades with the ring's current."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from stp3.errors import UsageFault
from stp3.plan import resolve
from stp3.preview import Preview
from stp3.recipe import Recipe
from stp3.scan import open_scan
from stp3.scan_view import with_angles
from stp3.steps.base import Slab
from stp3.steps.beam_current import BeamCurrent
from stp3.steps.flat_field import FlatField
from stp3.testing import write_practice_scan
from stp3.testing.step_contract import StepContract, example_slab


def fading_slab() -> Slab:
    slab = example_slab()
    angles = len(slab.data)
    return replace(slab, currents=np.linspace(200, 150, angles), flat_currents=np.array([201, 201, 201, 149, 149.0]))


class TestBeamCurrentKeepsTheContract(StepContract):
    step = BeamCurrent

    def slab(self) -> Slab:
        return fading_slab()


def test_what_the_current_did_is_taken_out() -> None:
    steady = example_slab()
    slab = fading_slab()
    assert slab.currents is not None
    assert slab.flat_currents is not None
    assert steady.flats is not None
    mean, dark = slab.currents.mean(), 100.0
    faded = replace(
        slab,
        data=(dark + (steady.data - dark) * (slab.currents / mean)[:, None, None]).astype(np.float32),
        flats=(dark + (steady.flats - dark) * (slab.flat_currents / mean)[:, None, None]).astype(np.float32),
    )
    found = BeamCurrent.apply(faded, BeamCurrent.Parameters())
    assert found.flats is not None
    assert_allclose(found.data, steady.data, rtol=1e-6)
    assert_allclose(found.flats, steady.flats, rtol=1e-6)


def test_flats_without_a_current_take_that_of_their_moment() -> None:
    slab = replace(fading_slab(), flat_currents=None)
    told = replace(slab, flat_currents=np.array([200, 200, 200, 150, 150.0]))
    parameters = BeamCurrent.Parameters()
    assert_array_equal(BeamCurrent.apply(slab, parameters).flats, BeamCurrent.apply(told, parameters).flats)


def nexus(path: Path, currents: bool = True) -> Path:
    """A practice scan in which each frame counted in proportion to a current that jumps about."""
    truth = write_practice_scan(path, columns=48, rows=3, angles=60, format="nxtomo", flats=4, darks=3)
    if not currents:
        return path
    with h5py.File(path, "a") as file:
        frames = file["entry/instrument/detector/data"]
        of_each = 250 + 50 * np.sin(np.arange(len(frames)) * 1.7)
        dark = frames[: truth.darks].mean(axis=0)
        frames[truth.darks :] = np.rint(
            dark + (frames[truth.darks :] - dark) * (of_each / 500)[truth.darks :, None, None]
        )
        file["entry/control/data"] = of_each
    return path


RECIPE = Recipe.default().without("stripes_all", "zingers").with_step("beam_current")


def test_the_current_of_each_frame_is_read_and_used(tmp_path: Path) -> None:
    scan = open_scan(nexus(tmp_path / "scan.nxs"))
    assert scan.currents is not None
    assert scan.flat_currents is not None
    assert_allclose(scan.currents, 250 + 50 * np.sin(np.arange(5, 65) * 1.7))
    assert_allclose(scan.flat_currents[:2], 250 + 50 * np.sin(np.arange(3, 5) * 1.7))
    part = with_angles(scan, range(3, 60, 2))
    assert part.currents is not None
    assert_array_equal(part.currents, scan.currents[3:60:2])
    recipe = RECIPE.with_values({"rotation_axis.column": 23.7, "circle_mask.on": False})
    steady = open_scan(nexus(tmp_path / "steady.nxs", currents=False))
    expected = Preview(steady).slice(recipe.without("beam_current"), 1)
    scaled, unscaled = (Preview(scan).slice(one, 1) for one in (recipe, recipe.without("beam_current")))
    assert np.abs(scaled - expected).mean() < 0.1  # counts are whole numbers
    assert np.abs(unscaled - expected).mean() > 1


def test_it_stands_before_the_flat_field() -> None:
    names = [use.name for use in RECIPE.uses]
    assert names.index("beam_current") < names.index(FlatField.name)


def test_a_step_that_follows_the_beam_itself_is_refused_beside_it() -> None:
    names = ["beam_current", "flat_field_dynamic", "minus_log", "rotation_axis", "fbp"]
    with pytest.raises(UsageFault, match="Remove beam_current"):
        Recipe.from_dict({"steps": [{"step": name} for name in names]})


def test_a_scan_that_does_not_state_it_is_refused(tmp_path: Path) -> None:
    scan = open_scan(nexus(tmp_path / "scan.nxs", currents=False))
    with pytest.raises(UsageFault, match="ring current of each projection"):
        resolve(RECIPE.with_values({"rotation_axis.column": 23.7}), scan)
    with pytest.raises(UsageFault, match="ring current"):
        BeamCurrent.apply(example_slab(), BeamCurrent.Parameters())
