"""The controller of pre-flights: one for each scan and the part of it that the recipe takes, beside the preview."""

from __future__ import annotations

from collections.abc import Callable

from stp3.preflight import Report, preflight
from stp3.recipe import Recipe
from stp3.scan import Scan, ScanIdentity
from stp3.steps.base import ScanStep
from stp3.widgets.check_panel import CheckPanel
from stp3.widgets.worker import Deliver, Turn, Worker

_Subject = tuple[ScanIdentity, tuple[object, ...]]


class CheckDesk:
    """Looks scans over in a thread of its own; `report` is the newest one. `on_change` hears when it changes."""

    def __init__(self, deliver: Deliver, on_change: Callable[[], None]) -> None:
        self.panel = CheckPanel()
        self.report: Report | None = None
        self._on_change = on_change
        self._worker = Worker(deliver, lambda _: None, "stp3-check")
        self._subject: _Subject | None = None

    def show(self, scan: Scan, recipe: Recipe) -> None:
        """Looks the scan over unless that has been done for this part of it."""
        parts = tuple((use.name, use.parameters) for use in recipe.running if issubclass(use.step, ScanStep))
        if (scan.identity, parts) == self._subject:
            return
        self._subject, self.report = (scan.identity, parts), None
        self.panel.show_busy()
        self._worker.request(lambda turn: self._look(turn, scan, recipe), self.panel.show_fault)

    def forget(self) -> None:
        """There is no scan any more."""
        self._worker.stop()
        self._subject = self.report = None
        self.panel.show_nothing()

    def close(self) -> None:
        """Ends the thread."""
        self._worker.close()

    def _look(self, turn: Turn, scan: Scan, recipe: Recipe) -> None:
        report = preflight(scan, recipe)
        turn.deliver(lambda: self._looked(report))

    def _looked(self, report: Report) -> None:
        self.report = report
        self.panel.show(report)
        self._on_change()
