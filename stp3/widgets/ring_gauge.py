"""The words beside the rows: what the removal of rings does to the slice that is shown."""

from __future__ import annotations

import html
from collections import OrderedDict
from typing import TYPE_CHECKING

import ipywidgets

from stp3.errors import Stp3Error
from stp3.preview import Preview
from stp3.recipe import Recipe
from stp3.widgets.view import View, named

if TYPE_CHECKING:
    from stp3.ring_meter import RingEffect
    from stp3.widgets.worker import Turn

_QUIET_SECONDS = 0.3  # after a picture before anything is measured: nobody reads it while moving
_KEPT = 256
_HARDLY_ANY = 0.01  # rings against detail
_ABOUT = (
    "Rings: how strong they are in this slice, against the same slice without removal. Detail: how much of what "
    "changes along a turn is the same with and without removal."
)


class RingGauge(View):
    """Rings left and detail kept, two short lines; measured after the picture, and only while nothing else waits."""

    def __init__(self) -> None:
        super().__init__()
        self.widget = named(ipywidgets.HTML(), "rings")
        self.widget.tooltip = _ABOUT
        self._known: OrderedDict[tuple[object, ...], RingEffect | None] = OrderedDict()

    def wait(self) -> None:
        """What is said may hold no more."""
        self.widget.add_class("stp3-rings-before")

    def measure(self, turn: Turn, preview: Preview, recipe: Recipe, row: int) -> None:
        """Says it of that slice, in the worker's thread after its picture. Raises Superseded."""
        key = preview.scan.identity, row, recipe.without("output").fingerprint
        if key not in self._known:
            turn.rest(_QUIET_SECONDS)
            self._known[key] = _effect(turn, preview, recipe, row)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        effect = self._known[key]
        turn.deliver(lambda: self.show(effect))

    def show(self, effect: RingEffect | None) -> None:
        """Shows it; None says nothing."""
        lines = in_words(effect) if effect else ()
        said = "".join(f"<span>{html.escape(line)}</span>" for line in lines)
        self.widget.value = f'<div role="status" aria-label="{html.escape(", ".join(lines))}">{said}</div>'
        self.widget.remove_class("stp3-rings-before")


def in_words(effect: RingEffect) -> tuple[str, str]:
    """What rings there are or were, and what became of them."""
    if effect.left is None or effect.detail_kept is None:
        return "Rings not removed", f"{effect.share:.0%} of the detail"
    kept = f"detail kept {100 * effect.detail_kept:.1f}%"
    if effect.share < _HARDLY_ANY:
        return "Hardly any rings", kept
    return (f"Rings {effect.left:.0%} of raw" if effect.left <= 1 else "More rings than raw"), kept


def _effect(turn: Turn, preview: Preview, recipe: Recipe, row: int) -> RingEffect | None:
    from stp3.ring_meter import ring_effect

    try:
        return ring_effect(preview, recipe, row, on_step=lambda _: turn.check())
    except Stp3Error:
        return None  # no picture has rings here: too small a slice, say
