"""Steps go where they make sense: the logarithm once, projections before sinograms before slices."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from stp3.errors import RecipeFault
from stp3.recipe import DEFAULT_STEPS, Recipe, StepUse
from stp3.steps.base import Step, StepParameters


def names(recipe: Recipe) -> list[str]:
    return [use.name for use in recipe.running]


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (["flat_field", "rotation_axis", "fbp"], "fbp needs line integrals, but flat_field gives transmission"),
        (["flat_field", "minus_log", "zingers", "rotation_axis", "fbp"], "Move zingers before minus_log"),
    ],
)
def test_the_logarithm_is_neither_forgotten_nor_too_early(steps: list[str], words: str) -> None:
    with pytest.raises(RecipeFault, match=words):
        Recipe.from_dict({"steps": steps})


def test_a_scan_that_holds_line_integrals_needs_neither() -> None:
    assert names(Recipe.from_dict({"steps": ["rotation_axis", "fbp"]})) == ["rotation_axis", "fbp"]


@pytest.mark.parametrize("name", DEFAULT_STEPS)
def test_a_step_taken_out_goes_back_to_where_it_makes_sense(name: str) -> None:
    steps = [{"step": step} for step in DEFAULT_STEPS if step != name]
    if name in ("minus_log", "fbp"):  # without it there is no recipe
        return
    assert sorted(names(Recipe.from_dict({"steps": steps}).with_step(name))) == sorted(DEFAULT_STEPS)


def test_a_step_that_is_there_stays_there_and_takes_the_values() -> None:
    recipe = Recipe.default().without("zingers").with_step("zingers", size=5)
    assert names(recipe) == list(DEFAULT_STEPS)
    assert recipe.use("zingers").parameters.model_dump()["size"] == 5


def test_a_step_that_does_the_work_of_another_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    class OtherLog(Step):
        name, title, domain = "other_log", "Other", "projection"
        needs, gives = "transmission", "line integrals"

    monkeypatch.setattr("stp3.recipe.find_step", lambda name: OtherLog if name == "other_log" else found(name))
    from stp3.steps import find_step as found

    recipe = Recipe.default().with_step("other_log")
    assert names(recipe)[:4] == ["flat_field", "zingers", "other_log", "stripes_all"]
    assert "minus_log" in [use.name for use in recipe.uses], "it keeps its place, switched off"
    back = recipe.with_step("minus_log")
    assert names(back) == list(DEFAULT_STEPS)
    with pytest.raises(RecipeFault, match=r"both give line integrals.* taken twice\. Remove minus_log\."):
        recipe.with_values({"minus_log.on": True})


def test_a_step_without_a_place_is_refused_in_words() -> None:
    with pytest.raises(RecipeFault, match="no place for zingers"):
        Recipe((StepUse("fbp", StepParameters()), StepUse("fbp", StepParameters()))).with_step("zingers")
    with pytest.raises(RecipeFault, match="no step"):
        Recipe.default().with_step("nothing")


def test_what_the_scan_says_is_asked_of_running_steps_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(Step, "settle_for", classmethod(lambda cls, own, _: (asked.append(cls.name), own)[1]))
    Recipe.default().without("zingers").settled(SimpleNamespace(columns=10, rows=1, row_on_detector=float))
    answers_itself = "rotation_axis"
    assert asked == [name for name in DEFAULT_STEPS if name not in ("zingers", answers_itself)]


def test_a_step_takes_the_very_place_of_the_one_it_replaces() -> None:
    recipe = Recipe.default().with_step("flat_field_dynamic")
    assert names(recipe)[:3] == ["flat_field_dynamic", "zingers", "minus_log"]
    assert names(recipe.with_step("flat_field")) == list(DEFAULT_STEPS)


def test_the_beam_is_not_divided_by_twice() -> None:
    steps = [{"step": name} for name in ("flat_field", "flat_field_dynamic", "minus_log", "rotation_axis", "fbp")]
    with pytest.raises(RecipeFault, match=r"divided by twice\. Remove flat_field_dynamic\."):
        Recipe.from_dict({"steps": steps})
