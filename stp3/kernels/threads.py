"""Work shared among threads in pieces that do not depend on how many threads there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def pieces(count: int, size: int) -> list[slice]:
    """Slices of `size` (the last one shorter) that cover `count` items."""
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def share(work: Callable[[Piece], Result], over: Iterable[Piece], threads: int) -> list[Result]:
    """What `work` gives for each piece, in order. NumPy and SciPy let other threads run while they compute."""
    todo = list(over)
    if threads <= 1 or len(todo) <= 1:
        return [work(piece) for piece in todo]
    with ThreadPoolExecutor(min(threads, len(todo))) as pool:
        return list(pool.map(work, todo))
