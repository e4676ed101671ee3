"""The user's intention and the scan give a frozen state; two states tell what work lies between them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from stp3.errors import UsageFault
from stp3.plan import Plan, part_of, rows_of_part, told_axis
from stp3.recipe import Recipe
from stp3.scan import Scan
from stp3.steps.base import AUTO
from stp3.writers import find_writer

if TYPE_CHECKING:
    from stp3.axis import AxisReport
    from stp3.preview import Preview

Work = Literal["picture", "nothing"]


@dataclass(frozen=True)
class Intention:
    """What the user asked for; None leaves it to the program."""

    recipe: Recipe
    row: int | None = None
    rows: tuple[int, int] | None = None
    format: str = "tiff"


@dataclass(frozen=True)
class Subject:
    """An opened scan, what is known of its rotation axis, and its slices with all that was kept on the way to them."""

    scan: Scan
    axis: AxisReport
    preview: Preview


@dataclass(frozen=True)
class Shown:
    """What the page shows: nothing in it is left to be found. `rows` are those of the volume to come."""

    path: Path
    row: int
    recipe: Recipe
    rows: range
    format: str
    shape: tuple[int, int, int]
    dtype: str

    @property
    def rotation_axis(self) -> float:
        """The column used, pixels."""
        return float(self.recipe.use("rotation_axis").parameters.model_dump()["column"])

    @property
    def bytes(self) -> int:
        """What the volume takes on disk, without what compression saves."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize

    @property
    def job_key(self) -> tuple[str, str, int, int, str]:
        """The same for two requests that would make the same volume."""
        return str(self.path), self.recipe.fingerprint, self.rows.start, self.rows.stop, self.format


def resolve(intention: Intention, subject: Subject) -> Shown:
    """The state that the intention means for that scan. Raises UsageFault or RecipeFault."""
    scan = subject.scan
    row = scan.rows // 2 if intention.row is None else scan.check_row(intention.row)
    first, last = intention.rows or (0, scan.rows)
    if not 0 <= first < last <= scan.rows:
        raise UsageFault(
            f"rows must lie within 0 and {scan.rows - 1} (the scan has {scan.rows} rows), got {first} to {last - 1}."
        )
    find_writer(intention.format)
    recipe = _with_axis(intention.recipe, subject)
    rows = range(first, last)
    return Shown(scan.path, row, recipe, rows, intention.format, _shape(recipe, scan, rows), stored_as(recipe))


def work_between(before: Shown | None, after: Shown) -> Work:
    """The least that must be done for the page to show `after`; the engine's stages save the rest."""
    if before is None or (before.path, before.row) != (after.path, after.row):
        return "picture"
    pictures = [state.recipe.without("output").fingerprint for state in (before, after)]
    return "nothing" if pictures[0] == pictures[1] else "picture"


def stored_as(recipe: Recipe) -> str:
    """The dtype of the volume's slices."""
    outputs = [use.parameters.model_dump() for use in recipe.running if use.name == "output"]
    return str(outputs[0]["dtype"]) if outputs else "float32"


def _shape(recipe: Recipe, scan: Scan, rows: range) -> tuple[int, int, int]:
    """Slices, rows and columns of the volume. Raises UsageFault when the recipe does not suit the scan."""
    recipe = recipe.settled(scan)
    part = part_of(scan, recipe)
    chosen = rows_of_part(part, rows)
    column = recipe.use("rotation_axis").parameters.model_dump()["column"]
    plan = Plan(part, recipe.settled_at(part.columns, part.from_detector(column)), chosen, 1)
    return len(chosen), *plan.slice_shape


def _with_axis(recipe: Recipe, subject: Subject) -> Recipe:
    entered = recipe.use("rotation_axis").parameters.model_dump()
    column = entered["column"]
    told = told_axis(recipe, part_of(subject.scan, recipe.settled(subject.scan)))
    found = told or subject.axis.on_detector(subject.scan)
    if column == AUTO:
        found |= {"column": round(found["column"], 2), "tilt": round(found["tilt"], 3)}
        entered["row"] = AUTO  # the column was found there
    else:
        found["tilt"] = 0.0
    recipe = recipe.with_values({f"rotation_axis.{name}": found[name] for name in found if entered[name] == AUTO})
    if column == AUTO:
        return recipe
    if not 0 <= column <= subject.scan.columns - 1:
        raise UsageFault(
            f"The centre of rotation must be between 0 and {subject.scan.columns - 1} "
            f"(the scan has {subject.scan.columns} columns), got {column:g}. Press Find, or enter a column."
        )
    return recipe
