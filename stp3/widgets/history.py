"""Undo and redo of recipes."""

from __future__ import annotations

from dataclasses import dataclass

from stp3.recipe import Recipe

_KEPT = 200


@dataclass(frozen=True)
class History:
    """The recipe now, those before it and those undone."""

    now: Recipe
    past: tuple[Recipe, ...] = ()
    undone: tuple[Recipe, ...] = ()

    def changed(self, recipe: Recipe) -> History:
        """The history after a change; one that changes nothing leaves it as it is."""
        if recipe == self.now:
            return self
        return History(recipe, (*self.past, self.now)[-_KEPT:])

    def undo(self) -> History:
        """One step back, where there is one."""
        if not self.past:
            return self
        return History(self.past[-1], self.past[:-1], (self.now, *self.undone))

    def redo(self) -> History:
        """One step forward again, where there is one."""
        if not self.undone:
            return self
        return History(self.undone[0], (*self.past, self.now), self.undone[1:])
