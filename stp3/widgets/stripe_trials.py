"""The strip that compares removals of rings on the row that is shown: each tried and measured, the best first."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

from stp3 import config
from stp3.recipe import Recipe, StepUse
from stp3.stripe_methods import StripeReport, StripeTrial, suggest_stripe_method, with_stripe_steps
from stp3.widgets import ring_removal
from stp3.widgets.film import Image, Look, Part, small_picture
from stp3.widgets.filmstrip import Film
from stp3.widgets.state import Shown, Subject
from stp3.widgets.strip import Arrange, Place, RecipeChange, Strip

if TYPE_CHECKING:
    from stp3.rings import Loss
    from stp3.widgets.worker import Turn

_SIDE = 240  # pixels around the rotation axis, where rings are strongest
_HARDLY_ANY = 0.01  # rings against detail


class StripeTrials(Strip):
    """One slice for each way to remove rings; they are known when all were tried."""

    def __init__(self, subject: Subject, shown: Shown, look: Look) -> None:
        super().__init__(subject, shown, look)
        self.title = "Ring removal"
        self._trials: Sequence[tuple[StepUse, ...]] = ()

    def without_choice(self, recipe: Recipe) -> Recipe:
        return with_stripe_steps(recipe, ())

    def chosen(self, shown: Shown) -> int:
        own = ring_removal.running(shown.recipe)
        return next((place for place, uses in enumerate(self._trials) if uses == own), -1)

    def change(self, place: int) -> RecipeChange:
        return lambda recipe: with_stripe_steps(recipe, self._trials[place])

    def fill(self, turn: Turn, missing: Sequence[int], place: Place, arrange: Arrange) -> str:
        tried = count(1)
        report = suggest_stripe_method(
            self.subject.scan,
            self.shown.recipe,
            (self.shown.row,),
            threads=config.threads(),
            on_trial=lambda title: turn.stage(f"Trying {next(tried)}: {ring_removal.short(title)}…"),
        )
        first = next(trial for trial in report.trials if not trial.uses).slices[0]
        part = self.look.part(first, _SIDE) if self.look.window else _middle(first)
        limits = self.look.grey_limits(first)
        pictures = [small_picture(trial.slices[0], part, limits) for trial in report.trials]
        trials = [trial.uses for trial in report.trials]
        films = [film_of(rank, trial) for rank, trial in enumerate(report.trials, 1)]

        def show() -> None:
            self._trials = trials
            arrange(films)
            for here, grey in enumerate(pictures):
                place(here, grey)

        turn.deliver(show)
        return verdict(report)


def film_of(rank: int, trial: StripeTrial) -> Film:
    """What stands under a trial's picture."""
    if not trial.uses:
        return Film(f"{rank}. No removal", "all rings left")
    return Film(
        f"{rank}. {ring_removal.short(trial.title)}", f"{rings_words(trial.rings_left)}, {loss_words(trial.loss)}"
    )


def rings_words(left: float) -> str:
    """How many of the rings are left, a share of those without removal."""
    if left < 0.05:
        return "rings gone"
    return f"{left:.0%} of rings left" if left <= 1 else "more rings than before"


def loss_words(loss: Loss) -> str:
    """What went beside the rings."""
    if loss.shades > 0.1:
        return "shading changed"
    names = ((0.005, "detail kept"), (0.02, "little detail lost"), (0.08, "some detail lost"))
    return next((words for most, words in names if loss.detail < most), "much detail lost")


def verdict(report: StripeReport) -> str:
    """What to make of the whole strip."""
    if report.rings_share < _HARDLY_ANY:
        return "Hardly any rings in this row."
    return "The best first: click one to use it."


def _middle(image: Image) -> Part:
    side = min(_SIDE, *image.shape)
    return Part((image.shape[0] - side) // 2, (image.shape[1] - side) // 2, side)
