"""Practice scans as folders of frames: TIFF, EDF, HIS."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import yaml
from numpy.typing import NDArray

from stp3.testing.truth import Truth


@dataclass(frozen=True)
class FolderWriter:
    """Frames in files told apart by their names, angles in angles.txt, the set-up in scan.yaml.

    `together`: frames of a kind stand in one file, instead of one file each.
    """

    folder: Path
    truth: Truth
    sample: str
    together: bool

    def write_references(self, flats: NDArray[np.uint16], darks: NDArray[np.uint16]) -> None:
        truth = self.truth
        before = truth.flats_before
        for name, frames in (("dark", darks), ("flat", flats[:before]), ("flat_after", flats[before:])):
            self._write(name, 0, frames)
        degrees = "\n".join(repr(float(angle)) for angle in np.rad2deg(truth.theta))
        (self.folder / "angles.txt").write_text(f"{degrees}\n", encoding="utf-8")
        names = ("energy_kev", "distance_mm", "pixel_size_um")
        content = {"sample": self.sample} | {name: getattr(truth, name) for name in names}
        (self.folder / "scan.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def write_projections(self, start: int, counts: NDArray[np.uint16]) -> None:
        self._write("tomo", start, counts)

    def _write(self, name: str, start: int, frames: NDArray[np.uint16]) -> None:
        for number, frame in enumerate(frames, start):
            self._put(self.folder / (name if self.together else f"{name}_{number:04d}"), frame)

    def _put(self, path: Path, frame: NDArray[np.uint16]) -> None:
        """Puts the frame at the end of that file, the ending of whose name is still left out."""
        raise NotImplementedError


class TIFFWriter(FolderWriter):
    """TIFF files of one page, or one of many."""

    def _put(self, path: Path, frame: NDArray[np.uint16]) -> None:
        about: dict[str, Any] = {"append": True, "photometric": "minisblack", "metadata": None}
        tifffile.imwrite(path.with_suffix(".tif"), frame, **about)


class EDFWriter(FolderWriter):
    """EDF files of one frame, or one of many."""

    def _put(self, path: Path, frame: NDArray[np.uint16]) -> None:
        keys = {
            "ByteOrder": "LowByteFirst",
            "DataType": "UnsignedShort",
            "Dim_1": frame.shape[1],
            "Dim_2": frame.shape[0],
        }
        text = "{\n" + "".join(f"{key} = {value} ;\n" for key, value in keys.items())
        header = text.ljust(-(-(len(text) + 2) // 512) * 512 - 2) + "}\n"
        with open(path.with_suffix(".edf"), "ab") as file:
            file.write(header.encode("ascii") + frame.astype("<u2").tobytes())


class HISWriter(FolderWriter):
    """HIS files, whose frames always stand together; the first header says how many they are."""

    def _put(self, path: Path, frame: NDArray[np.uint16]) -> None:
        truth, kinds = self.truth, ("tomo", "flat", "flat_after", "dark")
        counts = dict(zip(kinds, (truth.angles, truth.flats_before, truth.flats_after, truth.darks), strict=True))
        comment = b"~Hokawo~practice scan"
        head = struct.pack("<2s6H", b"IM", len(comment), frame.shape[1], frame.shape[0], 0, 0, 2)
        head = (head + struct.pack("<i", counts[path.name])).ljust(64, b"\0")
        with open(path.with_suffix(".his"), "ab") as file:
            file.write(head + comment + frame.astype("<u2").tobytes())

    def _write(self, name: str, start: int, frames: NDArray[np.uint16]) -> None:
        for frame in frames:
            self._put(self.folder / name, frame)
