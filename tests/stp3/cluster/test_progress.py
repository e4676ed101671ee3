"""Time left follows the measured slabs and is never absurd."""

from __future__ import annotations

import pytest

from stp3.cluster.progress import Progress


def test_nothing_is_claimed_before_the_first_slab() -> None:
    progress = Progress(rows_total=100, slab_rows=10, slots=2)
    progress.found(10)
    assert progress.seconds_left is None
    assert progress.rows_per_second is None
    assert (progress.slabs_done, progress.rows_done) == (1, 10)


def test_equal_slabs_give_the_plain_answer() -> None:
    progress = Progress(rows_total=100, slab_rows=10, slots=2)
    for _ in range(4):
        progress.finished(10, seconds=5.0)
    assert progress.rows_per_second == 4.0  # two workers, two rows a second each
    assert progress.seconds_left == pytest.approx(60 / 4, abs=0.3)


def test_one_slow_slab_moves_it_a_little() -> None:
    progress = Progress(rows_total=1000, slab_rows=10, slots=1)
    for _ in range(20):
        progress.finished(10, seconds=1.0)
    before = progress.seconds_left
    progress.finished(10, seconds=3.0)
    assert before is not None
    assert progress.seconds_left is not None
    assert before < progress.seconds_left < 2 * before


def test_the_last_slab_keeps_one_worker_only() -> None:
    progress = Progress(rows_total=30, slab_rows=10, slots=4)
    progress.finished(10, seconds=8.0)
    progress.finished(10, seconds=8.0)
    assert progress.seconds_left == pytest.approx(8.0, abs=0.3)
    progress.finished(10, seconds=8.0)
    assert progress.seconds_left is None


def test_the_range_holds_the_estimate_and_the_spread_of_the_slabs() -> None:
    progress = Progress(rows_total=1000, slab_rows=10, slots=1)
    assert progress.seconds_left_range is None
    for seconds in (1.0, 2.0) * 10:
        progress.finished(10, seconds)
    left, ends = progress.seconds_left, progress.seconds_left_range
    assert left is not None
    assert ends is not None
    assert ends[0] <= left <= ends[1]
    assert ends == (pytest.approx(80, abs=0.5), pytest.approx(160, abs=0.5))  # 80 slabs like the quick, the slow ones
