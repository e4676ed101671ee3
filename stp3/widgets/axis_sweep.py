"""The strip that compares rotation axes: slices of the row that is shown, at columns around the present one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stp3.recipe import Recipe
from stp3.steps.base import AUTO
from stp3.sweep import axis_sweep
from stp3.widgets.film import Look, small_picture
from stp3.widgets.filmstrip import Film
from stp3.widgets.state import Shown, Subject
from stp3.widgets.strip import Arrange, Place, RecipeChange, Strip

if TYPE_CHECKING:
    from stp3.axis import AxisReport
    from stp3.widgets.worker import Turn

SPACINGS = (0.1, 0.5, 1.0, 5.0, 20.0)  # columns
_FILMS = 9
_SAME = 0.005  # columns
_COLUMN = "rotation_axis.column"
_LEAST_SIDE = 128  # pixels of a slice in a small picture: at least as many as it has on the page
_SIDE_PER_COLUMN = 20  # so much more of the slice for wider steps: crescents grow with the distance from the axis


class AxisSweep(Strip):
    """Nine slices, `spacing` columns apart (fewer at the detector's edge); the middle one is as it was."""

    def __init__(self, subject: Subject, shown: Shown, look: Look, spacing: float) -> None:
        super().__init__(subject, shown, look)
        self.spacing = spacing
        self.columns = columns_around(shown.rotation_axis, spacing, subject.scan.columns)
        self.title = "Centre of rotation"
        pose = shown.recipe.use("rotation_axis").parameters.model_dump()
        tilted = pose["tilt"] not in (0.0, AUTO)  # a column entered by hand stands upright unless told
        self._pose = {f"rotation_axis.{name}": pose[name] for name in ("tilt", "row")} if tilted else {}
        self.films = [Film(f"{column:g}") for column in self.columns]

    def without_choice(self, recipe: Recipe) -> Recipe:
        return recipe.with_values({_COLUMN: 0.0})

    def chosen(self, shown: Shown) -> int:
        near = (place for place, one in enumerate(self.columns) if abs(one - shown.rotation_axis) < _SAME)
        return next(near, -1)

    def change(self, place: int) -> RecipeChange:
        return lambda recipe: recipe.with_values({_COLUMN: self.columns[place], **self._pose})

    def fill(self, turn: Turn, missing: Sequence[int], place: Place, arrange: Arrange) -> str:
        words = "Preparing the slices…"
        recipe = self.shown.recipe.with_values(self._pose)
        images = axis_sweep(
            self.subject.preview, recipe, self.shown.row, self.columns, on_step=lambda _: turn.stage(words)
        )
        first = images[int(np.argmin(np.abs(np.subtract(self.columns, self.shown.rotation_axis))))]
        part = self.look.part(first, round(_LEAST_SIDE + _SIDE_PER_COLUMN * self.spacing))
        limits = self.look.grey_limits(first)
        for here in missing:
            grey = small_picture(images[here], part, limits)
            turn.deliver(lambda here=here, grey=grey: place(here, grey))  # type: ignore[misc]
        return "Click the sharpest one."


def columns_around(column: float, spacing: float, columns: int) -> list[float]:
    """The columns of a sweep, those on the detector, hundredths at the finest."""
    half = _FILMS // 2
    around = [round(column + step * spacing, 2) for step in range(-half, half + 1)]
    return [one for one in around if 0 <= one <= columns - 1]


def first_spacing(report: AxisReport) -> float:
    """The spacing whose sweep covers what the methods disagree about, wider where none is believed."""
    least = {"green": 0.5, "amber": 1.0, "red": 5.0}[report.verdict]
    reach = report.spread / (_FILMS // 2)
    return next((spacing for spacing in SPACINGS if spacing >= max(least, reach)), SPACINGS[-1])


def finer(spacing: float) -> float | None:
    """The next narrower spacing; None below the narrowest."""
    below = [one for one in SPACINGS if one < spacing]
    return below[-1] if below else None
