"""NXtomo (NeXus): one stack, told apart by image_key: 0 projection, 1 flat, 2 dark, 3 invalid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stp3.errors import ScanFault
from stp3.readers.hdf5 import H5Frames
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
from stp3.scan import Scan, ScanIdentity

_PROJECTION, _FLAT, _DARK, _INVALID, _ALIGNMENT = 0, 1, 2, 3, -1
_KEYS = ("image_key", "image_key_control")


class NXtomo(HDF5Reader):
    """Reads NXtomo files (Diamond, ESRF, DESY and others), with or without their definition."""

    name = "nxtomo"

    def lacks(self, source: Source) -> str | None:
        """What the file lacks to be NXtomo, in words; None when it is."""
        return None if next(_entries(source), None) else "It has no entry whose detector has data and an image_key."

    def read(self, source: Source, file: Path, identity: ScanIdentity) -> Scan:
        """The scan, read lazily. Raises ScanFault."""
        entries = _entries(source)
        if (found := next(entries, None)) is None:
            raise ScanFault(f"{file} has no entry whose detector has data and an image_key.")
        entry, detector, name = found
        if others := [other for other, *_ in entries if not other.startswith(f"{entry}/")]:
            source.tell("amber", f"The file holds {len(others) + 1} scans: {entry} is opened, not {', '.join(others)}.")
        stack = source.frames(name)
        if stack is None:
            raise ScanFault(f"{file} holds no frames: {name} is empty.")
        keys = _keys(source, detector, stack)
        flats, darks = (_pick(stack, keys, key) for key in (_FLAT, _DARK))
        tell_missing(source, flats, darks)
        theta, projections = _angles(source, entry, stack, keys)
        currents = source.currents((f"{entry}/control/data", f"{entry}/instrument/source/current"), len(keys))
        return Scan(
            path=file, format=self.name, identity=identity, projections=projections, theta=theta,
            flats=flats, darks=darks, flat_times=_flat_times(keys),
            theta_stated=_stated(source, entry) is not None,
            currents=None if currents is None else currents[projections.numbers],
            flat_currents=None if currents is None or flats is None else currents[flats.numbers],
            exposure_s=source.quantity("exposure", TIME_S, (f"{detector}/count_time", f"{detector}/exposure_time")),
            pixel_size_um=source.quantity("pixel size", LENGTH_UM, _pixel_sizes(entry, detector)),
            energy_kev=source.quantity("energy", ENERGY_KEV, _energies(entry)),
            distance_mm=source.quantity("distance", LENGTH_MM, (f"{detector}/distance",)),
            sample=source.text(f"{entry}/sample/name", f"{entry}/title"), problems=tuple(source.problems),
        )  # fmt: skip


def _pixel_sizes(entry: str, detector: str) -> tuple[str, ...]:
    """Those of the sample, as magnified, come before the detector's own."""
    return (
        f"{entry}/sample/x_pixel_size", f"{detector}/x_sample_pixel_size", f"{detector}/x_pixel_size",
        f"{detector}/pixel_size",
    )  # fmt: skip


def _energies(entry: str) -> tuple[str, ...]:
    beams = ("instrument/beam/incident_energy", "beam/incident_energy", "sample/beam/incident_energy")
    return tuple(
        f"{entry}/{name}" for name in (*beams, "instrument/monochromator/energy", "instrument/source/energy_kev")
    )


def _entries(source: Source) -> Iterator[tuple[str, str, str]]:
    """Each entry with frames, at the root or one group down, its detector and its stack; see `_parts`.

    Raises ScanFault when there is none, and links that lead to one may not be followed.
    """
    tops, refused, any_found = [f"/{name}" for name in source.members("/")], list[ScanFault](), False
    for entry in (*tops, *(f"{top}/{name}" for top in tops for name in source.members(top))):
        if found := _parts(source, entry, refused):
            any_found = True
            yield entry, *found
    if refused and not any_found:
        raise refused[0]


