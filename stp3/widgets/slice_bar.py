"""The view under the picture: which slice, and of what."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets

from stp3.widgets.view import View, move_range, named

PREVIEW, VOLUME = "Preview", "Volume"


class SliceBar(View):
    """A slider over slices, the choice between preview and finished volume, and what else is said of the slice."""

    def __init__(
        self, on_move: Callable[[int], None], on_mode: Callable[[str], None], *said: ipywidgets.DOMWidget
    ) -> None:
        super().__init__()
        self.mode = named(
            ipywidgets.ToggleButtons(options=[PREVIEW, VOLUME], tooltips=["The live slice", "The finished volume"]),
            "mode",
        )
        self.slider = named(ipywidgets.IntSlider(min=0, max=0, description="Row", readout=False), "row")
        self.number = named(ipywidgets.BoundedIntText(min=0, max=0), "row-number")
        self.number.tooltip = "Row"
        self.count = named(ipywidgets.HTML(), "row-count")
        self.widget = named(ipywidgets.HBox([self.mode, self.slider, self.number, self.count, *said]), "slice-bar")
        self.hear(self.slider, on_move)
        self.hear(self.number, on_move)
        self.hear(self.mode, on_mode)
        self.show(0, 0, PREVIEW, has_volume=False)

    def show(self, place: int, count: int, mode: str, *, has_volume: bool) -> None:
        """Slice `place` of `count`."""
        with self.quietly():
            for field in (self.slider, self.number):
                move_range(field, 0, max(count - 1, 0), min(place, max(count - 1, 0)))
                field.disabled = count == 0
            self.slider.description = "Row" if mode == PREVIEW else "Slice"
            self.count.value = f"of 0–{count - 1}" if count else ""
            self.mode.value = mode
        self.widget.add_class("stp3-has-volume") if has_volume else self.widget.remove_class("stp3-has-volume")

    def step(self, by: int) -> None:
        """Moves on as if the user had dragged the slider."""
        self.slider.value = min(max(self.slider.value + by, 0), self.slider.max)
