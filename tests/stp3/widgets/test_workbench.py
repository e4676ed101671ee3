"""The workbench without a page: real scans, real previews, real jobs; a test plays the user by setting widgets."""

import asyncio
import json
import threading
import time

import numpy as np
import pytest
import yaml

from stp3.cluster.client import list_jobs
from stp3.preview import Preview
from stp3.recipe import Recipe
from stp3.scan import open_scan
from stp3.steps import step_names
from stp3.testing import write_practice_scan
from stp3.volume import open_volume
from stp3.widgets import ring_removal
from stp3.widgets.film import Look, small_picture
from stp3.widgets.workbench import Workbench

AXIS = 66.2


@pytest.fixture(scope="module")
def visits(tmp_path_factory):
    top = tmp_path_factory.mktemp("visits")
    for visit, seed in (("one", 1), ("two", 2)):
        (top / visit).mkdir()
        write_practice_scan(
            top / visit / f"{visit}.h5",
            columns=128,
            rows=6,
            angles=180,
            seed=seed,
            rotation_axis=AXIS,
            faults={"rings"},
        )
    (top / "one" / "<b>broken.h5").write_bytes(b"no hdf5")
    (top / "empty").mkdir()
    return top


@pytest.fixture
def environment(monkeypatch, visits, tmp_path):
    roots = [{"id": name, "title": "", "data_root": str(visits / name)} for name in ("one", "two", "empty")]
    monkeypatch.setenv("STP3_VISITS", json.dumps(roots))
    monkeypatch.setenv("STP3_JOBS", str(tmp_path / "jobs"))
    monkeypatch.setenv("STP3_THREADS", "1")
    monkeypatch.delenv("STP3_DATA", raising=False)
    monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX", raising=False)


@pytest.fixture
def drive(environment):
    """Runs a coroutine with a workbench that a page has just connected to."""

    def run(scenario):
        async def with_workbench():
            bench = Workbench()
            bench.viewer._hear(bench.viewer, {"kind": "ready"}, [])
            await until(lambda: bench.scans.scans.options or "No scans" in bench.scans.about.value)
            try:
                await scenario(bench)
            finally:
                bench.close()

        asyncio.run(with_workbench())

    return run


async def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


async def choose(bench, name):
    labels = bench.scans.scans.options
    bench.scans.scans.index = next(place for place, label in enumerate(labels) if name in label)
    await until(lambda: bench.viewer.state in ("idle", "error") and (bench.shown or bench.viewer.state == "error"))


async def settled(bench):
    await until(lambda: bench.viewer.state != "busy")


def reference(bench, **values):
    scan = open_scan(bench.shown.path)
    found = {"rotation_axis.column": bench.shown.rotation_axis} | values
    return Preview(scan).slice(Recipe.default().with_values(found), bench.shown.row)


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


def test_a_file_that_is_no_scan_is_told_in_words_and_escaped(drive):
    async def scenario(bench):
        await choose(bench, "broken.h5")
        assert bench.viewer.state == "error"
        assert "broken.h5" in bench.viewer._status["text"]
        assert "Internal error" not in bench.viewer._status["text"]
        assert bench.submission.submit.disabled
        await choose(bench, "one.h5")
        assert bench.viewer.state == "idle"
        await choose(bench, "broken.h5")
        assert bench.viewer.picture is None
        assert "stp3-bad" in bench.scans.about.value
        assert bench.recipe.verdict.value == ""

    drive(scenario)


def test_visits_are_kept_apart_and_an_empty_one_says_so(drive):
    async def scenario(bench):
        bench.scans.visits.index = 1
        await until(lambda: len(bench.scans.scans.options) == 1)
        assert "two.h5" in bench.scans.scans.options[0]
        bench.scans.visits.index = 2
        await until(lambda: "No scans here yet" in bench.scans.about.value)
        assert bench.scans.scans.options == ()

    drive(scenario)


@pytest.mark.parametrize("place", [-1, 2, 10**9])
def test_places_that_are_not_in_the_list_open_nothing(drive, place):
    async def scenario(bench):
        bench.choose_scan(place)
        bench.choose_visit(place if place < 0 else place + 1)
        bench.desk.choose(place)
        assert bench.viewer.state == "idle"
        assert bench.scans.visits.index == 0

    drive(scenario)


def test_a_scan_swapped_for_a_link_out_of_the_visit_is_refused(drive, visits):
    decoy = visits / "one" / "decoy.h5"
    write_practice_scan(decoy, columns=64, rows=2, angles=20)

    async def scenario(bench):
        decoy.unlink()
        decoy.symlink_to(visits / "two" / "two.h5")
        await choose(bench, "decoy.h5")
        assert "lies outside the folder" in bench.viewer._status["text"]
        assert bench.shown is None

    try:
        drive(scenario)
    finally:
        decoy.unlink()


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


