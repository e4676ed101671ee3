"""Strips of slices in the workbench: rotation axes and removals of rings to choose from."""

import asyncio
import threading

import numpy as np

from stp3.sweep import axis_sweep
from stp3.widgets import ring_removal
from stp3.widgets.film import Look, small_picture
from tests.stp3.widgets.user import choose, reference, until


def films(bench):
    return bench.strips.panel.films


async def filled(bench):
    await until(lambda: not films(bench).missing and films(bench).content["films"])


def test_a_sweep_shows_slices_around_the_axis_and_one_is_chosen(drive):
    async def scenario(bench):
        await choose(bench, "one.h5")
        found = bench.shown.rotation_axis
        assert bench.strips.panel.widget.layout.display == "none"
        bench.recipe._sweep.click()
        await filled(bench)
        assert bench.strips.panel.widget.layout.display is None
        captions = [float(film["caption"]) for film in films(bench).content["films"]]
        np.testing.assert_allclose(captions, found + 0.5 * np.arange(-4, 5), atol=1e-9)
        assert films(bench).content["chosen"] == 4
        images = [reference(bench, **{"rotation_axis.column": column}) for column in captions]
        part, limits = Look(bench.viewer.limits).part(images[4], 138), Look().grey_limits(images[4])
        for place in (0, 4, 8):
            grey = small_picture(images[place], part, limits).astype(int)
            assert np.abs(films(bench)._pictures[place] - grey).max() <= 1
        before = bench.viewer.frame
        films(bench)._hear(films(bench), {"kind": "choose", "number": films(bench).content["number"], "place": 6}, [])
        await until(lambda: bench.viewer.frame > before)
        assert bench.shown.rotation_axis == captions[6]
        np.testing.assert_array_equal(bench.viewer.picture, images[6])
        assert (films(bench).content["chosen"], films(bench).content["stale"]) == (6, False)
        bench.undo()
        assert films(bench).content["chosen"] == 4
        bench.strips.panel.finer.click()
        await filled(bench)
        captions = [float(film["caption"]) for film in films(bench).content["films"]]
        np.testing.assert_allclose(captions, found + 0.1 * np.arange(-4, 5), atol=1e-9)
        assert bench.strips.panel.finer.disabled

    drive(scenario)


def test_a_strip_that_no_longer_holds_says_so_and_is_made_again(drive):
    async def scenario(bench):
        await choose(bench, "one.h5")
        bench.recipe._sweep.click()
        await filled(bench)
        bench.strips.panel.spacing.value = 5.0
        await filled(bench)
        bench.change({"fbp.filter": "hann"})
        assert films(bench).content["stale"]
        assert "Out of date" in bench.strips.panel.said.value
        bench.undo()
        assert not films(bench).content["stale"]
        bench.slices.slider.value = 1
        assert films(bench).content["stale"]
        bench.strips.panel.again.click()
        await filled(bench)
        assert not films(bench).content["stale"]
        assert bench.strips.panel.spacing.value == 5.0
        bench.strips.close_strip()
        assert bench.strips.panel.widget.layout.display == "none"

    drive(scenario)


def test_a_sweep_stops_when_the_recipe_changes_and_goes_on_when_it_is_undone(drive, monkeypatch):
    gate, asked = threading.Event(), []

    def gated(preview, recipe, row, columns, on_step):
        def step(name):
            asked.append(name)
            gate.wait(20)
            on_step(name)

        return axis_sweep(preview, recipe, row, columns, on_step=step)

    async def scenario(bench):
        await choose(bench, "one.h5")
        monkeypatch.setattr("stp3.widgets.axis_sweep.axis_sweep", gated)
        bench.recipe._sweep.click()
        await until(lambda: asked)
        before = bench.viewer.frame
        bench.change({"fbp.filter": "hann"})
        await until(lambda: bench.viewer.frame > before)
        gate.set()
        await asyncio.sleep(0.2)
        assert len(asked) == 1
        assert len(films(bench).missing) == 9
        bench.undo()
        await filled(bench)
        assert asked == ["fbp", "fbp", "circle_mask"]

    drive(scenario)


def test_ways_to_remove_rings_are_tried_ranked_and_taken(drive):
    async def scenario(bench):
        await choose(bench, "one.h5")
        bench.recipe._suggest.click()
        await filled(bench)
        listed = films(bench).content["films"]
        assert [film["caption"].split(".")[0] for film in listed] == [str(rank) for rank in range(1, len(listed) + 1)]
        assert any("No removal" in film["caption"] for film in listed)
        own = films(bench).content["chosen"]
        assert "All kinds" in listed[own]["caption"]
        place = 0 if own else 1
        before = bench.viewer.frame
        bench.strips.choose(place)
        await until(lambda: bench.viewer.frame > before)
        assert films(bench).content["chosen"] == place
        assert not films(bench).content["stale"]
        assert listed[place]["caption"].split(". ")[1].split(",")[0] in bench.recipe.stripes_method.value
        bench.recipe.stripes.value = False
        assert ring_removal.running(bench.shown.recipe) == ()
        assert "No removal" in listed[films(bench).content["chosen"]]["caption"]
        bench.recipe.stripes.value = True
        assert films(bench).content["chosen"] == place
        bench.undo()
        bench.undo()
        bench.undo()
        assert [use.name for use in ring_removal.running(bench.shown.recipe)] == ["stripes_all"]

    drive(scenario)
