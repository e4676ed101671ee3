"""The view of visits and their scans."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets

from stp3.config import DataRoot
from stp3.scan import Scan
from stp3.widgets import words
from stp3.widgets.scan_list import ScanFile
from stp3.widgets.view import View, beside, button, card, named

EMPTY = "No scans here yet. They appear as soon as the beamline writes them; press Refresh."
NO_VISITS = "You have no visits yet. They appear when the user office lists you on one."


class ScanPicker(View):
    """Calls back with places in the lists it was given, never with paths. `below` is shown under the scan."""

    def __init__(
        self,
        on_visit: Callable[[int], None],
        on_scan: Callable[[int], None],
        on_refresh: Callable[[], None],
        below: ipywidgets.DOMWidget,
    ) -> None:
        super().__init__()
        self.visits = named(ipywidgets.Dropdown(description="Visit"), "visit-select")
        self.scans = named(ipywidgets.Select(rows=6, description="Scan"), "scan-select")
        self.about = named(ipywidgets.HTML(words.note("info", "Looking for scans…")), "scan-about")
        refresh = button("Refresh", on_refresh, "refresh", tip="Look for new scans")
        self.widget = card("Scan", beside(self.visits, refresh), self.scans, self.about, below)
        self.hear_choice(self.visits, on_visit)
        self.hear_choice(self.scans, on_scan)

    def show_visits(self, roots: Sequence[DataRoot], chosen: int | None) -> None:
        """The visits, one of them chosen."""
        labels = [f"{root.title} ({root.id})" if root.title else root.id for root in roots]
        with self.quietly():
            self.visits.options = _distinct(labels)
            self.visits.index = chosen
            self.visits.disabled = not roots
        if not roots:
            self.about.value = words.note("info", NO_VISITS)

    def show_scans(self, files: Sequence[ScanFile], chosen: int | None) -> None:
        """The scans of the visit, one of them chosen or none."""
        labels = [f"{file.name} · {words.size(file.bytes)} · {words.moment(file.modified)}" for file in files]
        with self.quietly():
            self.scans.options = _distinct(labels)
            self.scans.index = chosen
        if not files:
            self.about.value = words.note("info", EMPTY)
        elif chosen is None:
            self.about.value = words.note("info", "Choose a scan: its first picture comes by itself.")

    def say(self, level: str, text: str) -> None:
        """A sentence in place of what is known about the scan."""
        self.about.value = words.note(level, text)

    def show_about(self, scan: Scan) -> None:
        """What was measured."""
        facts = {
            "Sample": scan.sample,
            "Projections": f"{scan.angles} of {scan.rows} × {scan.columns} pixels",
            "Flats, darks": f"{_count(scan.flats)}, {_count(scan.darks)}",
            "Pixel size": f"{scan.pixel_size_um:.4g} µm" if scan.pixel_size_um else "not recorded",
            "Energy": f"{scan.energy_kev:.4g} keV" if scan.energy_kev else "",
        }
        self.about.value = words.facts(facts)


def _count(frames: object) -> str:
    return "none" if frames is None else str(frames.shape[0])  # type: ignore[attr-defined]


def _distinct(labels: list[str]) -> list[str]:
    """Labels made different from each other: a list of choices forgets the second of two alike."""
    seen: dict[str, int] = {}
    distinct = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        distinct.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return distinct
