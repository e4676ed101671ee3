"""Pre-flight of the frames: written at all, and what a sample of them shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stp3.preflight import Finding, Light
from stp3.scan import Frames, Scan, chunks, unwritten

_SAMPLED = {"projections": 9, "flats": 3, "darks": 3}
_MOST_BYTES = 96 << 20  # of one stack, read for its sample
_CEILINGS = tuple(2**bits - 1 for bits in (8, 10, 12, 14, 16))
_SOME_SATURATED = 1e-3
_FEW_DEAD = 1e-3
_BRIGHTER = 1.15


@dataclass(frozen=True)
class Sample:
    """Some frames of a stack: their numbers, and the values of the rows that were read."""

    numbers: NDArray[np.intp]
    values: NDArray[Any]

    @property
    def lit(self) -> NDArray[np.bool_]:
        """Which of the frames hold more than zeros."""
        return np.asarray(self.values.any(axis=(1, 2)))

    @property
    def blank(self) -> NDArray[np.intp]:
        """The numbers of the frames that hold nothing but zeros."""
        return self.numbers[~self.lit]

    @property
    def frame(self) -> NDArray[np.float64]:
        """The average of those frames that are not blank."""
        values = self.values[self.lit] if self.lit.any() else self.values
        with np.errstate(invalid="ignore", over="ignore"):
            return np.asarray(np.mean(values, axis=0, dtype=np.float64))


def findings(scan: Scan) -> list[Finding]:
    """What is on disk of the frames, and what some of them look like. Raises ScanFault."""
    return list(_findings(scan))


def _findings(scan: Scan) -> Iterator[Finding]:
    stacks: dict[str, Frames] = {"projections": scan.projections}
    stacks |= {name: frames for name, frames in (("flats", scan.flats), ("darks", scan.darks)) if frames is not None}
    whole = True
    for name, frames in stacks.items():
        for finding in _written(name, frames):
            whole = whole and finding.level == "green"
            yield finding
    rows = _rows(stacks)
    samples = {name: _sample(frames, _SAMPLED[name], rows) for name, frames in stacks.items()}
    for name, sample in samples.items():
        yield from _values(name, sample, stacks[name].shape[0])
        if whole:
            yield from _blank(name, sample, stacks[name])
    yield from _references(samples)


def _written(name: str, frames: Frames) -> Iterator[Finding]:
    """Frames that are on disk against frames promised."""
    missing = np.flatnonzero(unwritten(frames))
    count = frames.shape[0]
    if not len(missing):
        if name == "projections":
            yield Finding("green", "frames.unwritten", f"All {count} projections are written.")
        return
    way_out = "Copy the scan again, or measure it again."
    if name == "projections" and missing[0] >= 2 and len(missing) == count - missing[0]:
        way_out = (
            f"Was the scan interrupted? To use what is there, add the step angles with last = {missing[0] - 1}; "
            "otherwise copy the scan again."
        )
    yield Finding(
        "red", "frames.unwritten",
        f"{len(missing)} of {count} {name} were never written and would read as zeros: {_ranges(missing)}. {way_out}",
    )  # fmt: skip


def _ranges(numbers: NDArray[np.intp]) -> str:
    """Such as 3, 7 to 9 and 12 to 40; at most three of them."""
    breaks = np.flatnonzero(np.diff(numbers) > 1)
    pairs = [(int(part[0]), int(part[-1])) for part in np.split(numbers, breaks + 1)]
    texts = [str(first) if first == last else f"{first} to {last}" for first, last in pairs[:3]]
    return ", ".join(texts) + (f" and {len(pairs) - 3} more" if len(pairs) > 3 else "")


def _rows(stacks: dict[str, Frames]) -> range:
    """The same rows of all stacks: all of them, or so many in the middle that no sample is too much to read."""
    rows = stacks["projections"].shape[1]
    count = rows
    for name, frames in stacks.items():
        height, _, width = chunks(frames)
        together = min(_SAMPLED[name] * height, frames.shape[0])
        a_row = together * max(frames.shape[2], width) * frames.dtype.itemsize
        count = min(count, max(int(_MOST_BYTES // a_row), 1))
    first = (rows - count) // 2
    return range(first, first + count)


def _sample(frames: Frames, count: int, rows: range) -> Sample:
    numbers = np.unique(np.linspace(0, frames.shape[0] - 1, count).round().astype(np.intp))
    return Sample(numbers, frames.read(rows, numbers))


def _values(name: str, sample: Sample, count: int) -> Iterator[Finding]:
    """Values that are no numbers, and those at the end of the camera's range."""
    values = sample.values
    if values.dtype.kind == "f" and (bad := int(values.size - np.isfinite(values).sum())):
        share = bad / values.size
        yield Finding(
            "red" if share > 0.5 else "amber", f"{name}.nan",
            f"{share:.2%} of the values in {len(values)} sampled {name} are no numbers (NaN or infinite)."
            + (" There is nothing to reconstruct." if share > 0.5 else " Use the step dead_pixels."),
        )  # fmt: skip
    top = int(values.max()) if values.dtype.kind in "iu" and values.size else 0
    if top in _CEILINGS and (share := float((values == top).mean())) > _SOME_SATURATED:
        level: Light = "red" if name == "flats" and share > 0.5 else "amber"
        yield Finding(
            level, f"{name}.saturated",
            f"{share:.1%} of the pixels in {len(values)} sampled {name} are saturated ({top} counts): their true "
            "values are lost. Expose for a shorter time.",
        )  # fmt: skip


