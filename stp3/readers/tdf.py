"""Tomo Data Format (TDF), SYRMEP's own HDF5: sinograms one after the other, flats told apart by their timestamps.

Two layouts: /exchange/data, data_white, data_dark with /provenance/detector_output; and the legacy one with /tomo,
/flat, /dark, /flat_post, /dark_post at the root. Both store (row, angle, column).
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stp3.errors import ScanFault
from stp3.readers.hdf5_reader import HDF5Reader
from stp3.readers.quantities import (
    ENERGY_KEV,
    LENGTH_MM,
    LENGTH_UM,
    TIME_S,
    Source,
    assumed_angles,
    check_order,
    radians,
    tell_missing,
)
from stp3.readers.stacks import Rescaled, joined
from stp3.scan import Frames, Scan, ScanIdentity

_DATA, _OUTPUT, _LEGACY = "/exchange/data", "/provenance/detector_output", "/tomo"
_DETECTOR = "/measurement/instrument/detector"
_BEFORE = -0.5  # a moment before the first projection


class TDF(HDF5Reader):
    """Reads files of the beamline SYRMEP and of its converters."""

    name = "tdf"

    def lacks(self, source: Source) -> str | None:
        """What the file lacks to be TDF, in words; None when it is."""
        if source.locate(_DATA) is None:
            return None if source.locate(_LEGACY) else f"It has neither {_DATA} nor {_LEGACY}."
        return None if holds_sinograms(source) else f"{_DATA} is not marked as sinograms (y:theta:x)."

    def read(self, source: Source, file: Path, identity: ScanIdentity) -> Scan:
        """The scan, read lazily. Raises ScanFault."""
        legacy = source.locate(_DATA) is None
        name = _LEGACY if legacy else _DATA
        projections = _stack(source, name)
        if projections is None:
            raise ScanFault(f"{file} holds no projections: {name} is empty.")
        size = projections.shape[1:]
        flats, darks, times = (_legacy_references if legacy else _references)(source, size, projections.shape[0])
        if flats is None and projections.dtype.kind == "f":
            source.tell("info", "The file holds transmissions, already divided by flats.")
        else:
            tell_missing(source, flats, darks)
        theta, stated = _theta(source, projections.shape[0])
        return Scan(
            path=file, format=self.name, identity=identity, projections=projections, theta=theta, theta_stated=stated,
            currents=source.currents(("/measurement/instrument/source/current",), projections.shape[0]),
            exposure_s=source.quantity("exposure", TIME_S, (f"{_DETECTOR}/exposure_time",)),
            flats=flats, darks=darks, flat_times=times,
            pixel_size_um=source.quantity("pixel size", LENGTH_UM, (f"{_DETECTOR}/pixel_size",)),
            energy_kev=source.quantity("energy", ENERGY_KEV, ("/measurement/instrument/monochromator/energy",)),
            distance_mm=source.quantity("distance", LENGTH_MM, (f"{_DETECTOR}/distance",)),
            sample=source.text("/measurement/sample/name"), problems=tuple(source.problems),
        )  # fmt: skip


def _theta(source: Source, angles: int) -> tuple[NDArray[np.float64], bool]:
    """The angles, and whether the file states them: the beamline's own files never do, converted ones may."""
    found = source.values("/exchange/theta")
    if found is None or found[0].size != angles:
        return assumed_angles(source, angles, end=False), False
    theta = radians(source, *found)
    check_order(source, theta)
    return theta, True


def holds_sinograms(source: Source) -> bool:
    """Whether /exchange/data is (row, angle, column).

    The beamline's converter stores that whatever it writes into `axes`; its mark are `min` and `max` as decimal text.
    """
    marks = ((source.is_text(_DATA, key), source.attribute(_DATA, key)) for key in ("min", "max"))
    if all(is_text and _is_decimal(value) for is_text, value in marks):
        return True
    return source.attribute(_DATA, "axes").replace(" ", "") == "y:theta:x"


def _is_decimal(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _stack(source: Source, name: str, size: tuple[int, int] | None = None) -> Frames | None:
    """The stack of that name; what was rescaled to fit into 16 bits is turned back."""
    frames = source.frames(name, size, sinograms=True)
    if frames is None:
        return None
    stated = source.attribute(name, "rescale_factor")
    if stated and not (_is_decimal(stated) and float(stated) > 0):
        raise ScanFault(f"the rescale_factor of {name} should be a positive number, it is {stated!r}.")
    if stated or frames.dtype == np.float16:
        return Rescaled(frames, float(stated or 1))
    return frames


References = tuple[Frames | None, Frames | None, NDArray[np.float64]]


def _references(source: Source, size: tuple[int, int], angles: int) -> References:
    """Flats, darks, and the moment of each flat on the axis of projection numbers."""
    flats, darks = (_stack(source, f"/exchange/{name}", size) for name in ("data_white", "data_dark"))
    if flats is None:
        return None, darks, np.empty(0)
    times = _times(source, flats.shape[0], darks.shape[0] if darks else 0, angles)
    if times is None:
        source.tell("info", "The file does not say when its flats were taken: all count as taken before the scan.")
        times = np.full(flats.shape[0], _BEFORE)
    return flats, darks, times


def _legacy_references(source: Source, size: tuple[int, int], angles: int) -> References:
    """The same of the legacy layout, which keeps flats and darks of after the scan apart."""

    def stacks(*names: str) -> list[Frames]:
        return [found for name in names if (found := _stack(source, f"/{name}", size)) is not None]

    before, after = stacks("flat"), stacks("flat_post", "flat_after")
    darks = stacks("dark", "dark_post", "dark_after")
    counts = [sum(stack.shape[0] for stack in some) for some in (before, after)]
    return joined([*before, *after]), joined(darks), np.repeat((_BEFORE, angles - 0.5), counts)


def _times(source: Source, flats: int, darks: int, angles: int) -> NDArray[np.float64] | None:
    """When each flat was taken, from the table of all frames; None when that does not tell."""
    found = source.values(_OUTPUT)
    if found is None or not {"filename", "timestamp"} <= set(found[0].dtype.names or ()):
        return None
    names, moments = (_texts(found[0][column]) for column in ("filename", "timestamp"))
    kinds = _kinds(source, names, (flats, darks, angles))
    if kinds is None:
        return None
    try:
        seconds = np.array([datetime.fromisoformat(text).timestamp() for text in moments])
    except ValueError:
        return None
    place = np.searchsorted(np.sort(seconds[kinds == "tomo"]), seconds[kinds == "flat"])
    return np.asarray(place, np.float64) - 0.5


def _kinds(source: Source, names: list[str], counts: tuple[int, int, int]) -> NDArray[np.str_] | None:
    """What each row of the table is, flat, dark or tomo: by the prefixes of the files, else by the format's order."""
    kinds = ("flat", "dark", "tomo")
    prefixes = {kind: source.attribute(_OUTPUT, f"{kind}_prefix") for kind in kinds}
    longest = sorted((kind for kind in kinds if prefixes[kind]), key=lambda kind: -len(prefixes[kind]))
    told = np.array([
        next((kind for kind in longest if _file_name(name).startswith(prefixes[kind])), "") for name in names
    ])  # fmt: skip
    if all((told == kind).sum() == count for kind, count in zip(kinds, counts, strict=True)):
        return told
    return np.repeat(kinds, counts) if sum(counts) == len(names) else None


def _file_name(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _texts(column: NDArray[Any]) -> list[str]:
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in column]
