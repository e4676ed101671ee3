"""The pre-flight on the page: one line with the worst colour, safe to show, and what it does to the button."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest

from stp3.preflight import Finding, Light, Report
from stp3.widgets.check_panel import CheckPanel
from tests.stp3.widgets.user import choose, until

GREEN, AMBER, RED = Finding("green", "a", "Fine."), Finding("amber", "b", "Odd."), Finding("red", "c", "<img src=x>")


@pytest.mark.parametrize(
    ("findings", "verdict", "words"),
    [
        ((GREEN,), "green", "in order"),
        ((AMBER, GREEN), "amber", "1 point to know"),
        ((RED, RED, AMBER), "red", "2 faults"),
    ],
)
def test_the_line_tells_the_worst(findings: tuple[Finding, ...], verdict: Light, words: str) -> None:
    panel = CheckPanel()
    panel.show(Report(findings))
    summary = panel.report.value.partition("</summary>")[0]
    assert f'data-verdict="{verdict}"' in summary
    assert words in summary
    assert ("<details" in summary and " open>" in summary) == (verdict == "red")


def test_text_from_files_is_escaped() -> None:
    panel = CheckPanel()
    panel.show(Report((RED,)))
    assert "<img" not in panel.report.value
    assert "&lt;img" in panel.report.value


def broken(visits, drive, change, scenario) -> None:
    path = visits / "one" / "checked.h5"
    shutil.copy(visits / "one" / "one.h5", path)
    with h5py.File(path, "a") as file:
        change(file)
    try:
        drive(scenario)
    finally:
        path.unlink()


def test_a_scan_in_order_says_so(drive) -> None:
    async def scenario(bench):
        await choose(bench, "one.h5")
        await until(lambda: bench.checks.report)
        assert bench.checks.report.verdict in ("green", "amber")
        assert "stp3-report" in bench.checks.panel.report.value
        assert not bench.submission.submit.disabled

    drive(scenario)


def test_a_red_scan_is_seen_but_not_reconstructed_until_the_recipe_leaves_the_fault_out(visits, drive) -> None:
    def unwritten(file):
        counts = file["exchange/data"][:]
        del file["exchange/data"]
        data = file.create_dataset("exchange/data", counts.shape, counts.dtype, chunks=(1, *counts.shape[1:]))
        data[:170] = counts[:170]

    async def scenario(bench):
        await choose(bench, "checked.h5")
        await until(lambda: bench.checks.report)
        assert bench.checks.report.verdict == "red"
        assert "10 of 180 projections were never written" in bench.checks.panel.report.value
        assert bench.viewer.picture is not None
        assert bench.submission.submit.disabled
        assert "No job is started" in bench.submission.summary.value
        bench.submit()
        await until(lambda: "never written" in bench.submission.said.value)
        assert bench.desk.jobs == [] or not bench.desk.jobs
        bench.take(lambda recipe: recipe.with_step("angles", last=169))
        await until(lambda: bench.checks.report and bench.checks.report.verdict == "amber")
        await until(lambda: not bench.submission.submit.disabled)
        assert "By starting you accept" in bench.submission.summary.value

    broken(visits, drive, unwritten, scenario)


def test_another_scan_is_looked_over_anew(visits, drive) -> None:
    def blank(file):
        file["exchange/data_white"][:] = np.zeros((), np.uint16)

    async def scenario(bench):
        await choose(bench, "checked.h5")
        await until(lambda: bench.checks.report)
        assert bench.checks.report.verdict == "red"
        await choose(bench, "one.h5")
        await until(lambda: bench.checks.report and bench.checks.report.verdict != "red")

    broken(visits, drive, blank, scenario)
