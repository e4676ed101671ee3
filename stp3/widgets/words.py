"""How the workbench says things: sizes, times, verdicts; text from files and users is escaped here."""

from __future__ import annotations

import html
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stp3.axis import AxisReport


_LEVEL_OF = {"green": "good", "amber": "warn", "red": "bad", "info": "info"}


def size(count: float) -> str:
    """Such as 1.5 GB (decimal units, as disks are sold)."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def duration(seconds: float) -> str:
    """Such as 45 s, 3 min, 2 h 5 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def moment(when: datetime) -> str:
    """Such as 22 Nov, 14:53, with the year when it is another one."""
    year = "" if when.year == datetime.now().year else f" {when.year}"
    return f"{when.day} {when:%b}{year}, {when:%H:%M}"


def note(level: str, text: str) -> str:
    """HTML of a sentence with its colour: good, warn, bad or info (a problem's or a verdict's word does too)."""
    name = _LEVEL_OF.get(level, level if level in ("good", "warn", "bad") else "info")
    return f'<p class="stp3-note stp3-{name}">{html.escape(text)}</p>'


def facts(pairs: dict[str, str]) -> str:
    """HTML of names with their values."""
    rows = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in pairs.items() if value
    )
    return f'<dl class="stp3-facts">{rows}</dl>'


def axis(report: AxisReport) -> str:
    """HTML of what was found about the rotation axis, and what to make of it."""
    at, agree = f"{report.rotation_axis:.2f}", f"{max(report.spread, 0.01):.2f}"
    methods = ", ".join(f"{name} {value:.2f}" for name, value in report.methods.items()) or "none found anything"
    text = {
        "green": f"Found at {at}. The methods agree within {agree} columns.",
        "amber": f"Probably {at} ({methods}). Compare it with neighbouring values.",
        "red": f"Not found: {at} is a guess ({methods}). Move the slider until edges are sharp.",
    }[report.verdict]
    tilt = f" The camera is tilted by {report.tilt_deg:.2f}°." if abs(report.tilt_deg or 0) >= 0.05 else ""
    return note(report.verdict, text + tilt)
