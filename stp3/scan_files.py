"""Writers of scans: Data Exchange, NXtomo, TDF and folders of TIFF, as our readers and others take them.

Frames are stored as they come, in whatever number type. What a format has no room for is told, never dropped in
silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Literal

import h5py
import numpy as np
import tifffile
import yaml
from numpy.typing import NDArray

from stp3.kernels.angles import exact_degrees
from stp3.readers.hdf5 import even_runs
from stp3.scan import Frames, Scan

Kind = Literal["projections", "flats", "darks"]
KINDS: tuple[Kind, ...] = ("darks", "flats", "projections")
_DETECTOR = "measurement/instrument/detector"
_SOURCE = "measurement/instrument/source"


def frames_of(scan: Scan, kind: Kind) -> Frames | None:
    """The stack of that kind, None when the scan has none."""
    found: Frames | None = getattr(scan, kind)
    return found


@dataclass
class ScanFile:
    """A scan being written to `path`: `begin`, then `put` for all frames of all kinds, then `close`."""

    scan: Scan
    path: Path
    name: ClassVar[str]
    by_rows: ClassVar[bool] = False
    """Whether all frames of some rows lie together in the file, instead of all rows of some frames."""
    takes_rows: ClassVar[bool] = True
    """Whether `put` takes less than all rows of a frame."""

    def begin(self) -> None:
        """Writes what stands around the frames."""
        raise NotImplementedError

    def put(self, kind: Kind, frames: range, rows: range, data: NDArray[Any]) -> None:
        """Stores some rows of some frames, shape (frames, rows, columns)."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing comes any more."""

    def not_kept(self) -> list[str]:
        """What the scan says and the format cannot."""
        return []

    @property
    def order(self) -> dict[Kind, NDArray[np.intp]]:
        """The place of each frame among all, as they were taken: darks, then flats and projections by their moments."""
        counts = {kind: stack.shape[0] if (stack := frames_of(self.scan, kind)) else 0 for kind in KINDS}
        moments = (
            np.full(counts["darks"], -np.inf),
            self.scan.flat_times,
            np.arange(counts["projections"], dtype=float),
        )
        place = np.argsort(np.argsort(np.concatenate(moments), kind="stable"), kind="stable")
        ends = np.cumsum(list(counts.values()))[:-1]
        return dict(zip(KINDS, np.split(place, ends), strict=True))


