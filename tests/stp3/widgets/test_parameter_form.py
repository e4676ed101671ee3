"""What is typed into a field reaches the recipe as what it is."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from stp3.recipe import Recipe, StepUse
from stp3.steps import find_step, step_names
from stp3.widgets.parameter_form import ParameterField

RECIPE = Recipe.default().with_step("phase_paganin")


@pytest.mark.parametrize(
    ("name", "shown", "typed", "heard"),
    [
        ("material", "", "NO", "NO"),  # nitric oxide, which YAML would read as false
        ("delta", "", "1e-6", "1e-6"),
        ("delta", "", "0.000001", 1e-6),
        ("energy_kev", "auto", "25", 25),
    ],
)
def test_text_and_numbers_are_told_apart(name: str, shown: str, typed: str, heard: object) -> None:
    changes: list[dict[str, object]] = []
    field = ParameterField("phase_paganin", name, lambda _, values: changes.append(values))
    field.show(RECIPE.use("phase_paganin"))
    assert field.field.value == shown
    field.field.value = typed
    assert changes == [{f"phase_paganin.{name}": heard}]


def test_an_emptied_field_means_nothing_given() -> None:
    changes: list[dict[str, object]] = []
    field = ParameterField("phase_paganin", "delta", lambda _, values: changes.append(values))
    field.show(RECIPE.with_values({"phase_paganin.delta": 1e-6, "phase_paganin.beta": 1e-9}).use("phase_paganin"))
    assert float(field.field.value) == 1e-6
    field.field.value = ""
    assert changes == [{"phase_paganin.delta": None}]


EVERY = [(step, name) for step in step_names() for name in find_step(step).Parameters.model_fields]
CANDIDATES = (0.01, 0.5, 2.5, 3, 5, 2, 1, 7, 101, 0.99, "auto", True, False, "none", [0, 0, 8, 8])


TOGETHER = {"delta": {"beta": 1e-9}, "beta": {"delta": 1e-3}}


def another(step: str, name: str) -> object:
    """A value of that parameter which is not its default."""
    model = find_step(step).Parameters
    default = model().model_dump(mode="json")[name]
    choices = model.model_json_schema()["properties"][name].get("enum", [])
    words = ["Water, Liquid"] if default == "" else []
    for value in (*choices, *words, *CANDIDATES):
        try:
            taken = model(**{name: value, **TOGETHER.get(name, {})}).model_dump(mode="json")[name]
        except ValidationError:
            continue
        if taken != default and type(taken) is type(value):
            return value
    raise AssertionError(f"no second value found for {step}.{name}")


@pytest.mark.parametrize(("step", "name"), EVERY)
def test_every_parameter_of_every_step_shows_and_reads_back(step: str, name: str) -> None:
    heard: list[dict[str, object]] = []
    field = ParameterField(step, name, lambda _, values: heard.append(values))
    model = find_step(step).Parameters
    others = TOGETHER.get(name, {})
    value = another(step, name)
    assert field.field.description
    for parameters in (model(), model(**{name: value, **others})):
        field.show(StepUse(step, parameters))
        assert not heard
        read = field._read(field.field.value)
        assert model(**{name: read, **(others if read is not None else {})}) == parameters
    changed = field.field.value
    field.show(StepUse(step, model()))
    field.field.value = changed
    assert model(**{name: heard[-1][f"{step}.{name}"], **others}).model_dump(mode="json")[name] == value


def test_what_is_refused_is_said_beside_the_field_until_it_shows_what_holds() -> None:
    field = ParameterField("fbp", "cutoff", lambda *_: None)
    field.say("fbp.cutoff should be <= 1, got 7.")
    assert "should be &lt;= 1" in field.said.value
    assert field.said.layout.display is None
    field.show(Recipe.default().use("fbp"))
    assert field.said.layout.display == "none"
