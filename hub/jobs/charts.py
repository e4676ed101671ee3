"""Bar charts as SVG, made here: nothing is fetched and no script runs. Their colours are those of the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from markupsafe import Markup, escape

WIDTH, HEIGHT = 440, 190
LEFT, RIGHT, TOP, BOTTOM = 58, 8, 10, 24
LABELS = 4  # along the bottom, at most


@dataclass(frozen=True)
class Bar:
    """A value above its label; `upper` is shown as a mark above the bar."""

    label: str
    value: float
    upper: float | None = None


def chart(title: str, bars: Sequence[Bar], words: Callable[[float], str], upper: str = "") -> Markup:
    """The chart as an SVG element; `words` writes a value with its unit, `upper` says what the marks are."""
    top = _round_up(max((max(bar.value, bar.upper or 0.0) for bar in bars), default=0.0))
    step = (WIDTH - LEFT - RIGHT) / max(len(bars), 1)
    every = ceil(len(bars) / LABELS) or 1
    parts = [_grid(top * share / 2, share / 2, words) for share in range(3)]
    for place, bar in enumerate(bars):
        parts.append(_bar(bar, LEFT + place * step, step, top, words, upper))
        if place % every == 0:
            x = LEFT + (place + 0.5) * step
            parts.append(Markup('<text class="axis" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
                x, HEIGHT - 7, bar.label
            ))  # fmt: skip
    head = Markup('<svg class="stp3-chart" viewBox="0 0 {} {}" role="img" aria-label="{}">')
    return head.format(WIDTH, HEIGHT, title) + Markup("").join(parts) + Markup("</svg>")


def _bar(bar: Bar, x: float, step: float, top: float, words: Callable[[float], str], upper: str) -> Markup:
    height = _height(bar.value, top)
    said = f"{bar.label}: {words(bar.value)}" + (f", {upper} {words(bar.upper)}" if bar.upper is not None else "")
    y = HEIGHT - BOTTOM - height
    parts = [Markup("<g><title>{}</title>").format(said)]
    # the whole column answers to the pointer
    parts.append(Markup('<rect class="ground" x="{:.1f}" y="{}" width="{:.1f}" height="{}"/>').format(
        x, TOP, step, HEIGHT - TOP - BOTTOM
    ))  # fmt: skip
    width = min(0.72 * step, 28.0)
    left = x + (step - width) / 2
    parts.append(Markup('<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="1.5"/>').format(
        left, y, width, height
    ))  # fmt: skip
    if bar.upper is not None:
        mark = HEIGHT - BOTTOM - _height(bar.upper, top)
        parts.append(Markup('<line class="mark" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>').format(
            left, left + width, mark, mark
        ))  # fmt: skip
    return Markup("").join(parts) + Markup("</g>")


def _grid(value: float, share: float, words: Callable[[float], str]) -> Markup:
    y = HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
    line = Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(LEFT, WIDTH - RIGHT, y, y)
    text = Markup('<text class="axis" x="{}" y="{:.1f}" text-anchor="end">{}</text>')
    return line + text.format(LEFT - 6, y + 4, escape(words(value)))


def _height(value: float, top: float) -> float:
    return (HEIGHT - TOP - BOTTOM) * value / top


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 5, 10 times a power of ten; half of it is a short number too."""
    if value <= 0:
        return 2.0
    power = 10.0 ** floor(log10(value))
    return next(step * power for step in (1, 2, 4, 5, 10) if step * power >= value)
