"""Figures against a count by hand, in every form in which they are given out."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from stp3_hub.jobs.charts import Bar, chart

SECONDS = [3, 1, 60, 4, 1, 5, 9, 2, 6, 5, 35]


def percentile(values: list[float], percent: int) -> float:
    """The nearest rank."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


@pytest.fixture
def counted(api: Any, run: Callable[..., Path]) -> Any:
    """Jobs of two weeks at two beamlines."""
    for number, seconds in enumerate(SECONDS):
        day, visit, owner = (17, "A", "vera") if number < 7 else (10, "B", "victor")
        times = {"created": f"2026-11-{day}T10:00:00Z", "started": f"2026-11-{day}T10:00:00Z"}
        times["ended"] = f"2026-11-{day}T10:{seconds // 60:02d}:{seconds % 60:02d}Z"
        folder = run(owner, f"j{number}", visit, scan=f"{api.service.settings.visit_folder(visit)}/{number % 3}.h5")
        (folder / "resolved.json").write_text(json.dumps({"provenance": {"scan": {"size": 1000}}}))
        run(owner, f"j{number}", visit, scan=f"{api.service.settings.visit_folder(visit)}/{number % 3}.h5",
            bytes_written=10**9, **times)  # fmt: skip
    run("vera", "no", state="failed", created="2026-11-17T10:00:00Z", bytes_written=5)
    api.wait_for("ada", "/api/jobs", lambda page: page["total"] == len(SECONDS) + 1)
    api.service.follower.round(everything=True)
    api.service.figures.clear()
    return api


def test_the_figures_are_those_counted_by_hand(counted: Any) -> None:
    told = counted.call("ada", "GET", "/api/statistics").json()
    a, b = [float(s) for s in SECONDS[:7]], [float(s) for s in SECONDS[7:]]
    later = {"week": "2026-11-16", "jobs": 8, "done": 7, "failed": 1, "scans": 3, "users": 1}
    later |= {"bytes_in": 7000, "bytes_out": 7 * 10**9, "median_seconds": percentile(a, 50), "beamline": ""}
    assert told["weeks"][1] == later | {"p95_seconds": percentile(a, 95)}
    assert [row["week"] for row in told["weeks"]] == ["2026-11-09", "2026-11-16"]
    assert [(row["beamline"], row["scans"]) for row in told["beamlines"]] == [("Mono", 3), ("White", 3)]
    assert told["beamlines"][0]["p95_seconds"] == percentile(b, 95)
    assert (told["all"]["scans"], told["all"]["users"], told["all"]["jobs"]) == (6, 2, 12)
    assert told["all"]["median_seconds"] == percentile(a + b, 50)


def test_the_same_as_csv_page_and_metrics(counted: Any) -> None:
    text = counted.call("ada", "GET", "/api/statistics.csv").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["week"], row["beamline"], row["jobs"]) for row in rows] == [
        ("2026-11-09", "Mono", "4"),
        ("2026-11-16", "White", "8"),
    ]
    page = counted.call("ada", "GET", "/statistics").text
    assert page.count("<svg") == 4
    assert not re.search(r"\sstyle=|<style|<script|https?://", page)
    metrics = counted.call("ada", "GET", "/metrics").text
    assert 'stp3_jobs{state="done"} 11\n' in metrics
    assert "stp3_scans_processed 6\n" in metrics
    assert 'stp3_request_seconds_bucket{status="2xx",le="+Inf"}' in metrics


def test_nothing_yet_is_no_fault(api: Any) -> None:
    assert api.call("ada", "GET", "/api/statistics").json()["weeks"] == []
    assert "No jobs yet" in api.call("ada", "GET", "/statistics").text


def test_a_chart_is_to_scale_and_escaped() -> None:
    bars = [Bar("<a>", 10, 40), Bar("b", 20, None), Bar("c", 0)]
    svg = ElementTree.fromstring(chart('"title" <x>', bars, lambda value: f"{value:g} <s>", "95 %"))
    assert svg.attrib["aria-label"] == '"title" <x>'
    heights = [float(bar.attrib["height"]) for bar in svg.iter("rect") if bar.attrib["class"] == "bar"]
    assert heights == pytest.approx([39, 78, 0], abs=0.1)  # of 156, at 40 in all
    marks = [float(line.attrib["y1"]) for line in svg.iter("line") if line.attrib["class"] == "mark"]
    assert marks == [10.0]
    assert [title.text for title in svg.iter("title")] == ["<a>: 10 <s>, 95 % 40 <s>", "b: 20 <s>", "c: 0 <s>"]