def test_find_undo_redo_and_reset(drive):
    async def scenario(bench):
        await choose(bench, "one.h5")
        found = bench.shown.rotation_axis
        bench.recipe.axis_slider.value = 3.5
        assert bench.shown.rotation_axis == pytest.approx(found + 3.5)
        bench.undo()
        assert bench.shown.rotation_axis == found
        bench.redo()
        assert bench.shown.rotation_axis == pytest.approx(found + 3.5)
        bench.find_axis()
        assert bench.shown.rotation_axis == found
        bench.change({"fbp.filter": "hann"})
        bench.reset()
        assert bench.shown.recipe.use("fbp").parameters.filter == Recipe.default().use("fbp").parameters.filter
        await settled(bench)
        np.testing.assert_array_equal(bench.viewer.picture, reference(bench))

    drive(scenario)


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
            np.testing.assert_array_equal(films(bench)._pictures[place], small_picture(images[place], part, limits))
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
    slice_of = Preview.slice

    def gated(self, recipe, row, on_step=None):
        if on_step and threading.current_thread().name.startswith("stp3-strip"):
            asked.append(recipe.use("rotation_axis").parameters.column)
            if len(asked) == 3:
                gate.wait(20)
        return slice_of(self, recipe, row, on_step=on_step)

    async def scenario(bench):
        await choose(bench, "one.h5")
        monkeypatch.setattr(Preview, "slice", gated)
        bench.recipe._sweep.click()
        await until(lambda: len(asked) == 3)
        before = bench.viewer.frame
        bench.change({"fbp.filter": "hann"})
        await until(lambda: bench.viewer.frame > before)
        gate.set()
        await asyncio.sleep(0.2)
        assert len(asked) == 3
        kept = len(films(bench)._pictures)
        assert kept < 9
        bench.undo()
        await filled(bench)
        assert len(asked) == 3 + 1 + 9 - kept

    drive(scenario)


def test_a_wrong_value_is_refused_beside_the_field_and_changes_nothing(drive):
    async def scenario(bench):
        await choose(bench, "one.h5")
        before = bench.shown
        bench.recipe.axis.value = 500.0
        assert "between 0 and 127 (the scan has 128 columns), got 500" in bench.recipe.fault.value
        bench.change({"fbp.filter": "<script>alert(1)</script>"})
        assert "<script>" not in bench.recipe.fault.value
        bench.change({"no_such_step.on": True})
        assert "no step" in bench.recipe.fault.value
        assert bench.shown == before
        bench.undo()
        assert bench.shown == before

    drive(scenario)


def test_a_pasted_recipe_is_used_or_refused_as_a_whole(drive):
    async def scenario(bench):
        await choose(bench, "one.h5")
        content = yaml.safe_load(bench.recipe.text.value)
        next(step for step in content["steps"] if step["step"] == "fbp")["filter"] = "cosine"
        bench.paste(yaml.safe_dump(content))
        assert bench.shown.recipe.use("fbp").parameters.filter == "cosine"
        bench.paste("steps: [fbp, fbp]")
        assert "exactly one reconstruction step" in bench.recipe.fault.value
        bench.paste("steps: [fbp]")
        assert "rotation_axis" in bench.recipe.fault.value
        bench.paste("a: [")
        assert "not valid YAML" in bench.recipe.fault.value
        assert bench.shown.recipe.use("fbp").parameters.filter == "cosine"

    drive(scenario)


def test_the_expert_form_has_every_parameter_and_each_works(drive):
    async def scenario(bench):
        await choose(bench, "one.h5")
        assert bench.recipe.expert._fields == []
        bench.recipe.show_expert.value = True
        fields = {f"{field.step}.{field.name}": field.field for field in bench.recipe.expert._fields}
        wanted = {f"{use.name}.{name}" for use in Recipe.default().uses for name in type(use.parameters).model_fields}
        assert set(fields) == wanted
        fields["output.low"].value = "-0.5"
        assert bench.shown.recipe.use("output").parameters.low == -0.5
        fields["fbp.cutoff"].value = 0.5
        assert bench.shown.recipe.use("fbp").parameters.cutoff == 0.5
        fields["fbp.cutoff"].value = 7.0
        beside = next(field for field in bench.recipe.expert._fields if field.field is fields["fbp.cutoff"])
        assert "fbp.cutoff should be less than or equal to 1, got 7.0" in beside.said.value
        assert bench.recipe.fault.value == ""
        bench.recipe.expert._switches["zingers"].value = False
        assert not bench.shown.recipe.use("zingers").on
        bench.undo()
        assert bench.recipe.expert._switches["zingers"].value

    drive(scenario)


