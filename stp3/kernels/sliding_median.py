"""Sliding medians as networks of minima and maxima over whole shifted arrays.

Neighbouring windows share most of their sorting. The network is written down for one window, with the pieces of all
windows arranged alike; equal pieces at shifted places are then one node, computed once for all places by
`np.minimum` or `np.maximum`, which run at the speed of the vector unit. A block of data and all its intermediate
arrays stay in the processor's cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from stp3.kernels.threads import pieces, share

_BLOCK_FLOATS = 1 << 15  # medians found at once: their intermediate arrays stay in the cache
_LANES = 32  # neighbouring floats along the other axis that a block takes

Shift = tuple[int, int]
Value = tuple[int, Shift]  # a node and where it is looked at, relative to the window's first pixel
Run = list[Value]  # values in ascending order
Call = tuple[np.ufunc, NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class Operation:
    """`out[i] = minimum or maximum(left[i], right[i + shift])` over registers; register 0 holds the data."""

    minimum: bool
    out: int
    left: int
    right: int
    left_shift: Shift
    right_shift: Shift
    reach: Shift

    @property
    def shift(self) -> Shift:
        return max(self.left_shift, self.right_shift)


@dataclass(frozen=True)
class Network:
    """The operations of one window, in order; the last one writes the medians."""

    operations: tuple[Operation, ...]
    registers: int

    def bench(self, length: int, stride: int) -> Bench:
        """Arrays and calls for medians at `length` places; one step of the window's first axis is `stride`."""
        reach = max(self._flat(do.reach, stride) + self._flat(do.shift, stride) for do in self.operations)
        held = [np.empty(length + reach, np.float32) for _ in range(self.registers)]
        calls: list[Call] = []
        for do in self.operations:
            count = length + self._flat(do.reach, stride)
            left, right = self._flat(do.left_shift, stride), self._flat(do.right_shift, stride)
            views = held[do.left][left : left + count], held[do.right][right : right + count], held[do.out][:count]
            calls.append((np.minimum if do.minimum else np.maximum, *views))
        return Bench(held[0], held[self.operations[-1].out][:length], calls)

    @staticmethod
    def _flat(shift: Shift, stride: int) -> int:
        return shift[0] * stride + shift[1]


@dataclass(frozen=True)
class Bench:
    """A network laid out over arrays of one size: fill `data`, call `run`, read `medians`."""

    data: NDArray[np.float32]
    medians: NDArray[np.float32]
    calls: list[Call]

    def run(self) -> None:
        for function, left, right, out in self.calls:
            function(left, right, out=out)


