"""The recipe in the workbench: changed, undone, pasted, extended, and refused in words."""

import numpy as np
import pytest
import yaml

from stp3.recipe import Recipe
from stp3.scan import open_scan
from stp3.steps import step_names
from tests.stp3.widgets.user import choose, reference, settled


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
