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
        films = [film_of(rank, trial, report.trials) for rank, trial in enumerate(report.trials, 1)]

        def show() -> None:
            self._trials = trials
            arrange(films)
            for here, grey in enumerate(pictures):
                place(here, grey)

        turn.deliver(show)
        return verdict(report)


def film_of(rank: int, trial: StripeTrial, trials: Sequence[StripeTrial]) -> Film:
    """What stands under the picture of one of those trials."""
    if not trial.uses:
        return Film(f"{rank}. No removal", "all rings left")
    alike = [other for other in trials if other.title == trial.title and other is not trial]
    name = ", ".join([ring_removal.short(trial.title), *_settings(trial, alike)])
    return Film(f"{rank}. {name}", f"{rings_words(trial.rings_left)}, {loss_words(trial.loss)}")


def _settings(trial: StripeTrial, alike: Sequence[StripeTrial]) -> list[str]:
    """What tells a trial from others with the same steps."""
    own, *others = ([use.parameters.model_dump() for use in one.uses] for one in (trial, *alike))
    pairs = {key: value for values in own for key, value in values.items()}
    theirs = [pair for values in others for step in values for pair in step.items()]
    differing = {key: value for key, value in pairs.items() if any(key == name and value != at for name, at in theirs)}
    return [f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in differing.items()]


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
