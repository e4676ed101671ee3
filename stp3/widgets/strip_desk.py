"""Strips of slices to choose from: made behind the page, marked when they no longer hold, taken into the recipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stp3.widgets.axis_sweep import SPACINGS, AxisSweep, finer, first_spacing
from stp3.widgets.film import Look
from stp3.widgets.filmstrip import Film
from stp3.widgets.state import Shown, Subject
from stp3.widgets.strip import RecipeChange, Strip
from stp3.widgets.strip_panel import StripActions, StripPanel
from stp3.widgets.stripe_trials import StripeTrials
from stp3.widgets.worker import Deliver, Turn, Worker

_STALE = "Out of date: press Again."


class StripDesk:
    """At most one strip at a time, with a thread of its own: the live slice never waits for it."""

    def __init__(self, deliver: Deliver, take: Callable[[RecipeChange], object], look: Callable[[], Look]) -> None:
        self.panel = StripPanel(
            StripActions(self.choose, self.sweep, self.sweep_finer, self.again, self.close_strip), SPACINGS
        )
        self._take, self._look = take, look
        self._worker = Worker(deliver, self.panel.say, "stp3-strip")
        self._subject: Subject | None = None
        self._shown: Shown | None = None
        self._strip: Strip | None = None
        self._done = ""
        self._stale = False

    def show(self, subject: Subject, shown: Shown) -> None:
        """Hears what the page shows now."""
        if subject is not self._subject:
            self.close_strip()
        self._subject, self._shown = subject, shown
        if not self._strip:
            return
        was, self._stale = self._stale, not self._strip.holds(shown)
        if self._stale and not was:
            self._worker.stop()
            self.panel.say(_STALE)
        elif was and not self._stale:
            self._fill()
        self._mark()

    def sweep(self, spacing: float | None = None) -> None:
        """Slices at rotation axes around the present one; the spacing follows from how sure the axis is."""
        if self._subject and self._shown:
            spacing = spacing or first_spacing(self._subject.axis)
            self._open(AxisSweep(self._subject, self._shown, self._look(), spacing))

    def suggest(self) -> None:
        """Ways to remove rings, tried and ranked."""
        if self._subject and self._shown:
            self._open(StripeTrials(self._subject, self._shown, self._look()))

    def sweep_finer(self) -> None:
        """Smaller steps around the present axis."""
        spacing = self._finer
        if spacing is not None:
            self.sweep(spacing)

    def again(self) -> None:
        """The same kind of strip with the present settings."""
        if isinstance(self._strip, AxisSweep):
            self.sweep(self._strip.spacing)
        elif self._strip:
            self.suggest()

    def choose(self, place: int) -> None:
        """Takes a film's choice into the recipe."""
        if self._strip and 0 <= place < len(self._strip.films):
            self._take(self._strip.change(place))

    def close_strip(self) -> None:
        """Stops what is under way and takes the strip off the page."""
        self._worker.stop()
        self._strip, self._done, self._stale = None, "", False
        self.panel.hide()

    def close(self) -> None:
        """Ends the thread."""
        self._worker.close()

    @property
    def _finer(self) -> float | None:
        return finer(self._strip.spacing) if isinstance(self._strip, AxisSweep) else None

    def _open(self, strip: Strip) -> None:
        self._strip, self._done, self._stale = strip, "", False
        self.panel.open(strip.title, strip.films, strip.spacing if isinstance(strip, AxisSweep) else None)
        self._fill()
        self._mark()

    def _fill(self) -> None:
        strip, missing = self._strip, self.panel.films.missing
        if strip and (missing or not strip.films):
            self.panel.say("Preparing…")
            self._worker.request(lambda turn: self._work(turn, strip, missing), self.panel.say)
        else:
            self.panel.say(self._done)

    def _work(self, turn: Turn, strip: Strip, missing: Sequence[int]) -> None:
        done = strip.fill(turn, missing, self.panel.films.picture, self._arrange)
        turn.deliver(lambda: self._finished(done))

    def _arrange(self, films: Sequence[Film]) -> None:
        """Films that are known only now."""
        if self._strip:
            self._strip.films = films
            self.panel.films.show(self._strip.title, films)
            self._mark()

    def _finished(self, words: str) -> None:
        self._done = words
        self.panel.say(words)

    def _mark(self) -> None:
        if self._strip and self._shown:
            chosen = self._strip.chosen(self._shown)
            self.panel.mark(chosen, stale=self._stale, can_be_finer=self._finer is not None)