def median_along_columns(data: NDArray[np.float32], size: int, threads: int = 1) -> NDArray[np.float32]:
    """Medians over `size` (odd) neighbours along the first axis of (columns, n), mirrored at both ends."""
    if size == 1:
        return data.copy()
    network = _line_network(size)
    padded = np.pad(data, ((size // 2, size // 2), (0, 0)), mode="symmetric")
    out = np.empty_like(data)
    width = min(_LANES, data.shape[1])
    height = min(len(data), max(size, _BLOCK_FLOATS // width))
    places = [(top, left) for left in _starts(data.shape[1], width) for top in _starts(len(data), height)]

    def work(some: slice) -> None:
        bench = network.bench(height * width, width)
        block = bench.data[: (height + size - 1) * width].reshape(-1, width)
        for top, left in places[some]:
            block[:] = padded[top : top + height + size - 1, left : left + width]
            bench.run()
            out[top : top + height, left : left + width] = bench.medians.reshape(height, width)

    share(work, pieces(len(places), -(-len(places) // max(threads, 1))), threads)
    return out


def median_of_frames(frames: NDArray[np.float32], size: int, threads: int = 1) -> NDArray[np.float32]:
    """Medians over `size` x `size` (odd) pixels of each frame of (frames, rows, columns), edges repeated."""
    if size == 1:
        return frames.copy()
    network, half = _square_network(size), size // 2
    count, rows, columns = frames.shape
    tall, wide = rows + 2 * half, columns + 2 * half
    out = np.empty_like(frames)
    together = min(count, max(1, _BLOCK_FLOATS // (tall * wide)))
    places = _starts(count, together)

    def work(some: slice) -> None:
        bench = network.bench(together * tall * wide, wide)
        block = bench.data[: together * tall * wide].reshape(together, tall, wide)
        bench.data[together * tall * wide :] = 0
        for first in places[some]:
            block[:] = np.pad(frames[first : first + together], ((0, 0), (half, half), (half, half)), mode="edge")
            bench.run()
            out[first : first + together] = bench.medians.reshape(together, tall, wide)[:, :rows, :columns]

    share(work, pieces(len(places), -(-len(places) // max(threads, 1))), threads)
    return out


def _starts(count: int, size: int) -> list[int]:
    """Where blocks of one size begin that cover `count`; the last one overlaps its neighbour."""
    return [*range(0, count - size, size), count - size]


@cache
def _line_network(size: int) -> Network:
    builder = _Builder()
    first = 1 << (size - 1).bit_length() - 1
    median = builder.select(builder.line(0, first), builder.line(first, size - first), size // 2 + 1)
    return builder.finish(median)


@cache
def _square_network(size: int) -> Network:
    builder = _Builder()
    first = 1 << (size - 1).bit_length() - 1
    left, right = builder.square(0, first, size), builder.square(first, size - first, size)
    return builder.finish(builder.select(left, right, size * size // 2 + 1))


class _Builder:
    """Writes down minima and maxima, each only once however many windows need it."""

    def __init__(self) -> None:
        self.nodes: list[tuple[bool, Value, Value]] = [(True, (0, (0, 0)), (0, (0, 0)))]  # node 0: the data
        self._known: dict[tuple[bool, Value, Value], int] = {}

    def line(self, start: int, count: int) -> Run:
        """`count` pixels along the first axis, sorted."""
        if count <= 1:
            return [(0, (start, 0))] * count
        first = 1 << (count - 1).bit_length() - 1
        return self.merge(self.line(start, first), self.line(start + first, count - first))

    def square(self, start: int, count: int, size: int) -> Run:
        """`count` neighbouring lines of `size` pixels each, sorted."""
        if count <= 1:
            return [(node, (down, start)) for node, (down, _) in self.line(0, size)] * count
        first = 1 << (count - 1).bit_length() - 1
        return self.merge(self.square(start, first, size), self.square(start + first, count - first, size))

    def merge(self, left: Run, right: Run) -> Run:
        """Two runs as one: Batcher's odd-even merge (AFIPS Conf. Proc. 32:307, 1968)."""
        if not left or not right:
            return left + right
        if len(left) == len(right) == 1:
            return [self.node(True, left[0], right[0]), self.node(False, left[0], right[0])]
        odd, even = self.merge(left[::2], right[::2]), self.merge(left[1::2], right[1::2])
        pairs = zip(even, odd[1:], strict=False)
        middle = [self.node(minimum, *pair) for pair in pairs for minimum in (True, False)]
        shorter = min(len(even), len(odd) - 1)
        return [odd[0], *middle, *even[shorter:], *odd[1 + shorter :]]

    def select(self, left: Run, right: Run, rank: int) -> Value:
        """The value of that rank (from 1) of two runs: the least of max(left[i], right[rank - i])."""
        least: Value | None = None
        for count in range(max(0, rank - len(right)), min(rank, len(left)) + 1):
            ends = [run[taken - 1] for run, taken in ((left, count), (right, rank - count)) if taken]
            highest = ends[0] if len(ends) == 1 else self.node(False, *ends)
            least = highest if least is None else self.node(True, least, highest)
        assert least is not None  # noqa: S101
        return least

    def node(self, minimum: bool, one: Value, other: Value) -> Value:
        """Minimum or maximum of two values."""
        base = min(one[1], other[1])
        pair = sorted((node, (down - base[0], across - base[1])) for node, (down, across) in (one, other))
        key = (minimum, pair[0], pair[1])
        if key not in self._known:
            self._known[key] = len(self.nodes)
            self.nodes.append(key)
        return self._known[key], base

    def finish(self, result: Value) -> Network:
        """The operations that lead to the result, in as few registers as they can share."""
        reach = self._reaches(result[0])
        order = sorted(node for node in reach if node)
        last_use = {value[0]: node for node in order for value in self.nodes[node][1:]}
        register, used = {0: 0}, 1
        free: list[int] = []
        operations: list[Operation] = []
        for node in order:
            minimum, left, right = self.nodes[node]
            # a shifted array must not be overwritten while it is read, so operands are released afterwards
            if not free:
                free.append(used)
                used += 1
            register[node] = free.pop()
            operations.append(
                Operation(
                    minimum, register[node], register[left[0]], register[right[0]], left[1], right[1], reach[node]
                )
            )
            free += [register[old] for old in {left[0], right[0]} if old and last_use[old] == node]
        return Network(tuple(operations), used)

    def _reaches(self, result: int) -> dict[int, Shift]:
        """How far beyond the last window each node that matters is looked at."""
        reach: dict[int, Shift] = {result: (0, 0)}
        for node in range(result, 0, -1):
            if node in reach:
                for used, shift in self.nodes[node][1:]:
                    further = (reach[node][0] + shift[0], reach[node][1] + shift[1])
                    known = reach.get(used, (0, 0))
                    reach[used] = (max(further[0], known[0]), max(further[1], known[1]))
        return reach
