"""What readers of folders of frames have in common: angles and set-up in files beside the frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import yaml
from numpy.typing import NDArray

from stp3.errors import ScanFault, UsageFault
from stp3.metadata import Metadata
from stp3.readers.frame_files import Decode, FileFormat, FileFrames, frames_of
from stp3.readers.frame_folder import Numbered, Sorted, angles_of, find_files, sort_files
from stp3.readers.quantities import Told, assumed_angles, check_order, radians, tell_missing
from stp3.scan import Frames, Scan, ScanIdentity, regular_file

SET_UP = "scan.yaml"
"""The file beside frames that states what they do not: energy_kev, distance_mm, pixel_size_um, ..."""
_ANGLE_FILES = (".txt", ".csv", ".dat", ".tlt", ".rawtlt")
_MOST_BYTES = 10_000_000
_RANGE = "angle_range_deg"


class FolderReader:
    """A reader of folders with frames in files of one kind. Subclasses look into one file."""

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    kind: ClassVar[str]
    """What such files are called."""

    def look(self, path: Path) -> FileFormat:
        """How the frames in a file lie. Raises ScanFault."""
        raise NotImplementedError

    def decode(self) -> Decode | None:
        """What decodes compressed frames, where the format has them."""
        return None

    def set_up(self, path: Path) -> dict[str, Any]:
        """What the first projection's file says of the measurement, by the names of Metadata."""
        return {}

    def misfit(self, path: Path) -> str | None:
        """What the folder lacks to be of this format, in words; None when it is."""
        if not path.is_dir():
            own = path.name.lower().endswith(self.suffixes)
            return f"{self.kind} files are read by the folder; give {path.parent}." if own else f"It is no {self.kind}."
        try:
            self._sorted(path)
        except ScanFault as fault:
            return str(fault)
        return None

    def _sorted(self, path: Path) -> tuple[Path, Sorted]:
        """The folder of the scan and its files by kind. Raises ScanFault."""
        folder, names = find_files(path, self.suffixes)
        if not names:
            raise ScanFault(f"The folder has no file ending in {', '.join(self.suffixes)}.")
        return folder, sort_files(names)

    def open(self, path: Path) -> Scan:
        """The scan, its frames read lazily. Raises ScanFault."""
        if not path.is_dir():
            raise ScanFault(f"{path} cannot be opened. {self.misfit(path)}")
        told = Told()
        path, files = self._sorted(path)
        files = self.choose(path, files, told)
        projections = self._frames(path, files.projections)
        if projections is None or not projections.shape[0]:
            raise ScanFault(f"{path / files.projections[0].name} holds no frame.")
        flats, darks = (self._frames(path, some) for some in ((*files.flats, *files.flats_after), files.darks))
        others = [frames for frames in (flats, darks) if frames]
        for frames in others:
            _check_size(frames, projections)
        tell_missing(told, flats, darks)
        stated = self.set_up(path / projections.files[0]) | _beside(path)
        range_deg = stated.pop(_RANGE, None)
        count = len(projections.file)
        theta, read = _angles(path, told, count, sum(len(frames.file) for frames in others))
        if not read and range_deg is not None:
            theta = self.spread(range_deg, count)
        elif not read:
            theta = assumed_angles(told, count)
        beside = [*read, *([SET_UP] if (path / SET_UP).exists() else [])]
        names = (*(name for frames in (projections, *others) for name in frames.files), *beside)
        return Scan(
            path=path, format=self.name, identity=ScanIdentity.of(path, names), files=names,
            projections=projections, theta=theta, flats=flats, darks=self.averaged(darks, path) if darks else None,
            flat_times=self.flat_times(files, flats, len(theta)) if flats else np.empty(0),
            theta_stated=bool(read) or range_deg is not None, problems=tuple(told.problems), **stated,
        )  # fmt: skip

    def choose(self, folder: Path, files: Sorted, told: Told) -> Sorted:
        """The files that are used, and why others are not."""
        return files

    def averaged(self, darks: FileFrames, folder: Path) -> Frames:
        """The darks as single frames, where the files hold sums of them."""
        return darks

    def spread(self, range_deg: float, projections: int) -> NDArray[np.float64]:
        """The angles in radians of so many projections over that range."""
        return np.linspace(0, np.deg2rad(range_deg), projections)

    def flat_times(self, files: Sorted, flats: FileFrames, angles: int) -> NDArray[np.float64]:
        """The moment of each flat: before the first projection, or after the last where its name says so."""
        return np.where(flats.file < len(files.flats), -0.5, angles - 0.5)

    def _frames(self, folder: Path, files: Sequence[Numbered]) -> FileFrames | None:
        names = [file.name for file in files]
        return frames_of(folder, names, self.look, self.decode()) if names else None


