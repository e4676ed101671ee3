"""Places on the whole detector, and where they are in a part of it that begins somewhere and joins pixels."""

from __future__ import annotations


def on_detector(place: float, start: float, binning: int) -> float:
    """Which column (row) of the whole detector that column (row) of a part stands for; centres of pixels are whole."""
    return start + (place + 0.5) * binning - 0.5


def from_detector(place: float, start: float, binning: int) -> float:
    """Where a column (row) of the whole detector is among those of the part."""
    return (place - start + 0.5) / binning - 0.5
