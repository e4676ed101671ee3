"""What a waiting job tells its user."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stp3.cluster.queue_words import why_waiting
from stp3.cluster.slurm import Entry, Listing

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def entry(number: int, reason: str = "Priority", start: str = "", priority: int = 10, state: str = "PENDING") -> Entry:
    return Entry(str(number), state, reason, start, priority, "ada", "main", f"job {number}")


def words(job: Entry, *others: Entry) -> str:
    return why_waiting(job, Listing(0.0, (job, *others)), NOW)


def test_jobs_before_you_are_those_of_higher_priority_that_wait_in_the_same_partition() -> None:
    elsewhere = Entry("7", "PENDING", "Priority", "", 99, "bob", "night", "x")
    ahead = entry(1, priority=20), entry(2, priority=11)
    behind = entry(3, priority=9), entry(4, priority=50, state="RUNNING"), elsewhere
    assert words(entry(9), *ahead, *behind) == "waiting: 2 jobs before you"
    assert words(entry(9), ahead[0]) == "waiting: 1 job before you"
    assert words(entry(9), *behind) == "waiting: the cluster is busy"


def test_the_expected_start_is_local_time_and_says_the_day_if_it_is_another() -> None:
    soon = NOW + timedelta(minutes=20)
    assert words(entry(9, start=f"{soon:%Y-%m-%dT%H:%M:%S}")).endswith(f"; likely to start {soon.astimezone():%H:%M}")
    later = (NOW + timedelta(days=2)).astimezone()
    assert words(entry(9, start="2026-03-03T12:00:00")).endswith(f"likely to start {later:%a %d %b %H:%M}")
    assert "likely" not in words(entry(9, start="2026-03-01T11:59:00"))


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("QOSMaxCpuPerUserLimit", "share of the cluster is used up"),
        ("AssocGrpJobsLimit", "share of the cluster is used up"),
        ("PartitionTimeLimit", "will never start"),
        ("ReqNodeNotAvail, UnavailableNodes:n1", "out of service or reserved"),
        ("SomethingNew", "SLURM says SomethingNew"),
    ],
)
def test_reasons_in_words(reason: str, said: str) -> None:
    assert said in words(entry(9, reason))
