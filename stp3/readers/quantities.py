"""Values beside the frames: read through allowed links only, converted from the units the file states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from stp3.errors import ScanFault
from stp3.readers.hdf5 import H5Frames, Place, broken_link, locate, opened
from stp3.readers.stored import files_behind, missing_share
from stp3.scan import Frames, Level, Problem

_MOST_VALUES = 10_000_000
_METRES = {
    "m": 1.0, "meter": 1.0, "metre": 1.0, "mm": 1e-3, "millimeter": 1e-3, "millimetre": 1e-3, "cm": 1e-2,
    "um": 1e-6, "micron": 1e-6, "micrometer": 1e-6, "micrometre": 1e-6, "nm": 1e-9, "nanometer": 1e-9,
}  # fmt: skip
LENGTH_UM = {name: value * 1e6 for name, value in _METRES.items()}
LENGTH_MM = {name: value * 1e3 for name, value in _METRES.items()}
TIME_S = {"s": 1.0, "sec": 1.0, "second": 1.0, "ms": 1e-3, "millisecond": 1e-3, "us": 1e-6, "microsecond": 1e-6}
ENERGY_KEV = {"ev": 1e-3, "kev": 1.0, "mev": 1e3, "j": 1 / 1.602176634e-16}


@dataclass
class Told:
    """What the user should know about a scan, gathered while it is being opened."""

    problems: list[Problem] = field(default_factory=list, kw_only=True)

    def tell(self, level: Level, text: str, code: str = "scan") -> None:
        self.problems.append(Problem(level, text, code))


@dataclass
class Source(Told):
    """One scan file while it is being opened: what is found in it and what the user should know about it."""

    file: h5py.File
    root: Path
    files: set[Path] = field(default_factory=set)
    broken: dict[str, str] = field(default_factory=dict)

    def locate(self, name: str) -> Place | None:
        """Where the dataset of that name is, None when there is none: a link to nothing is remembered in `broken`."""
        place = locate(self.file, name, self.root)
        if place is None and (target := broken_link(self.file, name)):
            self.broken[name] = target
        return place

    def broken_links(self) -> list[str]:
        """Sentences on the links that lead to nothing."""
        return [f"{name} is a link to {target}, which does not exist." for name, target in self.broken.items()]

    def members(self, name: str) -> list[str]:
        """The names in a group; none when there is no such group or its link may not be followed."""
        try:
            place = locate(self.file, name, self.root, kind=h5py.Group)
        except ScanFault:
            return []
        if place is None:
            return []
        with opened(place.file) as file:
            return list(file[place.name])

    def values(self, name: str) -> tuple[NDArray[Any], str] | None:
        """An array and its unit (lower case, "" when none is stated), or None when there is none."""
        if (place := self.locate(name)) is None:
            return None
        self.files.add(place.file)
        with opened(place.file) as file:
            dataset = file[place.name]
            if dataset.size is None or dataset.size > _MOST_VALUES:
                raise ScanFault(f"{name} holds {dataset.size} values; at most {_MOST_VALUES} are expected there.")
            return np.asarray(dataset[()]), unit_of(dataset)

    def _by_the_way(self, name: str) -> tuple[NDArray[Any], str] | None:
        """Values that a scan can do without: a link that may not be followed is told and left out."""
        try:
            return self.values(name)
        except ScanFault as fault:
            self.tell("amber", f"{name} is left out: {fault}", "links.broken")
            return None

    def attribute(self, name: str, key: str) -> str:
        """A dataset's attribute as text, "" when there is none."""
        if (place := self.locate(name)) is None:
            return ""
        with opened(place.file) as file:
            return attribute_of(file[place.name], key)

    def is_text(self, name: str, key: str) -> bool:
        """Whether a dataset has that attribute as text, not as a number."""
        if (place := self.locate(name)) is None:
            return False
        with opened(place.file) as file:
            return np.asarray(file[place.name].attrs.get(key, 0)).dtype.kind in "SUO"

    def text(self, *names: str) -> str:
        """The first text found under those names, on one line, or ""."""
        for name in names:
            if (found := self._by_the_way(name)) is not None and found[0].size:
                value = found[0].ravel()[0]
                words = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                return "".join(letter for letter in " ".join(words.split()) if letter.isprintable())[:200]
        return ""

    def quantity(
        self, what: str, units: Mapping[str, float], names: Iterable[str], assumed: str | None = None
    ) -> float | None:
        """The first positive number found under those names, converted; says so when its unit is not known.

        `assumed` is its unit whatever the file says.
        """
        for name in names:
            found = self._by_the_way(name)
            if found is None or not found[0].size or found[0].dtype.kind not in "iuf":
                continue
            value, unit = float(found[0].ravel()[0]), found[1] if assumed is None else plain_unit(assumed)
            if not (np.isfinite(value) and value > 0):
                continue
            if (factor := units.get(unit, units.get(unit.removesuffix("s")))) is not None:
                return value * factor
            stated = f'the unit "{unit}"' if unit else "no unit"
            self.tell("amber", f"The {what} in {name} ({value:g}) has {stated}: it is left out.")
            return None
        return None

    def currents(self, names: Iterable[str], frames: int) -> NDArray[np.float64] | None:
        """The ring current of each of so many frames, in the unit of the file; None where it is not stated for each."""
        for name in names:
            found = self.values(name)
            if found is not None and found[0].size == frames > 1 and found[0].dtype.kind in "iuf":
                return checked_currents(self, name, found[0])
        return None

    def frames(self, name: str, required: tuple[int, int] | None = None, *, sinograms: bool = False) -> H5Frames | None:
        """The stack of that name, None when there is none or it is empty. Raises ScanFault when it is no stack.

        `required` are the rows and columns it must have. Frames never written are told as a red problem.
        `sinograms`: it is stored as (row, frame, column).
        """
        if (place := self.locate(name)) is None:
            return None
        with opened(place.file) as file:
            dataset = file[place.name]
            if dataset.ndim != 3 or dataset.dtype.kind not in "iuf":
                raise ScanFault(
                    f"{name} should be a stack of frames in 3 dimensions, it has {dataset.ndim} ({dataset.dtype})."
                )
            if not dataset.size:
                return None
            self.files |= files_behind(dataset)
            stack = H5Frames(place, dataset.shape, dataset.dtype, sinograms=sinograms)
            if required and stack.shape[1:] != required:
                raise ScanFault(
                    f"the frames of {name} have {stack.shape[1:]} rows and columns, the projections {required}."
                )
            if missing := missing_share(dataset):
                self.tell(
                    "red",
                    f"{missing:.2%} of {name} were never written and read as zeros: the file is not complete.",
                    "frames.unwritten",
                )
            return stack


