"""The form of a step, generated from its parameters' model."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import ipywidgets
import yaml

from stp3.recipe import Recipe, StepUse
from stp3.steps import find_step
from stp3.widgets import words
from stp3.widgets.step_choice import StepChoice, can_go
from stp3.widgets.view import View, button, named, set_visible

Changed = Callable[[dict[str, Any]], bool]
"""Takes `{"step.parameter": value}`; gives whether it was taken."""


class ParameterField(View):
    """One parameter of one step: a field of the kind its declaration asks for."""

    def __init__(self, step: str, name: str, on_change: Callable[[ParameterField, dict[str, Any]], object]) -> None:
        super().__init__()
        self.step, self.name = step, name
        model = find_step(step).Parameters
        schema = model.model_json_schema()
        declared = _plain(schema["properties"][name], schema)
        self.field = named(_field_for(declared, model.model_fields[name].get_default()), f"field-{step}-{name}")
        self.field.description = label_of(name, declared)
        self.field.tooltip = declared.get("description", "")
        self._as_text = isinstance(self.field, ipywidgets.Text) and declared.get("type") != "string"
        self.said = named(ipywidgets.HTML(), "field-said")
        self.widget = named(ipywidgets.VBox([self.field, self.said]), "parameter")
        self.say("")
        self.hear(self.field, lambda value: on_change(self, {f"{step}.{name}": self._read(value)}))

    def show(self, use: StepUse | None) -> None:
        """The value in the recipe; switched off where the step is missing or off."""
        with self.quietly():
            self.say("")
            self.field.disabled = use is None or not use.on
            if use is not None:
                value = use.parameters.model_dump(mode="json")[self.name]
                self.field.value = _written(value) if self._as_text else value

    def say(self, text: str) -> None:
        """Why the value is not used; empty when it is."""
        self.said.value = words.note("bad", text) if text else ""
        set_visible(self.said, bool(text))

    def _read(self, value: Any) -> Any:
        if not self._as_text:
            return value
        try:
            return yaml.safe_load(value)
        except yaml.YAMLError:
            return value


@dataclass(frozen=True)
class FormActions:
    """What the user can do with a form: change values of a field, add a step, take one out."""

    change: Callable[[ParameterField | None, dict[str, Any]], bool]
    add: Callable[[StepChoice, str], None]
    remove: Callable[[str], None]


class ExpertForm(View):
    """All parameters of all steps and the choice of one more, made when first shown and again when other steps come."""

    def __init__(self, act: FormActions) -> None:
        super().__init__()
        self.add = StepChoice(act.add)
        self.widget = named(ipywidgets.VBox([self.add.widget]), "expert")
        self._act = act
        self._refused: dict[str, dict[str, Any]] = {}
        self._steps: tuple[str, ...] = ()
        self._switches: dict[str, ipywidgets.Checkbox] = {}
        self._fields: list[ParameterField] = []

    def show(self, recipe: Recipe) -> None:
        """The recipe's steps and their values."""
        self._refused = {}
        self.add.show(recipe)
        steps = tuple(use.name for use in recipe.uses)
        if steps != self._steps:
            self._steps = steps
            self._make(recipe.uses)
        with self.quietly():
            for name, switch in self._switches.items():
                switch.value = recipe.use(name).on
        for field in self._fields:
            field.show(recipe.use(field.step))

    def _make(self, uses: Iterable[StepUse]) -> None:
        self._switches, self._fields, parts = {}, [], []
        for use in uses:
            if use.name in self._switches:
                continue
            parts += self._step_parts(use)
        self.widget.children = [self.add.widget, *parts]

    def _step_parts(self, use: StepUse) -> list[ipywidgets.Widget]:
        switch = ipywidgets.Checkbox(description=use.step.title, indent=False, tooltip=use.step.paper)
        self._switches[use.name] = named(switch, "step-switch", f"switch-{use.name}")
        self.hear(switch, lambda on: self._act.change(None, {f"{use.name}.on": on}))
        remove = button("Remove", lambda: self._act.remove(use.name), f"remove-{use.name}", tip="Take this step out")
        head = named(ipywidgets.HBox([switch, *([remove] if can_go(use.name) else [])]), "step-head")
        parts: list[ipywidgets.Widget] = [head]
        for name, info in use.step.Parameters.model_fields.items():
            field = ParameterField(use.name, name, self._changed)
            self._fields.append(field)
            help_text = ipywidgets.HTML(f'<p class="stp3-help">{html.escape(info.description or "")}</p>')
            parts += [field.widget, help_text]
        return parts

    def _changed(self, field: ParameterField, values: dict[str, Any]) -> None:
        """Some values make sense together only: what was refused is tried again with the next one of its step."""
        together = {**self._refused.get(field.step, {}), **values}
        taken = self._act.change(field, together) or (together != values and self._act.change(field, values))
        if not taken:
            self._refused[field.step] = together


def label_of(name: str, declared: dict[str, Any]) -> str:
    """What the field is called on the page, with its unit."""
    title = declared.get("title") or name
    title = name.replace("_", " ").capitalize() if title == name.replace("_", " ").title() else title
    return f"{title} ({declared['unit']})" if declared.get("unit") else title


def _plain(declared: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in declared:
        return {**schema["$defs"][declared["$ref"].rsplit("/", 1)[1]], **declared}
    return declared


def _field_for(declared: dict[str, Any], default: Any) -> ipywidgets.ValueWidget:
    kind = declared.get("type")
    if choices := declared.get("enum"):
        return ipywidgets.Dropdown(options=[(str(choice), choice) for choice in choices], value=default)
    if kind == "boolean":
        return ipywidgets.Checkbox(value=bool(default), indent=False)
    if kind == "integer":
        return ipywidgets.IntText(value=default, step=declared.get("multipleOf", 1))
    if kind == "number":
        return ipywidgets.FloatText(value=default, step=_step_of(default))
    return ipywidgets.Text(value=_written(default), continuous_update=False)


def _step_of(value: float) -> float:
    """A tenth of the value's order of magnitude: what one press of an arrow changes."""
    if abs(value) >= 1:
        return float(10.0 ** (len(str(int(abs(value)))) - 2))
    return 0.01 if value == 0 or abs(value) >= 0.1 else abs(value) / 10


def _written(value: Any) -> str:
    if value is None:
        return ""
    return (
        value
        if isinstance(value, str)
        else yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip()
    )
