"""Sizes, times and verdicts in words; foreign text never becomes markup."""

from datetime import datetime

import pytest

from stp3.axis import AxisReport
from stp3.widgets import words


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1500, "1.5 kB"),
        (67_100_000, "67.1 MB"),
        (3.14e11, "314 GB"),
        (2e15, "2e+03 TB"),
    ],
)
def test_sizes(count, text):
    assert words.size(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0 s"), (89, "89 s"), (90, "2 min"), (7500, "2 h 5 min")])
def test_durations(seconds, text):
    assert words.duration(seconds) == text


def test_the_year_is_told_when_it_is_another_one():
    assert words.moment(datetime(2019, 3, 7, 8, 5)) == "7 Mar 2019, 08:05"


def test_text_of_files_is_escaped():
    evil = "<img src=x onerror=alert(1)>"
    assert "<img" not in words.note("bad", evil)
    assert "<img" not in words.facts({evil: evil})


@pytest.mark.parametrize(
    ("verdict", "level", "said"),
    [("green", "good", "Found at 31.25"), ("amber", "warn", "pairs 31.25, mass 33.00"), ("red", "bad", "is a guess")],
)
def test_a_verdict_has_its_colour_and_its_words(verdict, level, said):
    report = AxisReport(31.25, 1.75, verdict, 0.4, {"pairs": 31.25, "mass": 33.0})
    assert f"stp3-{level}" in words.axis(report)
    assert said in words.axis(report)
    assert "tilted by 0.40°" in words.axis(report)