def attribute_of(dataset: h5py.Dataset, key: str) -> str:
    """The first value of an attribute as text, "" when there is none."""
    values = np.asarray(dataset.attrs.get(key, "")).ravel()
    value = values[0] if values.size else ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def checked_currents(told: Told, name: str, values: NDArray[Any]) -> NDArray[np.float64] | None:
    """Ring currents of frames; None, and told, where they are not all positive numbers."""
    currents = np.asarray(values, np.float64).ravel()
    if bad := int((~(np.isfinite(currents) & (currents > 0))).sum()):
        told.tell("info", f"{name} is not used: {bad} of its {len(currents)} ring currents are not positive numbers.")
        return None
    return currents


def unit_of(dataset: h5py.Dataset) -> str:
    """The attribute `units` in lower case with a plain u for micro, or ""."""
    return plain_unit(attribute_of(dataset, "units"))


def plain_unit(unit: str) -> str:
    """The unit in lower case with a plain u for micro."""
    return unit.strip().lower().replace("µ", "u").replace("μ", "u")


def radians(source: Told, angles: NDArray[Any], unit: str) -> NDArray[np.float64]:
    """Angles in radians; degrees unless the unit says otherwise. Raises ScanFault for angles that are no numbers."""
    if angles.dtype.kind not in "iuf":
        raise ScanFault(f"the angles are no numbers ({angles.dtype}). Write them into the file as degrees.")
    angles = np.asarray(angles, np.float64).ravel()
    if not np.isfinite(angles).all():
        raise ScanFault(f"{int((~np.isfinite(angles)).sum())} of {len(angles)} angles are not numbers.")
    if unit.startswith("rad"):
        return angles
    span = float(np.ptp(angles)) if len(angles) else 0.0
    if not unit and 0 < span < 6.5:
        source.tell(
            "amber", f"The angles span {span:.3f} degrees and state no unit. Were they meant in radians?", "angles.unit"
        )
    return np.deg2rad(angles)


def assumed_angles(told: Told, count: int, *, end: bool = True) -> NDArray[np.float64]:
    """Half a turn in radians for a scan that states no angles, with its end or without, which is told."""
    told.tell(
        "amber" if end else "info",
        f"No angles are stated: 0 to 180 degrees, the end {'included' if end else 'left out'}, are taken for the "
        f"{count} projections.",
        "angles.assumed",
    )
    return np.linspace(0, np.pi, count, endpoint=end)


def check_order(source: Told, theta: NDArray[np.float64]) -> None:
    """Tells when angles repeat or run back and forth."""
    steps = np.diff(theta)
    if repeated := len(theta) - len(np.unique(theta)):
        source.tell("amber", f"{repeated} of {len(theta)} angles occur more than once.", "angles.repeated")
    if (steps > 0).any() and (steps < 0).any():
        source.tell("amber", "The angles are not in order; each projection is used at its own angle.", "angles.order")


def tell_missing(source: Told, flats: Frames | None, darks: Frames | None) -> None:
    """Tells which references the scan lacks and what that means."""
    if flats is None:
        source.tell(
            "amber",
            "The scan has no flat frames: the beam is taken as even, grey values are not quantitative.",
            "flats",
        )
    if darks is None:
        source.tell("amber", "The scan has no dark frames: the detector's offset is taken as zero.", "darks")
