"""Which part of a slice is reconstructed."""

from __future__ import annotations

from typing import NamedTuple

from stp3.errors import UsageFault


class Window(NamedTuple):
    """Columns `left` to `right` and rows `top` to `bottom` (ends left out) of a slice of `side` x `side` pixels.

    The whole slice is centred on the rotation axis: its pixel (column, row) lies at x = column - (side - 1) / 2 and
    y = (side - 1) / 2 - row from there.
    """

    left: int
    right: int
    top: int
    bottom: int
    side: int

    @classmethod
    def whole(cls, side: int) -> Window:
        return cls(0, side, 0, side, side)

    @property
    def wide(self) -> int:
        return self.right - self.left

    @property
    def tall(self) -> int:
        return self.bottom - self.top

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the picture."""
        return self.tall, self.wide

    @property
    def centre(self) -> tuple[float, float]:
        """Where the pixel (wide // 2, tall // 2) of the window lies: x, y from the rotation axis in pixels."""
        middle = (self.side - 1) / 2
        return self.left + self.wide // 2 - middle, middle - self.top - self.tall // 2

    def checked(self) -> Window:
        """The same. Raises UsageFault when it is empty or not inside the slice."""
        for first, last, names in ((self.left, self.right, "left, right"), (self.top, self.bottom, "top, bottom")):
            if not 0 <= first < last <= self.side:
                raise UsageFault(
                    f"window needs 0 <= {names.replace(', ', ' < ')} <= {self.side} (the slice is {self.side} pixels "
                    f"wide and high), got {names} = {first}, {last}."
                )
        return self
