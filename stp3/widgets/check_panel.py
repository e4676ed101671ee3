"""The view of a scan's pre-flight: one line with the worst colour, which opens to all of them."""

from __future__ import annotations

import html

import ipywidgets

from stp3.preflight import Light, Report
from stp3.widgets import words
from stp3.widgets.view import View, named

_CLASS: dict[Light, str] = {"green": "good", "amber": "warn", "red": "bad"}


class CheckPanel(View):
    """Shows a report; there is nothing to press but the line itself."""

    def __init__(self) -> None:
        super().__init__()
        self.widget = self.report = named(ipywidgets.HTML(), "check")

    def show_nothing(self) -> None:
        """Before there is a scan."""
        self.report.value = ""

    def show_busy(self) -> None:
        """While the scan is looked over."""
        self.report.value = words.note("info", "Looking the scan over…")

    def show_fault(self, text: str) -> None:
        """The scan could not be looked over."""
        self.report.value = words.note("bad", text)

    def show(self, report: Report) -> None:
        """The worst colour in a line, and under it every line."""
        lines = "".join(words.note(finding.level, finding.text) for finding in report.findings)
        state = " open" if report.verdict == "red" else ""
        summary = html.escape(_summary(report))
        self.report.value = (
            f'<details class="stp3-report" data-verdict="{report.verdict}"{state}>'
            f'<summary class="stp3-note stp3-{_CLASS[report.verdict]}">{summary}</summary>{lines}</details>'
        )


def _summary(report: Report) -> str:
    count = len(report.of(report.verdict))
    if report.verdict == "red":
        return f"This scan cannot be reconstructed as it is: {_counted(count, 'fault')}."
    if report.verdict == "amber":
        return f"The scan can be used; {_counted(count, 'point')} to know."
    return "The scan is in order."


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