def test_a_step_is_added_at_its_place_and_taken_out_again(drive):
    async def scenario(bench):
        await choose(bench, "one.h5")
        bench.recipe.show_expert.value = True
        form = bench.recipe.expert
        labels = {name: label for label, name in form.add.choice.options}
        assert set(labels) == set(step_names()) - {use.name for use in Recipe.default().uses}
        assert labels["phase_paganin"] == "Projections · Phase retrieval (Paganin)"
        form.add.choice.value = "phase_paganin"
        assert "transport of intensity" in form.add.help.value
        form.add.add.click()
        recipe = bench.shown.recipe
        names = [use.name for use in recipe.running]
        assert "minus_log" not in names
        assert names.index("flat_field") < names.index("phase_paganin") < names.index("stripes_all")
        scan = open_scan(bench.shown.path)
        parameters = recipe.use("phase_paganin").parameters
        assert (parameters.energy_kev, parameters.distance_mm) == (scan.energy_kev, scan.distance_mm or "auto")
        assert "Added after" in form.add.said.value
        assert "phase_paganin" not in [name for _, name in form.add.choice.options]
        fields = {f"{field.step}.{field.name}": field for field in form._fields}
        fields["phase_paganin.distance_mm"].field.value = "50"
        await settled(bench)
        assert bench.viewer.state == "idle"
        fields["phase_paganin.delta"].field.value = "1e-7"
        assert "together" in fields["phase_paganin.delta"].said.value
        fields["phase_paganin.beta"].field.value = "1e-9"
        parameters = bench.shown.recipe.use("phase_paganin").parameters
        assert (parameters.delta, parameters.beta) == (1e-7, 1e-9)
        bench.recipe._remove("phase_paganin")
        assert [use.name for use in bench.shown.recipe.running] == [use.name for use in Recipe.default().running]
        bench.undo()
        assert bench.shown.recipe.use("phase_paganin").on

    drive(scenario)


def test_a_step_that_finds_no_place_is_refused_in_words(drive):
    async def scenario(bench):
        await choose(bench, "one.h5")
        bench.change({"minus_log.on": True})
        bench.recipe.show_expert.value = True
        said = bench.recipe.expert.add
        bench.recipe._add(said, "no_such_step")
        assert "no step" in said.said.value
        assert said.said.layout.display is None

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


def test_the_newest_request_wins_and_none_queue(drive):
    async def scenario(bench):
        await choose(bench, "one.h5")
        begun, finished, gate = [], [], threading.Event()
        slice_of = bench._preview.slice

        def watched(recipe, row, on_step):
            begun.append(row)
            gate.wait(20)
            data = slice_of(recipe, row, on_step=on_step)
            finished.append(row)
            return data

        bench._preview.slice = watched
        bench.move(0)
        await until(lambda: begun)
        for number in range(40):
            bench.move(number % 6)
        bench.move(5)
        gate.set()
        await settled(bench)
        assert bench.shown.row == 5
        np.testing.assert_array_equal(bench.viewer.picture, reference(bench))
        assert (begun, finished) == ([0, 5], [5])
        assert bench.viewer.frame == 2

    drive(scenario)


def test_rows_and_formats_that_are_not_there_are_refused(drive):
    async def scenario(bench):
        await choose(bench, "one.h5")
        bench.choose_rows((0, 99))
        assert "the scan has 6 rows" in bench.submission.said.value
        bench.choose_format("<b>exe")
        assert "stp3-bad" in bench.submission.said.value
        assert "<b>exe" not in bench.submission.said.value
        assert (bench.shown.rows, bench.shown.format) == (range(6), "tiff")

    drive(scenario)


def test_from_submit_to_volume_once(drive):
    async def scenario(bench):
        await choose(bench, "one.h5")
        bench.recipe.axis.value = 66.0
        await settled(bench)
        bench.submission.rows.value = (2, 4)
        for _ in range(5):
            bench.submission.submit.click()
        await until(lambda: len(bench.desk.jobs) == 1)
        bench.submit()
        job, _ = bench.desk.jobs[0]
        await until(lambda: bench.desk.jobs[0][1].is_over, 90)
        assert len(list_jobs()) == 1
        assert job.state().state == "done", job.log()
        assert f'data-job="{job.id}"' in bench.desk.panel.about.value
        assert str(job.output) in bench.desk.panel.about.value
        assert "is done" in bench.submission.said.value
        bench.desk.panel.open.click()
        await until(lambda: bench.slices.mode.value == "Volume" and bench.viewer.state == "idle")
        bench.slices.slider.value = 1
        await settled(bench)
        assert bench.shown.row == 3
        np.testing.assert_array_equal(bench.viewer.picture, open_volume(job.output).slice(1))
        np.testing.assert_array_equal(bench.viewer.picture, reference(bench))
        bench.slices.mode.value = "Preview"
        await settled(bench)
        assert bench.slices.slider.value == 3

    drive(scenario)


def test_jobs_are_there_again_on_a_new_page(drive):
    async def scenario(bench):
        await choose(bench, "one.h5")
        bench.submission.rows.value = (0, 1)
        bench.submit()
        await until(lambda: len(bench.desk.jobs) == 1)
        bench.desk.cancel()
        again = Workbench()
        again.connected()
        await until(lambda: len(again.desk.panel.jobs.options) == 1)
        await until(lambda: again.desk.jobs[0][1].is_over, 60)
        assert again.desk.jobs[0][1].state in ("cancelled", "done")
        again.close()

    drive(scenario)
