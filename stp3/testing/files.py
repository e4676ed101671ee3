"""Practice scans on disk, HDF5 files and folders of frames: written block by block, complete or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from stp3.errors import UsageFault
from stp3.testing.folders import EDFWriter, HISWriter, TIFFWriter
from stp3.testing.truth import Truth

Layout = Literal["contiguous", "frames"]  # frames: a chunk holds four frames, or a file all of them
_NEXUS = {
    "entry": "NXentry",
    "entry/data": "NXdata",
    "entry/instrument": "NXinstrument",
    "entry/instrument/beam": "NXbeam",
    "entry/instrument/detector": "NXdetector",
    "entry/sample": "NXsample",
}


class Writer(Protocol):
    """Takes the frames of a practice scan."""

    def write_references(self, flats: NDArray[np.uint16], darks: NDArray[np.uint16]) -> None: ...

    def write_projections(self, start: int, counts: NDArray[np.uint16]) -> None: ...


@contextmanager
def writing(path: Path, truth: Truth, sample: str, layout: Layout) -> Iterator[Writer]:
    """A writer to a hidden file or folder, which takes the name `path` once all is written. Raises UsageFault."""
    if not path.parent.is_dir():
        raise UsageFault(f"the folder {path.parent} does not exist. Make it first, or write elsewhere.")
    hidden = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if kind := _FOLDERS.get(truth.format):
            if path.exists():
                raise UsageFault(f"{path} exists already. Write elsewhere.")
            hidden.mkdir()
            yield kind(hidden, truth, sample, together=layout == "frames")
        else:
            with h5py.File(hidden, "w", libver=("v110", "v110")) as file:
                yield _WRITERS[truth.format](file, truth, sample, layout)
        hidden.replace(path)
    except PermissionError as error:
        raise UsageFault(f"{path} cannot be written: {error.strerror}. Write elsewhere.") from error
    finally:
        if hidden.is_dir():
            shutil.rmtree(hidden)
        hidden.unlink(missing_ok=True)


@dataclass(frozen=True)
class ScanWriter:
    """Puts frames and what is known about them where a format wants them."""

    file: h5py.File
    truth: Truth
    sample: str
    layout: Layout

    def write_references(self, flats: NDArray[np.uint16], darks: NDArray[np.uint16]) -> None:
        raise NotImplementedError

    def write_projections(self, start: int, counts: NDArray[np.uint16]) -> None:
        raise NotImplementedError

    def _frames(self, path: str, count: int) -> h5py.Dataset:
        shape = (count, self.truth.rows, self.truth.columns)
        chunks = (min(4, count), *shape[1:]) if self.layout == "frames" else None
        return self.file.create_dataset(path, shape, np.uint16, chunks=chunks)

    def _put_set_up(self) -> None:
        """What /measurement says."""
        truth, detector = self.truth, "measurement/instrument/detector"
        self.file["measurement/sample/name"] = self.sample
        self._put(f"{detector}/pixel_size", truth.pixel_size_um, units="um")
        self._put(f"{detector}/distance", truth.distance_mm, units="mm")
        self._put("measurement/instrument/monochromator/energy", truth.energy_kev, units="keV")

    def _put(self, path: str, value: Any, **attributes: str) -> None:
        self.file[path] = value
        self.file[path].attrs.update(attributes)


class DataExchangeWriter(ScanWriter):
    """/exchange/{data, data_white, data_dark, theta, theta_white} and what /measurement says."""

    def write_references(self, flats: NDArray[np.uint16], darks: NDArray[np.uint16]) -> None:
        truth = self.truth
        self.file["implements"] = "exchange:measurement"
        for name, frames in (("data_white", flats), ("data_dark", darks)):
            self._frames(f"exchange/{name}", len(frames))[:] = frames
            self.file[f"exchange/{name}"].attrs["units"] = "counts"
        self._frames("exchange/data", truth.angles).attrs.update({"units": "counts", "axes": "theta:y:x"})
        self._put("exchange/theta", np.rad2deg(truth.theta), units="degrees")
        white = np.repeat((0.0, float(truth.angle_range_deg)), (truth.flats_before, truth.flats_after))
        self._put("exchange/theta_white", white, units="degrees")
        self._put_set_up()

    def write_projections(self, start: int, counts: NDArray[np.uint16]) -> None:
        self.file["exchange/data"][start : start + len(counts)] = counts


class NXtomoWriter(ScanWriter):
    """One stack in the order darks, flats, projections, flats, told apart by image_key."""

    def write_references(self, flats: NDArray[np.uint16], darks: NDArray[np.uint16]) -> None:
        truth = self.truth
        counts = (truth.darks, truth.flats_before, truth.angles, truth.flats_after)
        for path, nexus in _NEXUS.items():
            self.file.require_group(path).attrs["NX_class"] = nexus
        data = self._frames("entry/instrument/detector/data", sum(counts))
        data[: truth.darks] = darks
        data[truth.darks : truth.darks + truth.flats_before] = flats[: truth.flats_before]
        data[sum(counts[:3]) :] = flats[truth.flats_before :]
        self.file["entry/instrument/detector/image_key"] = np.repeat((2, 1, 0, 1), counts)
        turned = np.repeat((0.0, 0.0, 0.0, truth.angle_range_deg), counts)
        turned[sum(counts[:2]) : sum(counts[:3])] = np.rad2deg(truth.theta)
        self._put("entry/sample/rotation_angle", turned, units="degrees")
        self._describe()

    def write_projections(self, start: int, counts: NDArray[np.uint16]) -> None:
        start += self.truth.darks + self.truth.flats_before
        self.file["entry/instrument/detector/data"][start : start + len(counts)] = counts

    def _describe(self) -> None:
        truth, detector = self.truth, "entry/instrument/detector"
        self.file["entry/definition"] = "NXtomo"
        self.file["entry/sample/name"] = self.sample
        for name in ("x_pixel_size", "y_pixel_size"):
            self._put(f"{detector}/{name}", truth.pixel_size_um * 1e-6, units="m")
        self._put(f"{detector}/distance", truth.distance_mm * 1e-3, units="m")
        self._put("entry/instrument/beam/incident_energy", truth.energy_kev, units="keV")
        for name, place in (("data", detector), ("image_key", detector), ("rotation_angle", "entry/sample")):
            self.file[f"entry/data/{name}"] = h5py.SoftLink(f"/{place}/{name}")


class TDFWriter(ScanWriter):
    """Sinograms one after the other, and a table of when each frame was taken: a second apart."""

    def write_references(self, flats: NDArray[np.uint16], darks: NDArray[np.uint16]) -> None:
        truth = self.truth
        self.file.attrs.update({"version": "1.0", "implements": "exchange:measurement:provenance"})
        for name, count in (("data_white", len(flats)), ("data_dark", len(darks)), ("data", truth.angles)):
            self._frames(f"exchange/{name}", count).attrs.update({"axes": "y:theta:x", "min": "0", "max": "65535"})
        self.file["exchange/data_white"][:] = flats.swapaxes(0, 1)
        self.file["exchange/data_dark"][:] = darks.swapaxes(0, 1)
        self._put_set_up()
        self._put("provenance/detector_output", self._table(), **_PREFIXES)
        self.file["provenance/detector_output"].attrs["first_index"] = 0

    def write_projections(self, start: int, counts: NDArray[np.uint16]) -> None:
        self.file["exchange/data"][:, start : start + len(counts)] = counts.swapaxes(0, 1)

    def _frames(self, path: str, count: int) -> h5py.Dataset:
        chunks = (1, min(4, count), self.truth.columns) if self.layout == "frames" else None
        return self.file.create_dataset(path, (self.truth.rows, count, self.truth.columns), np.uint16, chunks=chunks)

    def _table(self) -> NDArray[np.void]:
        truth = self.truth
        before, angles = truth.darks + truth.flats_before, truth.angles
        flats = [*range(truth.darks, before), *range(before + angles, before + angles + truth.flats_after)]
        taken = {"flat": flats, "dark": range(truth.darks), "tomo": range(before, before + angles)}
        begin = datetime(2020, 1, 1)
        rows = [
            (f"{kind}_{number:04d}.tif", (begin + timedelta(seconds=second)).isoformat(" ", "milliseconds"))
            for kind, seconds in taken.items()
            for number, second in enumerate(seconds)
        ]
        return np.array(rows, [("filename", "S255"), ("timestamp", "S255")])


_PREFIXES = {"tomo_prefix": "tomo", "flat_prefix": "flat", "dark_prefix": "dark"}
_WRITERS = {"data-exchange": DataExchangeWriter, "nxtomo": NXtomoWriter, "tdf": TDFWriter}
_FOLDERS = {"edf": EDFWriter, "his": HISWriter, "tiff": TIFFWriter}