def _parts(source: Source, entry: str, refused: list[ScanFault]) -> tuple[str, str] | None:
    """Where the entry has its image_key, and its stack: in the detector, or one of them in the group of plots."""

    def is_there(name: str) -> bool:
        try:
            return source.locate(name) is not None
        except ScanFault as fault:
            refused.append(fault)
            return False

    detectors = sorted(source.members(f"{entry}/instrument"), key=lambda name: name != "detector")
    places = (*(f"{entry}/instrument/{detector}" for detector in detectors), f"{entry}/data")
    for place in places:
        if any(is_there(f"{place}/{key}") for key in _KEYS):
            before = len(refused)
            for other in (place, *places):
                if is_there(f"{other}/data"):
                    return place, f"{other}/data"
                if len(refused) > before:  # its own frames are elsewhere: those of another would be wrong
                    break
    return None


def _keys(source: Source, detector: str, stack: H5Frames) -> NDArray[np.int64]:
    """What each frame is. Raises ScanFault when there are fewer keys than frames.

    Pictures taken to align the sample count as projections in image_key and as -1 in image_key_control: they are none.
    """
    frames, found = stack.shape[0], [got[0] for key in _KEYS if (got := source.values(f"{detector}/{key}"))]
    for values in found:
        if values.dtype.kind not in "iuf":
            raise ScanFault(f"the image_key should hold the numbers 0 to 3, it holds {values.dtype}. Correct the file.")
    found = [np.asarray(values, np.int64).ravel() for values in found]
    keys = found[0]
    if len(found) == 2 and len(found[1]) == len(keys):
        keys = np.where(found[1] == _ALIGNMENT, _INVALID, keys)
    if len(keys) < frames:
        raise ScanFault(f"the image_key tells what {len(keys)} frames are, the stack has {frames}.")
    if len(keys) > frames:
        source.tell(
            "red",
            f"The image_key announces {len(keys)} frames, the stack has {frames}: the scan is not complete.",
            "frames.count",
        )
    return _without_unwritten(source, keys[:frames], stack)


def _without_unwritten(source: Source, keys: NDArray[np.int64], stack: H5Frames) -> NDArray[np.int64]:
    """The keys, those flats and darks marked as invalid that were never written: a scan was stopped before them."""
    for key, name in ((_FLAT, "flats"), (_DARK, "darks")):
        lost = (keys == key) & stack.unwritten()
        if lost.any():
            text = f"{lost.sum()} of {(keys == key).sum()} {name} were never written and are left out."
            source.tell("amber", text, f"{name}.unwritten")
            keys = np.where(lost, _INVALID, keys)
    if invalid := int((keys == _INVALID).sum()):
        source.tell("info", f"{invalid} frames are marked as invalid and left out.", "frames.invalid")
    return keys


def _pick(stack: H5Frames, keys: NDArray[np.int64], key: int) -> H5Frames | None:
    numbers = np.flatnonzero(keys == key)
    return replace(stack, numbers=numbers) if len(numbers) else None


def _stated(source: Source, entry: str) -> tuple[NDArray[Any], str] | None:
    """The angles that stand in the file and their unit."""
    groups = ("sample", "data", "sample/transformations")
    names = [f"{entry}/{group}/rotation_angle" for group in groups]
    return next((found for name in names if (found := source.values(name)) is not None and found[0].size), None)


def _angles(
    source: Source, entry: str, stack: H5Frames, keys: NDArray[np.int64]
) -> tuple[NDArray[np.float64], H5Frames]:
    """The angle of each projection in radians, and the projections. Raises ScanFault when there are none."""
    projections = _pick(stack, keys, _PROJECTION)
    if projections is None or projections.numbers is None:
        raise ScanFault("no frame has the image_key 0: there are no projections.")
    count = len(projections.numbers)
    if (found := _stated(source, entry)) is None:
        return assumed_angles(source, count), projections
    values, unit = found
    if len(values) == len(keys):
        values = values[projections.numbers]
    elif len(values) > len(keys):
        source.tell(
            "amber",
            f"The file states {len(values)} angles for {len(keys)} frames: the first {len(keys)} are used.",
            "angles.count",
        )
        values = values[projections.numbers]
    elif len(values) != count:
        raise ScanFault(f"the file states {len(values)} angles for {len(keys)} frames, {count} of them projections.")
    theta = radians(source, values, unit)
    check_order(source, theta)
    return theta, projections


def _flat_times(keys: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each flat on the axis of projection numbers: between those before and those after it in the stack."""
    before = np.searchsorted(np.flatnonzero(keys == _PROJECTION), np.flatnonzero(keys == _FLAT))
    return np.asarray(before, np.float64) - 0.5
