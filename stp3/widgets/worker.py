"""Work behind the page: the newest request wins, older ones stop at their next step and never queue."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Condition
from typing import TypeVar

from stp3.errors import Stp3Error

_log = logging.getLogger(__name__)

Deliver = Callable[[Callable[[], None]], object]
T = TypeVar("T")


class Superseded(Exception):
    """A newer request came: the work stops."""


def in_words(error: Exception) -> str:
    """What the user reads about an error; what is not ours is logged under a reference."""
    if isinstance(error, Stp3Error):
        return str(error)
    reference = secrets.token_hex(4)
    _log.error("Internal error %s", reference, exc_info=error)
    return f"Internal error {reference}. Please tell the facility's staff this number."


@dataclass(frozen=True)
class Turn:
    """One request's stay in the worker's thread."""

    worker: Worker
    number: int

    def stage(self, name: str) -> None:
        """Tells the page what comes next. Raises Superseded when a newer request waits."""
        self.check()
        self.deliver(lambda: self.worker.on_stage(name))

    def check(self) -> None:
        """Raises Superseded when a newer request waits."""
        if self.number != self.worker.newest:
            raise Superseded

    def rest(self, seconds: float) -> None:
        """Does nothing for so long: what can wait shall not begin while the user still moves. Raises Superseded."""
        with self.worker.news:
            self.worker.news.wait_for(lambda: self.number != self.worker.newest, seconds)
        self.check()

    def show(self, act: Callable[[], None]) -> None:
        """Has `act` done in the page's thread, even if a newer request came: while the user moves, a moment ago is
        better than nothing.
        """
        self.worker.deliver(act)

    def deliver(self, act: Callable[[], None]) -> None:
        """Has `act` done in the page's thread, if this is still the newest request then."""
        self.worker.deliver(lambda: act() if self.number == self.worker.newest else None)


class Worker:
    """One thread that does the newest request; `on_stage` hears what it is at."""

    def __init__(self, deliver: Deliver, on_stage: Callable[[str], None], name: str = "stp3-preview") -> None:
        self.deliver = deliver
        self.on_stage = on_stage
        self.newest = 0
        self.news = Condition()
        self._pool = ThreadPoolExecutor(1, name)
        self._waiting: Future[None] | None = None

    def request(self, work: Callable[[Turn], None], failed: Callable[[str], None]) -> None:
        """Has `work` done unless a newer request comes first; `failed` hears errors in words, in the page's thread."""
        self.stop()
        self._waiting = self._pool.submit(self._do, Turn(self, self.newest), work, failed)

    def stop(self) -> None:
        """Has the work under way stop at its next step, and what waits never begin."""
        with self.news:
            self.newest += 1
            self.news.notify_all()
        if self._waiting:
            self._waiting.cancel()

    def close(self) -> None:
        """Stops at the next step; the thread ends."""
        self.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _do(self, turn: Turn, work: Callable[[Turn], None], failed: Callable[[str], None]) -> None:
        try:
            if turn.number == self.newest:
                work(turn)
        except Superseded:
            return
        except Exception as error:
            text = in_words(error)
            turn.deliver(lambda: failed(text))


class Errands:
    """One thread for short work that must be done in any case, in order: lists, starting and stopping jobs."""

    def __init__(self, deliver: Deliver) -> None:
        self.deliver = deliver
        self._pool = ThreadPoolExecutor(1, "stp3-errands")

    def send(self, work: Callable[[], T], then: Callable[[T], None], failed: Callable[[str], None]) -> None:
        """Has `work` done; `then` gets what it gives, or `failed` the error in words, in the page's thread."""
        self._pool.submit(self._do, work, then, failed)

    def close(self) -> None:
        """Drops what has not begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _do(self, work: Callable[[], T], then: Callable[[T], None], failed: Callable[[str], None]) -> None:
        try:
            result = work()
        except Exception as error:
            text = in_words(error)
            self.deliver(lambda: failed(text))
        else:
            self.deliver(lambda: then(result))


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that this thread runs, if it runs one."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def bring_libraries() -> None:
    """Imports SciPy's part of the library, half of all there is to import, while the user looks for a scan.

    And starts the process in which scans are opened.
    """
    from stp3 import limited

    limited.warm()
    import stp3.axis  # noqa: F401
    from stp3.kernels.reconstruction import compiled_for

    compiled_for()
