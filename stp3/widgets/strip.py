"""What a strip of slices is made of, whatever it compares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from stp3.recipe import Recipe
from stp3.widgets.film import Look
from stp3.widgets.filmstrip import Film
from stp3.widgets.state import Shown, Subject

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stp3.widgets.worker import Turn

RecipeChange = Callable[[Recipe], Recipe]
Place = Callable[[int, "NDArray[np.uint8]"], None]
Arrange = Callable[[Sequence[Film]], None]


class Strip(ABC):
    """Slices that differ in one choice of the recipe; each can be taken into it."""

    title: str
    films: Sequence[Film] = ()

    def __init__(self, subject: Subject, shown: Shown, look: Look) -> None:
        self.subject, self.shown, self.look = subject, shown, look
        self._basis = self.basis(shown)

    def holds(self, shown: Shown) -> bool:
        """Whether the small pictures would come out the same for what is shown now."""
        return self.basis(shown) == self._basis

    def basis(self, shown: Shown) -> tuple[object, ...]:
        """Everything that the pictures depend on but the choice that is compared."""
        return shown.path, shown.row, self.without_choice(shown.recipe.without("output")).fingerprint

    @abstractmethod
    def without_choice(self, recipe: Recipe) -> Recipe:
        """The recipe with a fixed value for what is compared."""

    @abstractmethod
    def chosen(self, shown: Shown) -> int:
        """The place of the film that the recipe agrees with; -1 for none."""

    @abstractmethod
    def change(self, place: int) -> RecipeChange:
        """What takes a film's choice into the recipe."""

    @abstractmethod
    def fill(self, turn: Turn, missing: Sequence[int], place: Place, arrange: Arrange) -> str:
        """Makes the missing pictures in the worker's thread; `turn` delivers. Gives what to say when done."""
