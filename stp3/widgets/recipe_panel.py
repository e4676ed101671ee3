"""The view of a recipe: the choices that most scans need, all others behind a button, and the recipe as text."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import ipywidgets

from stp3.errors import RecipeFault
from stp3.recipe import StepUse
from stp3.steps import find_step
from stp3.widgets import ring_removal, words
from stp3.widgets.history import History
from stp3.widgets.parameter_form import Changed, ExpertForm, FormActions, ParameterField
from stp3.widgets.step_choice import StepChoice, removed
from stp3.widgets.strip import RecipeChange
from stp3.widgets.view import View, beside, button, card, named, set_visible

if TYPE_CHECKING:
    from stp3.axis import AxisReport

_AXIS = "rotation_axis.column"
_STRIPES = "stripes_all"
_AROUND_COLUMNS = 20.0


class Asked(Protocol):
    """What can be told why its wish was refused."""

    def say(self, text: str) -> None: ...


@dataclass(frozen=True)
class RecipeActions:
    """What the user can do with a recipe."""

    change: Changed
    find_axis: Callable[[], None]
    sweep: Callable[[], None]
    suggest: Callable[[], None]
    take: Callable[[RecipeChange], bool]
    add_step: Callable[[str], bool]
    undo: Callable[[], None]
    redo: Callable[[], None]
    reset: Callable[[], None]
    paste: Callable[[str], None]


class RecipePanel(View):
    """Edits one recipe; every change goes out as values or text and comes back as the recipe that holds."""

    def __init__(self, act: RecipeActions) -> None:
        super().__init__()
        self.axis = named(ipywidgets.FloatText(description="Centre of rotation", step=0.1), "axis")
        # It holds the distance from `_slider_centre`, so that its range never moves under the user's hand. The page
        # rounds a slider's value to its step and sends it back: the step is as fine as the values that are set.
        self.axis_slider = named(
            ipywidgets.FloatSlider(min=-_AROUND_COLUMNS, max=_AROUND_COLUMNS, step=0.01, readout=False), "axis-slider"
        )
        self.axis_slider.description = f"± {_AROUND_COLUMNS:.0f} columns"
        self._slider_centre = 0.0
        self.verdict = named(ipywidgets.HTML(), "verdict")
        self.stripes = named(ipywidgets.Checkbox(description="Remove stripes (rings)", indent=False), "stripes")
        self.stripes_method = named(ipywidgets.HTML(), "stripes-method")
        self._suggest = button("Suggest", act.suggest, "suggest", tip="Try the ways to remove rings, and compare")
        self.basic = [ParameterField(step, name, self._change) for step, name in _basic_choices()]
        self.expert = ExpertForm(FormActions(self._change, self._add, self._remove))
        self._act = act
        self._asked: Asked | None = None
        self.text = named(
            ipywidgets.Textarea(rows=14, continuous_update=True, tooltip="The recipe as YAML"), "recipe-text"
        )
        self.fault = named(ipywidgets.HTML(), "recipe-fault")
        self._undo = button("Undo", act.undo, "undo")
        self._redo = button("Redo", act.redo, "redo")
        self._reset = button("Reset", act.reset, "reset", tip="Back to the default recipe")
        self._find = button("Find", act.find_axis, "find-axis", tip="Find the centre of rotation")
        self._sweep = button("Sweep", act.sweep, "sweep", tip="Compare slices at several centres of rotation")
        self._text_box = ipywidgets.VBox(
            [self.text, button("Use this recipe", lambda: act.paste(self.text.value), "apply-recipe")]
        )
        self.show_expert = self._toggle("Expert", "expert-toggle", "All parameters of all steps")
        self.show_text = self._toggle("Text", "text-toggle", "The recipe as YAML: copy it, or paste another")
        self._history: History | None = None
        self._connect(act)
        self.widget = self._laid_out()

    def show(self, history: History, axis: float, *, by_hand: bool) -> None:
        """The recipe, with the rotation axis that is used: set by hand, or found."""
        self._history = history
        recipe = history.now
        self._show_axis(axis, by_hand)
        used = {use.name: use for use in recipe.uses}
        with self.quietly():
            self.stripes.value = bool(ring_removal.running(recipe))
            self.stripes_method.value = f'<p class="stp3-help">{html.escape(ring_removal.in_words(recipe))}</p>'
            self.text.value = recipe.to_yaml()
        for field in self.basic:
            field.show(used.get(field.step))
        if self.show_expert.value:
            self.expert.show(recipe)
        self._undo.disabled, self._redo.disabled = not history.past, not history.undone
        self.show_fault("")

    def show_axis_report(self, report: AxisReport | None, *, by_hand: bool) -> None:
        """How sure the axis is; a value set by hand stands on its own."""
        if report is None:
            self.verdict.value = words.note("info", "Looking for the centre of rotation…")
        elif by_hand:
            self.verdict.value = words.note("info", f"Set by hand. The search said {report.rotation_axis:.2f}.")
        else:
            self.verdict.value = words.axis(report)

    def clear_axis_report(self) -> None:
        """There is no scan whose axis could be told."""
        self.verdict.value = ""

    def show_fault(self, text: str) -> None:
        """Why the last change was not taken, beside the field that asked for it; empty when it was."""
        if self._asked and text:
            self._asked.say(text)
            return
        self.fault.value = words.note("bad", f"Not used: {text}") if text else ""

    def set_enabled(self, enabled: bool) -> None:
        """Switches the panel off while there is no scan."""
        self.widget.add_class("stp3-off") if not enabled else self.widget.remove_class("stp3-off")
        for field in (
            self.axis,
            self.axis_slider,
            self._find,
            self._sweep,
            self._suggest,
            self.stripes,
            *(basic.field for basic in self.basic),
        ):
            field.disabled = not enabled

    def _connect(self, act: RecipeActions) -> None:
        self.hear(self.axis, lambda value: act.change({_AXIS: round(value, 2)}))
        self.hear(self.axis_slider, lambda value: act.change({_AXIS: round(self._slider_centre + value, 2)}))
        self.hear(self.stripes, lambda on: act.take(lambda recipe: ring_removal.switched(recipe, on)))
        self.hear(self.show_expert, self._open_expert)
        self.hear(self.show_text, lambda opened: set_visible(self._text_box, opened))

    def _change(self, field: ParameterField | None, values: dict[str, Any]) -> bool:
        return self._asking(field, lambda: self._act.change(values))

    def _add(self, choice: StepChoice, name: str) -> None:
        if self._asking(choice, lambda: self._act.add_step(name)) and self._history:
            names = [use.name for use in self._history.now.uses]
            before = find_step(names[names.index(name) - 1]).title if names.index(name) else ""
            choice.say(f"Added after {before}." if before else "Added as the first step.", "good")

    def _remove(self, name: str) -> None:
        self._act.take(lambda recipe: removed(recipe, name))

    def _asking(self, asked: Asked | None, act: Callable[[], bool]) -> bool:
        """Does what a field asks for; if it is refused, the words stand beside that field."""
        self._asked = asked
        try:
            return act()
        finally:
            self._asked = None

    def _open_expert(self, opened: bool) -> None:
        set_visible(self.expert.widget, opened)
        if opened and self._history:
            self.expert.show(self._history.now)

    def _show_axis(self, axis: float, by_hand: bool) -> None:
        with self.quietly():
            self.axis.value = axis
            if not by_hand or abs(axis - self._slider_centre) > _AROUND_COLUMNS:
                self._slider_centre = axis
            self.axis_slider.value = round(axis - self._slider_centre, 2)

    def _toggle(self, text: str, name: str, tip: str) -> ipywidgets.ToggleButton:
        return named(ipywidgets.ToggleButton(description=text, tooltip=tip), name)

    def _laid_out(self) -> ipywidgets.VBox:
        set_visible(self.expert.widget, False)
        set_visible(self._text_box, False)
        stripes = [field.widget for field in self.basic if field.step == _STRIPES]
        others = [field.widget for field in self.basic if field.step != _STRIPES]
        return named(
            card(
                "Slice",
                beside(self.axis, self._find), beside(self.axis_slider, self._sweep), self.verdict,
                beside(self.stripes, self._suggest), self.stripes_method, *stripes, *others, self.fault,
                beside(self._undo, self._redo, self._reset, self.show_expert, self.show_text),
                self.expert.widget, self._text_box,
            ),
            "recipe",
        )  # fmt: skip


def main_parameter(use: StepUse | type) -> str | None:
    """The parameter of a step that is not for experts only, the first one."""
    fields = use.Parameters.model_fields  # type: ignore[union-attr]
    plain = [name for name, info in fields.items() if not (info.json_schema_extra or {}).get("expert")]
    return next(iter(plain or fields), None)


def _basic_choices() -> Iterable[tuple[str, str]]:
    """The parameters shown to everybody, of those steps that are installed."""
    wanted = [(_STRIPES, None), ("fbp", "filter"), ("output", "dtype")]
    for step, name in wanted:
        try:
            chosen = name or main_parameter(find_step(step))
        except RecipeFault:
            continue
        if chosen:
            yield step, chosen
