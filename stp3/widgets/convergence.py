"""The small curve beside the rows: how an iterative method came closer to what was measured."""

from __future__ import annotations

import html
import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import ipywidgets

from stp3.widgets.view import View, named, set_visible

if TYPE_CHECKING:
    from stp3.widgets.worker import Turn

_WIDTH, _HEIGHT = 150, 22  # pixels
_EVERY_SECONDS = 0.2
_ABOUT = (
    "Misfit: how far the slice's projections are from the measured ones before each iteration, on a logarithmic scale. "
    "Where the curve is flat, more iterations bring nothing but noise."
)


class Convergence(View):
    """A curve of the misfit over the iterations, and its last value; out of the way where nothing iterates."""

    def __init__(self) -> None:
        super().__init__()
        self.widget = named(ipywidgets.HTML(), "convergence")
        self.widget.tooltip = _ABOUT
        self.show(())

    def follow(self, turn: Turn) -> Callable[[int, float], None]:
        """What hears of the iterations in the worker's thread and shows the curve as it grows."""
        residuals: list[float] = []
        told = time.monotonic()

        def heard(iteration: int, residual: float) -> None:
            nonlocal told
            residuals.append(residual)
            if time.monotonic() - told >= _EVERY_SECONDS:
                told, so_far = time.monotonic(), tuple(residuals)
                turn.deliver(lambda: self.show(so_far))

        return heard

    def show(self, residuals: Sequence[float]) -> None:
        """Shows the relative residuals before each iteration; none take the curve off the page."""
        set_visible(self.widget, bool(residuals))
        if residuals:
            said = in_words(residuals)
            self.widget.value = (
                f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
                f'aria-label="{html.escape(said)}"><polyline points="{points(residuals)}"/></svg>'
                f"<span>{html.escape(said)}</span>"
            )


def in_words(residuals: Sequence[float]) -> str:
    """The last misfit and after how many iterations."""
    last = residuals[-1]
    share = f"{last:.1%}" if last >= 0.001 else f"{last:.0e}"
    return f"Misfit {share}, iteration {len(residuals)}"


def points(residuals: Sequence[float]) -> str:
    """The curve as SVG points, the largest misfit at the top; one value is a level line."""
    logs = [math.log(max(one, 1e-12)) for one in (residuals if len(residuals) > 1 else [*residuals, *residuals])]
    low, high = min(logs), max(logs)
    last = len(logs) - 1
    return " ".join(
        f"{_WIDTH * place / last:.1f},{_HEIGHT * (high - level) / ((high - low) or 1):.1f}"
        for place, level in enumerate(logs)
    )
