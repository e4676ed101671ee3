"""Visits and scans in the workbench: which can be chosen, and what is said of those that cannot."""

import pytest

from stp3.testing import write_practice_scan
from tests.stp3.widgets.user import choose, until


def test_a_file_that_is_no_scan_is_told_in_words_and_escaped(drive):
    async def scenario(bench):
        await choose(bench, "broken.h5")
        assert bench.viewer.state == "error"
        assert "broken.h5" in bench.viewer._status["text"]
        assert "Internal error" not in bench.viewer._status["text"]
        assert bench.submission.submit.disabled
        await choose(bench, "one.h5")
        assert bench.viewer.state == "idle"
        await choose(bench, "broken.h5")
        assert bench.viewer.picture is None
        assert "stp3-bad" in bench.scans.about.value
        assert bench.recipe.verdict.value == ""

    drive(scenario)


def test_visits_are_kept_apart_and_an_empty_one_says_so(drive):
    async def scenario(bench):
        bench.scans.visits.index = 1
        await until(lambda: len(bench.scans.scans.options) == 1)
        assert "two.h5" in bench.scans.scans.options[0]
        bench.scans.visits.index = 2
        await until(lambda: "No scans here yet" in bench.scans.about.value)
        assert bench.scans.scans.options == ()

    drive(scenario)


@pytest.mark.parametrize("place", [-1, 2, 10**9])
def test_places_that_are_not_in_the_list_open_nothing(drive, place):
    async def scenario(bench):
        bench.choose_scan(place)
        bench.choose_visit(place if place < 0 else place + 1)
        bench.desk.choose(place)
        assert bench.viewer.state == "idle"
        assert bench.scans.visits.index == 0

    drive(scenario)


def test_a_scan_swapped_for_a_link_out_of_the_visit_is_refused(drive, visits):
    decoy = visits / "one" / "decoy.h5"
    write_practice_scan(decoy, columns=64, rows=2, angles=20)

    async def scenario(bench):
        decoy.unlink()
        decoy.symlink_to(visits / "two" / "two.h5")
        await choose(bench, "decoy.h5")
        assert "lies outside the folder" in bench.viewer._status["text"]
        assert bench.shown is None

    try:
        drive(scenario)
    finally:
        decoy.unlink()
