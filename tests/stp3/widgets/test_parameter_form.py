"""What is typed into a field reaches the recipe as what it is."""

from __future__ import annotations

import pytest

from stp3.recipe import Recipe
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
    field = ParameterField("phase_paganin", name, changes.append)
    field.show(RECIPE.use("phase_paganin"))
    assert field.field.value == shown
    field.field.value = typed
    assert changes == [{f"phase_paganin.{name}": heard}]


def test_an_emptied_field_means_nothing_given() -> None:
    changes: list[dict[str, object]] = []
    field = ParameterField("phase_paganin", "delta", changes.append)
    field.show(RECIPE.with_values({"phase_paganin.delta": 1e-6, "phase_paganin.beta": 1e-9}).use("phase_paganin"))
    assert float(field.field.value) == 1e-6
    field.field.value = ""
    assert changes == [{"phase_paganin.delta": None}]
