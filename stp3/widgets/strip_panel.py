"""The view under the picture: a strip of slices to choose from, out of the way until it is asked for."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import ipywidgets

from stp3.widgets.filmstrip import Film, FilmStrip
from stp3.widgets.view import View, button, named, set_visible


@dataclass(frozen=True)
class StripActions:
    """What the user can do with a strip."""

    choose: Callable[[int], None]
    space: Callable[[float], None]
    finer: Callable[[], None]
    again: Callable[[], None]
    close: Callable[[], None]


class StripPanel(View):
    """A heading, what is under way, and the films; the spacing where they are columns."""

    def __init__(self, act: StripActions, spacings: Sequence[float]) -> None:
        super().__init__()
        self.films = FilmStrip(act.choose)
        self.said = named(ipywidgets.HTML(), "strip-said")
        options = [(f"{spacing:g}", spacing) for spacing in spacings]
        self.spacing = named(ipywidgets.Dropdown(options=options, description="Columns apart"), "strip-spacing")
        self.finer = button("Finer", act.finer, "strip-finer", tip="Smaller steps around the chosen one")
        self.again = button("Again", act.again, "strip-again", tip="The strip anew, with the present settings")
        shut = button("✕", act.close, "strip-close", tip="Close the strip")
        head = named(ipywidgets.HBox([self.said, self.spacing, self.finer, self.again, shut]), "strip-head")
        self.widget = named(ipywidgets.VBox([head, self.films]), "strip")
        self.hear(self.spacing, act.space)
        self._title = ""
        self.hide()

    def open(self, title: str, films: Sequence[Film], spacing: float | None) -> None:
        """A new strip; its pictures come one by one."""
        self._title = title
        with self.quietly():
            if spacing is not None:
                self.spacing.value = spacing
        for part in (self.spacing, self.finer):
            set_visible(part, spacing is not None)
        sweeps = spacing is not None
        self.widget.remove_class("stp3-strip-wordy") if sweeps else self.widget.add_class("stp3-strip-wordy")
        self.films.show(title, films)
        set_visible(self.widget, True)
        self.say("")

    def hide(self) -> None:
        """Out of the way, with nothing in it."""
        self.films.show("", ())
        set_visible(self.widget, False)

    def mark(self, chosen: int, *, stale: bool, can_be_finer: bool) -> None:
        """Which film is in the recipe, and whether the strip still holds."""
        self.films.mark(chosen, stale=stale)
        self.again.disabled = not stale
        self.finer.disabled = stale or not can_be_finer

    def say(self, text: str) -> None:
        """What is under way, or what to do."""
        self.said.value = f"<b>{html.escape(self._title)}</b> <span role='status'>{html.escape(text)}</span>"
