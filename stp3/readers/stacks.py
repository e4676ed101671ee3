"""Stacks made of others: several one after the other, and counts that were stored rescaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stp3.kernels import memory
from stp3.scan import Frames, chunks, unwritten


@dataclass(frozen=True)
class OneAfterTheOther:
    """Frames of several stacks with the same rows and columns."""

    stacks: tuple[Frames, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        return sum(stack.shape[0] for stack in self.stacks), *self.stacks[0].shape[1:]

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.result_type(*(stack.dtype for stack in self.stacks))

    def read(self, rows: range | None = None, frames: NDArray[np.intp] | None = None) -> NDArray[Any]:
        """Frames as stored, shape (frames, rows, columns). Raises ScanFault."""
        wanted = np.arange(self.shape[0]) if frames is None else np.asarray(frames, np.intp)
        rows = range(self.shape[1]) if rows is None else rows
        out = memory.empty((len(wanted), len(rows), self.shape[2]), self.dtype)
        first = 0
        for stack in self.stacks:
            own = (wanted >= first) & (wanted < first + stack.shape[0])
            out[own] = stack.read(rows, wanted[own] - first)
            first += stack.shape[0]
        return out

    def unwritten(self) -> NDArray[np.bool_]:
        """Which frames were not written, or not all of them. Raises ScanFault."""
        return np.concatenate([unwritten(stack) for stack in self.stacks])

    def chunks(self) -> tuple[int, int, int]:
        """What is read at least at once (frames, rows, columns)."""
        return max(chunks(stack) for stack in self.stacks)


@dataclass(frozen=True)
class Rescaled:
    """A stack in float32, its stored values divided by `divisor`."""

    stored: Frames
    divisor: float = 1.0

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.stored.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32)

    def read(self, rows: range | None = None, frames: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        """Frames in float32, shape (frames, rows, columns). Raises ScanFault."""
        values = self.stored.read(rows, frames).astype(np.float32)
        if self.divisor != 1:
            values /= np.float32(self.divisor)
        return values

    def unwritten(self) -> NDArray[np.bool_]:
        """Which frames were not written, or not all of them. Raises ScanFault."""
        return unwritten(self.stored)

    def chunks(self) -> tuple[int, int, int]:
        """What is read at least at once (frames, rows, columns)."""
        return chunks(self.stored)


def joined(stacks: Sequence[Frames]) -> Frames | None:
    """Those stacks one after the other; None where there are none."""
    if len(stacks) < 2:
        return stacks[0] if stacks else None
    return OneAfterTheOther(tuple(stacks))
