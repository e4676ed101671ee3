"""The window: bounded, it retries what may work, and gives up in words."""

from __future__ import annotations

import asyncio
import operator
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stp3.cluster.pool import Pool, open_cluster
from stp3.cluster.profiles import Profile
from stp3.cluster.window import run_one, run_window
from stp3.errors import Stp3Error
from stp3.run import IN_FLIGHT

PROFILE = Profile(name="test", workers=2, threads=1, memory_gib=1)


def on_a_cluster(private: Path, work: Callable[[Pool], Any]) -> None:
    async def all_of_it() -> None:
        async with open_cluster(PROFILE, private) as pool:
            await work(pool)

    asyncio.run(all_of_it())


def test_results_come_one_by_one_and_failures_are_tried_three_times(tmp_path: Path) -> None:
    async def work(pool: Pool) -> None:
        asked: list[int] = []
        results: dict[int, int] = {}
        ahead: list[int] = []

        def call(item: int) -> tuple[Any, ...]:
            asked.append(item)
            ahead.append(len(asked) - len(results))
            return operator.mul, item, item

        await run_window(pool, "square", range(20), call, lambda item, result: results.update({item: result}))
        assert results == {number: number * number for number in range(20)}
        assert asked == sorted(asked)
        assert max(ahead) == 2 * (IN_FLIGHT + 1)  # two workers, each with one more than it works on

        attempts: list[str] = []
        with pytest.raises(ValueError, match="invalid literal"):
            await run_window(pool, "bad", ["seven"], lambda item: (attempts.append(item), (int, item))[1], print)
        assert attempts == ["seven"] * 3

    on_a_cluster(tmp_path, work)


def test_what_kills_its_worker_is_given_up_in_words(tmp_path: Path) -> None:
    async def work(pool: Pool) -> None:
        with pytest.raises(Stp3Error, match="worker died three times while it worked on rows 3 to 5"):
            await run_window(pool, "poison", ["rows 3 to 5"], lambda _: (os._exit, 1), print)
        assert await run_one(pool, operator.add, 1, 1) == 2  # the cluster lives on

    on_a_cluster(tmp_path, work)
