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

    def changed(self, recipe: Recipe, *, same_move: bool = False) -> History:
        """The history after a change; one that changes nothing leaves it as it is.

        With `same_move` the change goes on with the one before (a slider on its way): one undo takes both back.
        """
        if recipe == self.now:
            return self
        past = self.past if same_move and self.past else (*self.past, self.now)[-_KEPT:]
        return History(recipe, past)

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
