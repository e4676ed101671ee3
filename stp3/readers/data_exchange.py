"""Data Exchange: /exchange/data (angle, row, column), data_white, data_dark, theta."""

from __future__ import annotations

import re
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
from stp3.readers.tdf import holds_sinograms
from stp3.scan import Scan, ScanIdentity

_DATA = "/exchange/data"
_DETECTOR = "/measurement/instrument/detector"
_PIXEL_SIZES = (
    f"{_DETECTOR}/pixel_size", f"{_DETECTOR}/pixel_size_x", f"{_DETECTOR}/x_pixel_size",
    "/measurement/instrument/detection_system/objective/resolution",
)  # fmt: skip
_DISTANCES = (f"{_DETECTOR}/distance", "/measurement/instrument/detector_motor_stack/setup/z")
_FLATS, _DARKS = ("data_white", "white_data"), ("data_dark", "dark_data")  # the second ones in files of before 2012
_CURRENTS = ("/measurement/instrument/source/current", "/measurement/instrument/source/beam_current")


class DataExchange(HDF5Reader):
    """Reads Data Exchange files (APS and others)."""

    name = "data-exchange"

    def lacks(self, source: Source) -> str | None:
        """What the file lacks to be Data Exchange, in words; None when it is."""
        if source.locate(_DATA) is None:
            return "It has no /exchange/data."
        return "Its sinograms lie one after the other (Tomo Data Format)." if holds_sinograms(source) else None

    def read(self, source: Source, file: Path, identity: ScanIdentity) -> Scan:
        """The scan, read lazily. Raises ScanFault."""
        _check_axes(source)
        projections = source.frames(_DATA)
        if projections is None:
            raise ScanFault(f"{file} holds no projections: {_DATA} is empty.")
        projections, theta = _match(source, projections)
        currents = source.currents(_CURRENTS, projections.shape[0])
        flats, darks = _references(source, projections)
        return Scan(
            path=file, format=self.name, identity=identity, projections=projections, theta=theta,
            flats=flats, darks=darks, flat_times=_flat_times(source, flats, theta),
            theta_stated=_stated(source) is not None, currents=currents,
            exposure_s=source.quantity("exposure", TIME_S, (f"{_DETECTOR}/exposure_time",)),
            pixel_size_um=source.quantity("pixel size", LENGTH_UM, _PIXEL_SIZES),
            energy_kev=source.quantity("energy", ENERGY_KEV, ("/measurement/instrument/monochromator/energy",)),
            distance_mm=source.quantity("distance", LENGTH_MM, _DISTANCES),
            sample=source.text("/measurement/sample/name"), problems=tuple(source.problems),
        )  # fmt: skip


def _check_axes(source: Source) -> None:
    """Raises ScanFault for an order of the axes that would be read as something else."""
    axes = source.attribute(_DATA, "axes")
    names = [name for name in re.split(r"[^a-z]+", axes.lower()) if name]
    if sorted(names) == ["theta", "x", "y"] and names != ["theta", "y", "x"]:
        raise ScanFault(f"{_DATA} has the axes {axes}; theta:y:x is read. Let a layout say what they are, or reorder.")


def _stated(source: Source) -> tuple[NDArray[Any], str] | None:
    found = source.values("/exchange/theta")
    return found if found is not None and found[0].size else None


def _match(source: Source, projections: H5Frames) -> tuple[H5Frames, NDArray[np.float64]]:
    """As many projections as angles, with what had to be assumed or left out told."""
    frames = projections.shape[0]
    if (found := _stated(source)) is None:
        return projections, assumed_angles(source, frames)
    theta = radians(source, *found)
    if len(theta) > frames:
        source.tell(
            "amber",
            f"The file states {len(theta)} angles for {frames} projections: the first {frames} are used.",
            "angles.count",
        )
    elif len(theta) < frames:
        source.tell(
            "red",
            f"The file states {len(theta)} angles for {frames} projections: the rest are not used.",
            "angles.count",
        )
        projections = replace(projections, numbers=np.arange(len(theta)))
    theta = theta[:frames]
    check_order(source, theta)
    return projections, theta


def _references(source: Source, projections: H5Frames) -> tuple[H5Frames | None, H5Frames | None]:
    """Flats and darks; neither for transmissions, which have been divided by their flats already."""
    if source.attribute(_DATA, "units").strip().lower() == "transmission":
        source.tell(
            "info",
            "The file holds transmissions, already divided by flats: flat and dark frames are not used.",
            "flats",
        )
        return None, None
    size = (projections.shape[1], projections.shape[2])
    flats, darks = (
        next((found for name in names if (found := source.frames(f"/exchange/{name}", size))), None)
        for names in (_FLATS, _DARKS)
    )
    tell_missing(source, flats, darks)
    return flats, darks


def _flat_times(source: Source, flats: H5Frames | None, theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """When each flat was taken, from the angle the sample then stood at; all before the scan when that is not told."""
    if flats is None:
        return np.empty(0)
    count = flats.shape[0]
    found = source.values("/exchange/theta_white")
    if found is None or found[0].size != count or not (np.all(np.diff(theta) > 0) or np.all(np.diff(theta) < 0)):
        return np.full(count, -0.5)
    turned = radians(source, *found)
    rising = 1.0 if theta[-1] >= theta[0] else -1.0
    return np.asarray(np.searchsorted(rising * theta, rising * turned), np.float64) - 0.5
