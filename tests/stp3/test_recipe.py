"""A recipe survives YAML, tells itself from others, and lists all its faults at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from stp3.errors import RecipeFault
from stp3.recipe import DEFAULT_STEPS, Recipe


def test_default_holds_the_usual_steps() -> None:
    assert tuple(use.name for use in Recipe.default().uses) == DEFAULT_STEPS


def test_yaml_round_trip_keeps_everything() -> None:
    recipe = Recipe.default().with_values({"fbp.filter": "hann", "zingers.on": False, "rotation_axis.column": 511.25})
    again = Recipe.from_yaml(recipe.to_yaml())
    assert again == recipe
    assert again.fingerprint == recipe.fingerprint


def test_yaml_shows_only_what_differs_from_the_defaults() -> None:
    assert Recipe.default().as_dict()["steps"] == [{"step": name} for name in DEFAULT_STEPS]


def test_fingerprint_sees_values_and_not_spelling() -> None:
    recipe = Recipe.default()
    assert recipe.with_values({"fbp.filter": "hann"}).fingerprint != recipe.fingerprint
    default = recipe.use("fbp").parameters.model_dump()["filter"]
    assert Recipe.from_yaml(recipe.to_yaml() + f"# {default}\n").fingerprint == recipe.fingerprint
    assert recipe.with_values({"fbp.filter": default}).fingerprint == recipe.fingerprint
    assert recipe.without("zingers").fingerprint != recipe.fingerprint


def test_a_switched_off_step_keeps_its_place_and_parameters() -> None:
    recipe = Recipe.default().with_values({"stripes_all.snr": 4.5}).without("stripes_all")
    assert "stripes_all" not in [use.name for use in recipe.running]
    assert recipe.with_values({"stripes_all.on": True}).use("stripes_all").parameters.model_dump()["snr"] == 4.5


def test_all_faults_in_one_report() -> None:
    with pytest.raises(RecipeFault) as fault:
        Recipe.from_dict({"steps": [{"step": "flat_fields"}, {"step": "fbp", "filter": "rammlak", "colour": 1}, 7]})
    text = str(fault.value)
    assert 'no step "flat_fields"' in text
    assert "flat_field," in text, "the known names are listed"
    assert "fbp.filter should be" in text
    assert "'rammlak'" in text
    assert "fbp has no parameter 'colour'" in text
    assert "got 7" in text


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (["minus_log", "minus_log", "rotation_axis", "fbp"], "minus_log stands 2 times"),
        (["stripes_all", "flat_field", "rotation_axis", "fbp"], "Move flat_field up"),
        (["flat_field", "minus_log", "rotation_axis"], "exactly one reconstruction"),
        (["rotation_axis", "fbp", "output", "circle_mask"], "output must be the last step"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_in_words(steps: list[str], words: str) -> None:
    with pytest.raises(RecipeFault, match=words):
        Recipe.from_dict({"steps": steps})


@pytest.mark.parametrize("text", ["", "steps: 3", "[1, 2]", "steps: [", "a: !!python/object:os.system {}", "\x00"])
def test_a_text_that_is_no_recipe_is_refused(text: str) -> None:
    with pytest.raises(RecipeFault):
        Recipe.from_yaml(text)


@pytest.mark.parametrize("key", ["fbp", "nothing.filter", "fbp.nothing", ".filter", "fbp."])
def test_set_names_a_parameter_that_exists(key: str) -> None:
    with pytest.raises(RecipeFault):
        Recipe.default().with_values({key: 1})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "left", None])
def test_an_axis_that_is_no_column_is_refused(value: object) -> None:
    with pytest.raises(RecipeFault, match=r"rotation_axis\.column"):
        Recipe.default().with_values({"rotation_axis.column": value})


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeFault, match=r"nowhere\.yaml cannot be read"):
        Recipe.load(tmp_path / "nowhere.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeFault, match="not a text file"):
        Recipe.load(tmp_path / "binary.yaml")