def _blank(name: str, sample: Sample, frames: Frames) -> Iterator[Finding]:
    """Frames of zeros although the file says that they were written."""
    blank = sample.blank
    if name == "darks" or not len(blank):
        return
    count = frames.shape[0]
    if len(blank) == len(sample.numbers):
        text = f"All sampled {name} hold nothing but zeros: the camera sent no picture, or the file was never filled."
    elif name == "projections" and blank[-1] == count - 1 and np.all(np.diff(np.flatnonzero(~sample.lit)) == 1):
        first = _first_blank(frames, sample)
        text = (
            f"Projections {first} to {count - 1} hold nothing but zeros: the scan was interrupted, or the file "
            f"was copied in part. To use what is there, add the step angles with last = {first - 1}; otherwise copy "
            "it again."
        )
    else:
        text = f"{len(blank)} of {len(sample.numbers)} sampled {name} hold nothing but zeros, the first is {blank[0]}."
        text += " Was the beam or the camera lost? Copy the scan again, or measure it again."
    yield Finding("red", "frames.zeros", text)


def _first_blank(frames: Frames, sample: Sample) -> int:
    """The first frame of a row of blank ones that goes to the end, found by halving."""
    lit, blank = int(sample.numbers[sample.lit].max()), int(sample.blank.min())
    middle = frames.shape[1] // 2
    while blank - lit > 1:
        between = (lit + blank) // 2
        if frames.read(range(middle, middle + 1), np.array([between])).any():
            lit = between
        else:
            blank = between
    return blank


def _references(samples: dict[str, Sample]) -> Iterator[Finding]:
    """Flats brighter than darks, projections between the two."""
    if "flats" not in samples:
        return
    flat, shot = samples["flats"].frame, samples["projections"].frame
    dark = samples["darks"].frame if "darks" in samples else np.zeros_like(flat)
    beam = flat - dark
    if not _median(beam) > 0:
        yield Finding(
            "red", "flats.dim",
            f"The flats ({_median(flat):.4g} counts) are not brighter than the darks ({_median(dark):.4g}): "
            "there was no beam, or the two were mixed up. Correct the file.",
        )  # fmt: skip
        return
    dead = float((beam <= 0.01 * _median(beam)).mean())
    if dead > _FEW_DEAD:
        text = f"{dead:.2%} of the pixels see no beam in the flats: dead, or shaded. They make rings or noise."
        yield Finding("amber", "flats.dead", text)
    share = _median((shot - dark)[beam > 0] / beam[beam > 0])
    yield from _exposed(share)


def _median(values: NDArray[np.float64]) -> float:
    """Of those that are numbers; NaN when none is."""
    numbers = values[np.isfinite(values)]
    return float(np.median(numbers)) if numbers.size else float("nan")


def _exposed(share: float) -> Iterator[Finding]:
    if share > _BRIGHTER:
        yield Finding(
            "amber", "projections.brighter",
            f"The projections are {share:.2f} times as bright as the flats: were the flats exposed for a shorter time, "
            "or taken with the sample in the beam?",
        )  # fmt: skip
    elif share < 0.002:
        text = f"The projections let {share:.2%} of the beam through: was the shutter closed, or is the sample opaque?"
        yield Finding("amber", "projections.dark", text)
    elif not np.isnan(share):
        text = f"Flats and darks are sane; the sample lets {min(share, 1):.0%} of the beam through (median)."
        yield Finding("green", "flats", text)
