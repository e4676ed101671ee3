"""Adding a step to a recipe, and taking one out: the changes of the recipe, and the view that asks for one more."""

from __future__ import annotations

import html
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import ipywidgets

from stp3 import order
from stp3.errors import RecipeFault
from stp3.recipe import DEFAULT_STEPS, Recipe
from stp3.scan import Scan
from stp3.steps import find_step, step_names
from stp3.steps.base import Domain
from stp3.widgets import words
from stp3.widgets.view import View, beside, button, named, set_visible

_DOMAINS = {
    "scan": "Scan", "projection": "Projections", "sinogram": "Sinograms", "reconstruction": "Reconstruction",
    "slice": "Slices",
}  # fmt: skip
_KNOWN_TO_SCANS = ("energy_kev", "distance_mm")


def added(recipe: Recipe, name: str, scan: Scan) -> Recipe:
    """The recipe with that step at its place, what the scan knows filled in. Raises RecipeFault."""
    fields = find_step(name).Parameters.model_fields
    known = {field: getattr(scan, field) for field in _KNOWN_TO_SCANS if field in fields}
    return recipe.with_step(name, **{field: value for field, value in known.items() if value is not None})


def removed(recipe: Recipe, name: str) -> Recipe:
    """The recipe without that step; one that is off comes back where nothing else does the work. Raises RecipeFault."""
    rest = tuple(use for use in recipe.uses if use.name != name)
    found = list(order.faults([use for use in rest if use.on]))
    if not found:
        return Recipe(rest)
    for place, use in enumerate(rest):
        tried = (*rest[:place], replace(use, on=True), *rest[place + 1 :])
        if not use.on and not list(order.faults([one for one in tried if one.on])):
            return Recipe(tried)
    raise RecipeFault(f"without {name}, {found[0]}")


def can_go(name: str) -> bool:
    """Whether a step is one that was added: those of the default recipe are switched off instead."""
    return name not in DEFAULT_STEPS


def help_of(name: str) -> str:
    """What a step does, in a line."""
    return (inspect.getdoc(find_step(name)) or "").split("\n\n")[0].replace("\n", " ")


class StepChoice(View):
    """All steps that the recipe has not, by what they work on."""

    def __init__(self, on_add: Callable[[StepChoice, str], None]) -> None:
        super().__init__()
        self.choice = named(ipywidgets.Dropdown(description="Add a step"), "add-choice")
        self.help = named(ipywidgets.HTML(), "add-help")
        self.add = button("Add", lambda: on_add(self, self.choice.value), "add-step", primary=False)
        self.said = named(ipywidgets.HTML(), "add-said")
        self.widget = named(ipywidgets.VBox([beside(self.choice, self.add), self.help, self.said]), "add")
        self.hear(self.choice, lambda _: self._describe())
        self.say("")

    def show(self, recipe: Recipe) -> None:
        """The steps that the recipe has not."""
        there = {use.name for use in recipe.uses}
        options = [(_label(name), name) for name in _in_order() if name not in there]
        with self.quietly():
            if [name for _, name in self.choice.options] != [name for _, name in options]:
                self.choice.options = options
        self._describe()

    def say(self, text: str, level: str = "bad") -> None:
        """What became of the last press of the button; empty for nothing."""
        self.said.value = words.note(level, text) if text else ""
        set_visible(self.said, bool(text))

    def _describe(self) -> None:
        name = self.choice.value
        self.help.value = f'<p class="stp3-help">{html.escape(help_of(name))}</p>' if name else ""
        self.add.disabled = name is None


def _in_order() -> list[str]:
    domains = get_args(Domain)
    return sorted(step_names(), key=lambda name: (domains.index(find_step(name).domain), find_step(name).title))


def _label(name: str) -> str:
    step = find_step(name)
    return f"{_DOMAINS[step.domain]} · {step.title}"