class _HDF5(ScanFile):
    """What the HDF5 formats share."""

    def begin(self) -> None:
        self.file = h5py.File(self.path, "w", libver=("v110", "v110"))
        identity = self.scan.identity
        self.file.attrs["converted_by"] = f"STP3 {version('stp3')}"
        self.file.attrs["converted_from"] = identity.path
        self.file.attrs["converted_from_head_sha256"] = identity.head_sha256
        self.describe()

    def describe(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        if self.file:
            self.file.close()

    def state(self, path: str, value: Any, units: str = "") -> None:
        """Writes a value that the scan states; nothing where it does not."""
        if value is None or (isinstance(value, str) and not value):
            return
        self.file[path] = value
        if units:
            self.file[path].attrs["units"] = units

    def state_measurement(self) -> None:
        """/measurement, which Data Exchange and TDF share."""
        scan = self.scan
        self.state("measurement/sample/name", scan.sample)
        self.state(f"{_DETECTOR}/pixel_size", scan.pixel_size_um, "um")
        self.state(f"{_DETECTOR}/distance", scan.distance_mm, "mm")
        self.state(f"{_DETECTOR}/exposure_time", scan.exposure_s, "s")
        self.state("measurement/instrument/monochromator/energy", scan.energy_kev, "keV")
        self.state(f"{_SOURCE}/current", scan.currents)
        if scan.theta_stated:
            self.state("exchange/theta", exact_degrees(scan.theta), "degrees")


_EXCHANGE: dict[Kind, str] = {
    "projections": "exchange/data", "flats": "exchange/data_white", "darks": "exchange/data_dark",
}  # fmt: skip


class DataExchange(_HDF5):
    """/exchange/data (angle, row, column) and what belongs to it."""

    name = "data-exchange"

    def describe(self) -> None:
        scan = self.scan
        self.file["implements"] = "exchange:measurement"
        for kind, path in _EXCHANGE.items():
            if stack := frames_of(scan, kind):
                data = self.file.create_dataset(path, stack.shape, stack.dtype.newbyteorder("="))
                data.attrs.update({"units": "counts", "axes": "theta:y:x"})
        self.state_measurement()
        if scan.flats and self._tells_moments():
            self.state("exchange/theta_white", self._angles_of_flats(), "degrees")

    def put(self, kind: Kind, frames: range, rows: range, data: NDArray[Any]) -> None:
        self.file[_EXCHANGE[kind]][frames.start : frames.stop, rows.start : rows.stop] = data

    def not_kept(self) -> list[str]:
        lost = ["the ring current of flats"] if self.scan.flat_currents is not None else []
        if self.scan.flats and not self._tells_moments() and (self.scan.flat_times >= 0).any():
            lost.append("when flats were taken, because the angles do not run one way")
        return lost

    def _tells_moments(self) -> bool:
        steps = np.diff(self.scan.theta)
        return self.scan.theta_stated and bool(np.all(steps > 0) or np.all(steps < 0))

    def _angles_of_flats(self) -> NDArray[np.float64]:
        """The angle of the projection that follows each flat; beyond the last one for those after the scan."""
        degrees = exact_degrees(self.scan.theta)
        step = degrees[-1] - degrees[-2] if len(degrees) > 1 else 1.0
        following = np.clip(np.ceil(self.scan.flat_times), 0, len(degrees)).astype(int)
        return np.asarray(np.append(degrees, degrees[-1] + step)[following], np.float64)


_NEXUS = {
    "entry": "NXentry", "entry/data": "NXdata", "entry/instrument": "NXinstrument", "entry/sample": "NXsample",
    "entry/instrument/beam": "NXbeam", "entry/instrument/detector": "NXdetector", "entry/control": "NXmonitor",
}  # fmt: skip
_KEYS: dict[Kind, int] = {"projections": 0, "flats": 1, "darks": 2}


class NXtomo(_HDF5):
    """One stack in the order in which frames were taken, told apart by image_key."""

    name = "nxtomo"

    def describe(self) -> None:
        scan, detector, places = self.scan, "entry/instrument/detector", self.order
        self.file.attrs.update({"NX_class": "NXroot", "default": "entry"})
        for path, nexus in _NEXUS.items():
            self.file.require_group(path).attrs["NX_class"] = nexus
        self.file["entry"].attrs["default"] = "data"
        self.file["entry/definition"] = "NXtomo"
        count, kinds = sum(map(len, places.values())), {kind: frames_of(scan, kind) for kind in KINDS}
        dtype = np.result_type(*(stack.dtype for stack in kinds.values() if stack)).newbyteorder("=")
        self.file.create_dataset(f"{detector}/data", (count, scan.rows, scan.columns), dtype)
        keys, angles, currents = np.empty(count, np.int32), np.zeros(count), np.full(count, np.nan)
        for kind, place in places.items():
            keys[place] = _KEYS[kind]
        degrees = exact_degrees(scan.theta)
        angles[places["projections"]] = degrees
        angles[places["flats"]] = degrees[np.clip(np.ceil(scan.flat_times), 0, len(degrees) - 1).astype(int)]
        self.file[f"{detector}/image_key"] = keys
        if scan.theta_stated:
            self.state("entry/sample/rotation_angle", angles, "degrees")
        if scan.currents is not None and (scan.flats is None or scan.flat_currents is not None):
            currents[places["projections"]] = scan.currents
            currents[places["flats"]] = [] if scan.flat_currents is None else scan.flat_currents
            self.state("entry/control/data", np.where(np.isnan(currents), np.mean(scan.currents), currents))
        self._describe_set_up(detector)

    def _describe_set_up(self, detector: str) -> None:
        scan = self.scan
        self.state("entry/sample/name", scan.sample)
        for name in ("x_pixel_size", "y_pixel_size"):
            self.state(f"{detector}/{name}", scan.pixel_size_um, "um")
        self.state(f"{detector}/distance", scan.distance_mm, "mm")
        self.state(f"{detector}/count_time", scan.exposure_s, "s")
        self.state("entry/instrument/beam/incident_energy", scan.energy_kev, "keV")
        self.file["entry/data"].attrs["signal"] = "data"
        for name, place in (("data", detector), ("image_key", detector), ("rotation_angle", "entry/sample")):
            self.file[f"entry/data/{name}"] = h5py.SoftLink(f"/{place}/{name}")

    def put(self, kind: Kind, frames: range, rows: range, data: NDArray[Any]) -> None:
        stack = self.file["entry/instrument/detector/data"]
        for start, run in even_runs(self.order[kind][frames.start : frames.stop]):
            stack[run.start : run.stop : run.step, rows.start : rows.stop] = data[start : start + len(run)]

    def not_kept(self) -> list[str]:
        scan = self.scan
        lost = scan.currents is not None and scan.flats is not None and scan.flat_currents is None
        return ["the ring current, which is not known for flats"] if lost else []


class TDF(_HDF5):
    """Sinograms one after the other, and a table of when each frame was taken."""

    name = "tdf"
    by_rows = True

    def describe(self) -> None:
        self.file.attrs.update({"version": "1.0", "implements": "exchange:measurement:provenance"})
        self._extremes: dict[Kind, tuple[float, float]] = {}
        for kind, path in _EXCHANGE.items():
            if stack := frames_of(self.scan, kind):
                frames, rows, columns = stack.shape
                self.file.create_dataset(path, (rows, frames, columns), stack.dtype.newbyteorder("="))
        self.state_measurement()
        self.state("provenance/detector_output", self._table())
        prefixes = {f"{kind}_prefix": kind for kind in _FILES.values()}
        self.file["provenance/detector_output"].attrs.update(prefixes | {"first_index": 0})

    def put(self, kind: Kind, frames: range, rows: range, data: NDArray[Any]) -> None:
        self.file[_EXCHANGE[kind]][rows.start : rows.stop, frames.start : frames.stop] = data.swapaxes(0, 1)
        low, high = self._extremes.get(kind, (np.inf, -np.inf))
        self._extremes[kind] = min(low, float(np.nanmin(data))), max(high, float(np.nanmax(data)))

    def close(self) -> None:
        for kind, (low, high) in self._extremes.items():
            self.file[_EXCHANGE[kind]].attrs.update({"axes": "y:theta:x", "min": f"{low:g}", "max": f"{high:g}"})
        super().close()

    def not_kept(self) -> list[str]:
        return ["the ring current of flats"] if self.scan.flat_currents is not None else []

    def _table(self) -> NDArray[np.void]:
        """A second for each frame, in the order in which they were taken."""
        begin, places = datetime(2000, 1, 1), self.order
        rows = [
            (f"{_FILES[kind]}_{number:05d}.tif", (begin + timedelta(seconds=int(place))).isoformat(" ", "milliseconds"))
            for kind in ("flats", "darks", "projections")
            for number, place in enumerate(places[kind])
        ]
        return np.array(rows, [("filename", "S255"), ("timestamp", "S255")])


_FILES: dict[Kind, str] = {"projections": "tomo", "flats": "flat", "darks": "dark"}


class TIFFFolder(ScanFile):
    """A file for each frame; angles in angles.txt, what else is known in scan.yaml."""

    name = "tiff"
    takes_rows = False

    def begin(self) -> None:
        scan = self.scan
        self.path.mkdir()
        if scan.theta_stated:
            lines = "\n".join(repr(float(angle)) for angle in exact_degrees(scan.theta))
            (self.path / "angles.txt").write_text(f"{lines}\n", encoding="utf-8")
        names = ("sample", "energy_kev", "distance_mm", "pixel_size_um", "exposure_s")
        known = {name: value for name in names if (value := getattr(scan, name))}
        if known:
            text = yaml.safe_dump(known, sort_keys=False, allow_unicode=True)
            (self.path / "scan.yaml").write_text(text, encoding="utf-8")

    def put(self, kind: Kind, frames: range, rows: range, data: NDArray[Any]) -> None:
        for number, frame in zip(frames, data, strict=True):
            after = kind == "flats" and self.scan.flat_times[number] > 0
            name = f"{_FILES[kind]}_{'after_' if after else ''}{number:05d}.tif"
            tifffile.imwrite(self.path / name, frame, photometric="minisblack", metadata=None)

    def not_kept(self) -> list[str]:
        scan = self.scan
        lost = ["the ring current"] if scan.currents is not None else []
        within = (scan.flat_times > 0) & (scan.flat_times < scan.angles - 1)
        return lost + (["between which projections flats were taken"] if within.any() else [])


SCAN_FILES: dict[str, type[ScanFile]] = {kind.name: kind for kind in (DataExchange, NXtomo, TDF, TIFFFolder)}
