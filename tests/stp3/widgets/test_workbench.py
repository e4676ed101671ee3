"""The workbench's live slice without a page: a test plays the user by setting widgets."""

import asyncio
import threading

import numpy as np
import pytest

from stp3.widgets.workbench import Workbench
from tests.stp3.widgets.user import AXIS, choose, reference, settled, until


def test_it_does_nothing_before_a_page_is_there(environment):
    bench = Workbench()
    assert bench.scans.visits.options == ("one", "two", "empty")
    assert bench.scans.scans.options == ()
    assert bench.submission.submit.disabled
    bench.close()


def test_choosing_a_scan_gives_its_first_picture(drive):
    async def scenario(bench):
        await choose(bench, "one.h5")
        assert bench.viewer.frame == 1
        assert bench.shown.row == 3
        assert bench.shown.rotation_axis == pytest.approx(AXIS, abs=0.5)
        assert "stp3-good" in bench.recipe.verdict.value
        np.testing.assert_array_equal(bench.viewer.picture, reference(bench))
        assert "180 of 6 × 128" in bench.scans.about.value
        assert bench.slices.slider.max == 5

    drive(scenario)


def test_every_control_changes_the_picture_to_what_the_engine_makes(drive):
    async def scenario(bench):
        await choose(bench, "one.h5")
        fields = {(field.step, field.name): field.field for field in bench.recipe.basic}
        for act, values in (
            (lambda: setattr(bench.recipe.axis, "value", 60.0), {"rotation_axis.column": 60.0}),
            (lambda: setattr(fields["fbp", "filter"], "value", "hann"), {"fbp.filter": "hann"}),
            (lambda: setattr(bench.recipe.stripes, "value", False), {"stripes_all.on": False}),
            (lambda: setattr(bench.slices.slider, "value", 1), {}),
        ):
            before = bench.viewer.frame
            act()
            await until(lambda frame=before: bench.viewer.frame > frame)
            assert bench.shown.recipe.uses == bench.shown.recipe.with_values(values).uses
        expected = reference(bench, **{"fbp.filter": "hann", "stripes_all.on": False})
        np.testing.assert_array_equal(bench.viewer.picture, expected)
        assert "Set by hand" in bench.recipe.verdict.value

    drive(scenario)


def test_what_the_volume_is_stored_as_makes_no_new_picture(drive):
    async def scenario(bench):
        await choose(bench, "one.h5")
        next(field for field in bench.recipe.basic if field.name == "dtype").field.value = "uint8"
        bench.submission.rows.value = (1, 3)
        bench.submission.format.value = "zarr"
        await asyncio.sleep(0.2)
        assert bench.viewer.frame == 1
        assert "3 slices of 128 × 128, uint8" in bench.submission.summary.value

    drive(scenario)


def test_the_newest_request_wins_and_none_queue(drive):
    async def scenario(bench):
        await choose(bench, "one.h5")
        begun, finished, gate = [], [], threading.Event()
        slab_of = bench._subject.preview.slab

        def watched(recipe, row, *hear, **heard):
            begun.append(row)
            gate.wait(20)
            data = slab_of(recipe, row, *hear, **heard)
            finished.append(row)
            return data

        bench._subject.preview.slab = watched
        bench.move(0)
        await until(lambda: begun)
        for number in range(40):
            bench.move(number % 6)
        bench.move(5)
        gate.set()
        await settled(bench)
        assert bench.shown.row == 5
        np.testing.assert_array_equal(bench.viewer.picture, reference(bench))
        assert (set(begun), set(finished)) == ({0, 5}, {5})
        assert bench.viewer.frame == 2

    drive(scenario)


def test_while_a_slider_moves_the_picture_is_coarse_and_at_rest_it_is_whole(drive, monkeypatch):
    monkeypatch.setattr("stp3.preview._COARSE_COLUMNS", 64)
    monkeypatch.setattr("stp3.widgets.picture._AT_ONCE_SECONDS", 0.0)

    async def scenario(bench):
        await choose(bench, "one.h5")
        shown, show = [], bench.viewer.show
        monkeypatch.setattr(bench.viewer, "show", lambda image, **about: shown.append(about) or show(image, **about))
        for step in range(12):
            bench.recipe.axis_slider.value = step / 10
            await asyncio.sleep(0.02)
        await settled(bench)
        binnings = [about.get("binning", 1) for about in shown]
        assert binnings[-1] == 1
        assert binnings.count(2) > 3
        assert binnings.count(1) <= 2
        assert all(about["whole"] == (128, 128) for about in shown[:-1] if about.get("binning") == 2)
        assert "coarse" in shown[0]["title"]
        np.testing.assert_array_equal(bench.viewer.picture, reference(bench))

    drive(scenario)


def test_a_coarse_picture_of_another_scan_comes_too_late(drive):
    async def scenario(bench):
        await choose(bench, "one.h5")
        before = bench.viewer.frame
        bench.picture.request(lambda turn: None, subject="another")
        bench.picture._show_coarse(np.zeros((9, 9)), "", str(bench.shown.path), {"pixel_size_um": None})
        assert bench.viewer.frame == before

    drive(scenario)
