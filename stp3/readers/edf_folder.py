"""Folders of ESRF EDF files, with their .info file: a text header of keys, then the pixels, frame after frame."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stp3.errors import ScanFault
from stp3.readers.folder_reader import FolderReader, text_of
from stp3.readers.frame_files import FileFormat, FileFrames
from stp3.readers.frame_folder import Numbered, Sorted
from stp3.readers.naming import series_of
from stp3.readers.quantities import Told
from stp3.readers.stacks import Rescaled
from stp3.scan import Frames

_TYPES = {
    "unsignedbyte": "u1", "signedbyte": "i1", "unsignedshort": "u2", "signedshort": "i2", "unsignedinteger": "u4",
    "unsignedlong": "u4", "signedinteger": "i4", "signedlong": "i4", "unsigned64": "u8", "signed64": "i8",
    "float": "f4", "floatvalue": "f4", "float32": "f4", "real": "f4", "double": "f8", "doublevalue": "f8",
}  # fmt: skip
_BLOCK, _LONGEST_HEADER = 512, 1 << 16
_SUMMED = "darkend"


class EDFFolder(FolderReader):
    """Reads folders of EDF files as ESRF wrote them: ref0000_1500.edf, refHST1500.edf, darkend0000.edf, dark.edf."""

    name = "edf"
    kind = "EDF"
    suffixes = (".edf",)

    def look(self, path: Path) -> FileFormat:
        """How the frames of a file lie. Raises ScanFault."""
        size, offsets, formats = path.stat().st_size, [], []
        with open(path, "rb", buffering=0) as file:
            start = 0
            while start < size:
                header, length = _header(file.fileno(), start, path)
                formats.append(_format(header, path))
                offsets.append(start + length)
                rows, columns, dtype = formats[-1]
                start = offsets[-1] + max(rows * columns * dtype.itemsize, int(header.get("edf_binarysize", 0)))
        if len(set(formats)) != 1:
            raise ScanFault(f"{path} holds frames of {len(set(formats))} sizes or types.")
        return FileFormat(*formats[0], tuple(offsets))

    def set_up(self, path: Path) -> dict[str, Any]:
        """What the .info file says: Energy in keV, Distance in mm, PixelSize in um, ScanRange in degrees."""
        info = _info(path.parent)
        names = {"energy": "energy_kev", "distance": "distance_mm", "pixelsize": "pixel_size_um"}
        stated = {names[key]: value for key, value in info.items() if key in names and value > 0}
        return stated | ({"angle_range_deg": info["scanrange"]} if info.get("scanrange") else {})

    def choose(self, folder: Path, files: Sorted, told: Told) -> Sorted:
        """Leaves out pictures after the scan, averages beside what they were made of, and sums beside their average."""
        wanted = int(_info(folder).get("tomo_n", 0)) or len(files.projections)
        if (extra := len(files.projections) - wanted) > 0:
            told.tell("info", f"{extra} pictures after the {wanted} projections of the scan are left out.")
        flats = [file for file in files.flats if not _stem(file).startswith("refHST")]
        darks = [file for file in files.darks if not _stem(file).startswith(_SUMMED)]
        return replace(
            files, projections=files.projections[:wanted], flats=tuple(flats) or files.flats,
            darks=tuple(darks) or files.darks,
        )  # fmt: skip

    def flat_times(self, files: Sorted, flats: FileFrames, angles: int) -> NDArray[np.float64]:
        """The moment of each flat: the last number of a name like ref0000_1500 is that of the next projection."""
        by_name = super().flat_times(files, flats, angles)
        stems = [Path(name).stem for name in flats.files]
        numbers = [series_of(stem)[1] if stem.startswith("ref") else None for stem in stems]
        own = np.array([np.nan if number is None else min(number, angles) - 0.5 for number in numbers])[flats.file]
        return np.where(np.isnan(own), by_name, own)

    def averaged(self, darks: FileFrames, folder: Path) -> Frames:
        """darkend0000.edf is the sum of DARK_N frames."""
        count = int(_info(folder).get("dark_n", 1))
        summed = len(darks.file) == 1 and Path(darks.files[0]).stem.startswith(_SUMMED)
        return Rescaled(darks, count) if summed and count > 1 else darks

    def spread(self, range_deg: float, projections: int) -> NDArray[np.float64]:
        """The end of the turn is left out."""
        return np.linspace(0, np.deg2rad(range_deg), projections, endpoint=False)


def _stem(file: Numbered) -> str:
    return Path(file.name).stem


def _header(descriptor: int, start: int, path: Path) -> tuple[dict[str, str], int]:
    """The keys in lower case with their values, and the header's length in bytes. Raises ScanFault."""
    text = b""
    while (end := text.find(b"}\n")) < 0:
        block = os.pread(descriptor, _BLOCK, start + len(text))
        text += block
        if not block or len(text) > _LONGEST_HEADER or not text.lstrip().startswith(b"{"):
            raise ScanFault(f"{path} is damaged: there is no EDF header at byte {start}. Copy it again.")
    pairs = (entry.partition("=") for entry in text[:end].decode("latin-1").lstrip("{\r\n ").split(";"))
    return {key.strip().lower(): value.strip() for key, equals, value in pairs if equals}, end + 2


def _format(header: dict[str, str], path: Path) -> tuple[int, int, np.dtype[Any]]:
    try:
        columns, rows = int(header["dim_1"]), int(header["dim_2"])
        code = _TYPES[header["datatype"].lower()]
    except (KeyError, ValueError) as error:
        raise ScanFault(f"{path} has no Dim_1, Dim_2 and DataType in its header that are known ({error}).") from error
    if rows < 1 or columns < 1 or int(header.get("dim_3", 1)) != 1:
        raise ScanFault(f"{path} should hold pictures, it has {columns} x {rows} x {header.get('dim_3', 1)} values.")
    if header.get("compression", "none").lower() not in ("", "no", "none"):
        raise ScanFault(f"{path} is compressed ({header['compression']}), which STP3 does not read.")
    order = ">" if header.get("byteorder", "LowByteFirst").lower() == "highbytefirst" else "<"
    return rows, columns, np.dtype(f"{order}{code}")


def _info(folder: Path) -> dict[str, float]:
    """The numbers of the folder's .info file by key in lower case; none where there is none, or several."""
    files = sorted(folder.glob("*.info"))
    found: dict[str, float] = {}
    for line in text_of(files[0]).splitlines() if len(files) == 1 else ():
        key, _, value = line.partition("=")
        try:
            found[key.strip().lower()] = float(value)
        except ValueError:
            continue
    return found
