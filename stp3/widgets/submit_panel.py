"""The view before a job: what it will cost, and the button."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets

from stp3.preflight import Report
from stp3.widgets import words
from stp3.widgets.state import Shown
from stp3.widgets.view import View, button, card, move_range, named

FORMATS = (("TIFF stack", "tiff"), ("HDF5", "hdf5"), ("Zarr", "zarr"))


class SubmitPanel(View):
    """Rows and format of the volume to come; calls back to start it."""

    def __init__(
        self,
        on_rows: Callable[[tuple[int, int]], None],
        on_format: Callable[[str], None],
        on_submit: Callable[[], None],
    ) -> None:
        super().__init__()
        self.rows = named(
            ipywidgets.IntRangeSlider(min=0, max=0, value=(0, 0), description="Rows", continuous_update=False), "rows"
        )
        self.format = named(ipywidgets.Dropdown(options=FORMATS, description="Files"), "format")
        self.summary = named(ipywidgets.HTML(), "summary")
        self.submit = button("Reconstruct", on_submit, "submit", primary=True, tip="Start a job for all chosen rows")
        self.said = named(ipywidgets.HTML(), "submit-note")
        self.widget = card("Volume", self.rows, self.format, self.summary, self.submit, self.said)
        self.hear(self.rows, lambda pair: on_rows((pair[0], pair[1] + 1)))
        self.hear(self.format, on_format)

    def show(
        self, shown: Shown, scan_rows: int, free_bytes: int, report: Report | None = None, *, under_way: bool
    ) -> None:
        """What a job of this state would make, whether there is room for it, and what it would accept of the scan."""
        with self.quietly():
            move_range(self.rows, 0, scan_rows - 1, (shown.rows.start, shown.rows.stop - 1))
            self.format.value = shown.format
            self.rows.disabled = self.format.disabled = False
        z, y, x = shown.shape
        fits = shown.bytes < free_bytes
        self.summary.value = words.facts(
            {
                "Volume": f"{z} slices of {y} × {x}, {shown.dtype}",
                "On disk": f"{words.size(shown.bytes)} of {words.size(free_bytes)} free",
            }
        ) + ("" if fits else words.note("bad", "The disk is too small for it. Choose fewer rows or a smaller output."))
        self.summary.value += _terms(report)
        self.submit.disabled = under_way or not fits or (report is not None and report.verdict == "red")

    def show_nothing(self) -> None:
        """Before there is a scan."""
        self.summary.value = words.note("info", "Choose a scan first.")
        self.submit.disabled = self.rows.disabled = self.format.disabled = True

    def say(self, level: str, text: str) -> None:
        """What became of the last press of the button; empty for nothing."""
        self.said.value = words.note(level, text) if text else ""


def _terms(report: Report | None) -> str:
    """What stands against a job on this scan, or what is accepted by starting one."""
    if report is None or report.verdict == "green":
        return ""
    if report.verdict == "red":
        return words.note("bad", "No job is started on this scan as it is: see what is red above.")
    accepted = " ".join(finding.text for finding in report.of("amber"))
    return words.note("warn", f"By starting you accept, and it is recorded: {accepted}")
