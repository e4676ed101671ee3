"""What all views share: they show what they are told and call back on what the user does, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets


class View:
    """A part of the page; `widget` is its root."""

    widget: ipywidgets.DOMWidget

    def __init__(self) -> None:
        self._quiet = False

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Inside it, values that the program sets are not taken for the user's."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    def hear(self, widget: ipywidgets.Widget, act: Callable[[Any], object], name: str = "value") -> None:
        """Calls `act` with the new value when the user changes it."""
        widget.observe(lambda change: None if self._quiet else act(change["new"]), name)

    def hear_choice(self, widget: ipywidgets.Widget, act: Callable[[int], None]) -> None:
        """Calls `act` with the place in a list that the user chooses."""

        def choose(index: int | None) -> None:
            if index is not None:
                act(index)

        self.hear(widget, choose, "index")


def named(widget: Any, *classes: str) -> Any:
    """The widget with those CSS classes, which tests and style sheets know it by."""
    for name in classes:
        widget.add_class(f"stp3-{name}")
    return widget


def button(text: str, act: Callable[[], None], name: str, *, primary: bool = False, tip: str = "") -> ipywidgets.Button:
    """A button that calls `act`."""
    made = named(ipywidgets.Button(description=text, tooltip=tip or text), name, *(["primary"] if primary else []))
    made.on_click(lambda _: act())
    return made


def card(title: str, *children: ipywidgets.Widget) -> ipywidgets.VBox:
    """A titled group."""
    heading = ipywidgets.HTML(f'<h2 class="stp3-heading">{title}</h2>')
    return named(ipywidgets.VBox([heading, *children]), "card")


def beside(*children: ipywidgets.Widget) -> ipywidgets.HBox:
    """Widgets side by side."""
    return named(ipywidgets.HBox(children), "beside")


def set_visible(widget: ipywidgets.DOMWidget, visible: bool) -> None:
    """Shows a widget or takes it off the page."""
    widget.layout.display = None if visible else "none"


def move_range(slider: Any, low: float, high: float, value: Any) -> None:
    """Gives a slider another range by way of one wide enough for both, for the page sends back what it clips."""
    slider.min, slider.max = min(slider.min, low), max(slider.max, high)
    slider.value = value
    slider.min, slider.max = low, high