def _check_size(frames: FileFrames, projections: FileFrames) -> None:
    if frames.shape[1:] != projections.shape[1:]:
        raise ScanFault(
            f"{frames.folder / frames.files[0]} has {frames.rows} rows x {frames.columns} columns, the projections "
            f"{projections.rows} x {projections.columns}."
        )


def _beside(folder: Path) -> dict[str, Any]:
    """What the file of the set-up says; nothing where there is none. Raises ScanFault."""
    path = folder / SET_UP
    if not path.exists():
        return {}
    try:
        content = yaml.safe_load(text_of(path)) or {}
        if not isinstance(content, dict):
            raise ScanFault(f"{path} should hold lines like `energy_kev: 25`.")
        return Metadata.of(content, f" in {path}").stated()
    except yaml.YAMLError as error:
        raise ScanFault(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    except UsageFault as fault:
        raise ScanFault(str(fault)) from fault


def text_of(path: Path) -> str:
    """What stands in a text file of modest size. Raises ScanFault."""
    if regular_file(path).stat().st_size > _MOST_BYTES:
        raise ScanFault(f"{path} is too large for what it should hold.")
    return path.read_text(encoding="utf-8", errors="replace")


def _angles(folder: Path, told: Told, projections: int, others: int) -> tuple[NDArray[np.float64], list[str]]:
    """The angle of each projection in radians, and the name of the file that they stand in; nothing without one."""
    lists = _lists(folder, projections)
    if len(lists) > 1:
        raise ScanFault(f"{folder} has several files of angles: {', '.join(lists)}. Keep one.")
    if not lists:
        return np.empty(0), []
    (name, values), *_ = lists.items()
    try:
        chosen, fitting = angles_of(values, projections, others)
    except ScanFault as fault:
        raise ScanFault(f"{folder / name} {fault}") from fault
    if not fitting:
        told.tell(
            "amber",
            f"{name} states {len(values)} angles for {projections} projections and {others} other frames: those "
            f"that turn most evenly, from {chosen[0]:g} to {chosen[-1]:g}, are used.",
        )
    theta = radians(told, chosen, "deg")
    check_order(told, theta)
    return theta, [name]


def _lists(folder: Path, projections: int) -> dict[str, NDArray[np.float64]]:
    """The lists of numbers that may be angles: in files named so, else in text files that hold enough of them."""
    names = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in _ANGLE_FILES and path.is_file())
    named = [name for name in names if any(word in name.lower() for word in ("angle", "theta", "rot", ".tlt"))]
    lists = {name: values for name in named or names if (values := _numbers(folder / name)) is not None}
    return lists if named else {name: values for name, values in lists.items() if len(values) >= projections}


def _numbers(path: Path) -> NDArray[np.float64] | None:
    """The last number of each line, lines of words left out; None when the file is no list of numbers."""
    found: list[float] = []
    for line in text_of(path).splitlines():
        words = line.replace(",", " ").replace(";", " ").split()
        try:
            numbers = [float(word) for word in words]
        except ValueError:
            if found:
                return None
            continue  # a heading
        found += numbers[-1:]
    return np.array(found) if len(found) > 1 else None
