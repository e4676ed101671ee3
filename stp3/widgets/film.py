"""From a slice to a small grey picture: which part of it, and how bright."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Limits = tuple[float, float]
Image = NDArray[np.floating]

_MOST_PIXELS = 256  # on a side of a small picture
_TAIL_PERCENT = 0.4  # as the viewer's automatic limits
_WITHIN = 0.95  # of the field of view: its rim is no part of the sample


@dataclass(frozen=True)
class Part:
    """A square of a slice, in its pixels."""

    top: int
    left: int
    side: int

    def of(self, image: Image) -> Image:
        """That part of an image (y, x)."""
        return image[self.top : self.top + self.side, self.left : self.left + self.side]


@dataclass(frozen=True)
class Look:
    """How the viewer shows slices: grey limits, and (left, top, right, bottom) in pixels where it shows a part."""

    limits: Limits | None = None
    window: tuple[float, float, float, float] | None = None

    def part(self, image: Image, side: int) -> Part:
        """The part of a first slice that small pictures show: what the viewer shows, else where most is to be seen."""
        return telling_part(image, side) if self.window is None else _within(image, self.window)

    def grey_limits(self, image: Image) -> Limits:
        """Black and white for small pictures of which `image` is the first."""
        if self.limits:
            return self.limits
        low, high = np.percentile(image, [_TAIL_PERCENT, 100 - _TAIL_PERCENT])
        return float(low), float(high)


def telling_part(image: Image, side: int) -> Part:
    """The square of that side (or all, where the image is smaller) with most edges within the field of view."""
    height, width = image.shape
    side = min(side, height, width)
    tops, lefts = _places(height, side), _places(width, side)
    total = np.pad(_edges(image), ((1, 1), (1, 1))).cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    inner = side // 4  # what lies in the middle counts twice
    amount = _within_squares(total, tops, lefts, side) + _within_squares(total, tops + inner, lefts + inner, side // 2)
    radius = np.hypot(_farthest(tops, side, height)[:, None], _farthest(lefts, side, width))
    inside = radius <= max(_WITHIN, float(radius.min()))
    row, column = np.unravel_index(np.argmax(np.where(inside, amount, -1.0)), amount.shape)
    return Part(int(tops[row]), int(lefts[column]), side)


def _within_squares(
    total: NDArray[np.float64], tops: NDArray[np.intp], lefts: NDArray[np.intp], side: int
) -> NDArray[np.float64]:
    """The sum within each square, given the sums from the first corner on."""
    above, below = total[tops], total[tops + side - 1]
    return below[:, lefts + side - 1] - below[:, lefts] - above[:, lefts + side - 1] + above[:, lefts]


def _edges(image: Image) -> Image:
    """How much changes from pixel to pixel; under a root, for one hot pixel is no detail."""
    edges: Image = np.sqrt(np.abs(np.diff(image, axis=0))[:, 1:] + np.abs(np.diff(image, axis=1))[1:])
    return edges


def small_picture(image: Image, part: Part, limits: Limits) -> NDArray[np.uint8]:
    """Grey bytes (y, x) of that part, averaged to at most 256 pixels a side."""
    cut = part.of(image)
    bins = -(-part.side // _MOST_PIXELS)
    side = part.side // bins
    cut = cut[: side * bins, : side * bins].reshape(side, bins, side, bins).mean(axis=(1, 3))
    low, high = limits
    level = (cut - low) / max(high - low, 1e-30)
    return np.asarray(np.clip(np.nan_to_num(level), 0.0, 1.0) * 255.0 + 0.5, np.uint8)


def _places(extent: int, side: int) -> NDArray[np.intp]:
    """Where squares begin, about four to a side."""
    count = 2 + 4 * (extent - side) // side if extent > side else 1
    return np.linspace(0, extent - side, count).round().astype(np.intp)


def _farthest(starts: NDArray[np.intp], side: int, extent: int) -> NDArray[np.float64]:
    """How far the far edge of each square is from the middle; 1 is the rim."""
    middle = extent / 2
    far: NDArray[np.float64] = np.maximum(np.abs(starts - middle), np.abs(starts + side - middle)) / middle
    return far


def _within(image: Image, window: tuple[float, float, float, float]) -> Part:
    """The largest square in the middle of a window that lies within the image."""
    left, top, right, bottom = window
    side = int(np.clip(min(right - left, bottom - top), 16, min(image.shape)))
    top = int(np.clip((top + bottom - side) / 2, 0, image.shape[0] - side))
    return Part(top, int(np.clip((left + right - side) / 2, 0, image.shape[1] - side)), side)
