"""Folders of Hamamatsu HIS files: frame after frame, each with a header of 64 bytes and a comment before its pixels."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np

from stp3.errors import ScanFault
from stp3.readers.folder_reader import FolderReader
from stp3.readers.frame_files import FileFormat
from stp3.readers.frame_folder import Sorted
from stp3.readers.quantities import Told
from stp3.scan import regular_file

_HEADER = struct.Struct("<2s6H")  # "IM", length of the comment, columns, rows, x and y offset, kind of pixel
_HEADER_BYTES = 64
_COUNT, _COUNT_AT = struct.Struct("<i"), 14  # how many frames the file shall hold, in the header of the first
_TYPES = {0: "u1", 2: "<u2", 3: "<u4"}


class HISFolder(FolderReader):
    """Reads folders of HIS files: tomo.his, flat.his, flat_post.his, dark.his."""

    name = "his"
    kind = "HIS"
    suffixes = (".his",)

    def look(self, path: Path) -> FileFormat:
        """How the frames of a file lie. Raises ScanFault."""
        size, start = path.stat().st_size, 0
        offsets: list[int] = []
        formats: set[tuple[int, int, str]] = set()
        with open(path, "rb", buffering=0) as file:
            while start < size:
                comment, found = _header(file.fileno(), start, path, len(offsets))
                rows, columns, code = found
                formats.add(found)
                offsets.append(start + _HEADER_BYTES + comment)
                start = offsets[-1] + rows * columns * np.dtype(code).itemsize
        if len(formats) != 1:
            raise ScanFault(f"{path} holds frames of {len(formats)} sizes or types.")
        ((rows, columns, code),) = formats
        return FileFormat(rows, columns, np.dtype(code), tuple(offsets))

    def choose(self, folder: Path, files: Sorted, told: Told) -> Sorted:
        """All files; says where one holds fewer frames than its first header announces."""
        for file in (*files.projections, *files.flats, *files.flats_after, *files.darks):
            path = regular_file(folder / file.name)
            with open(path, "rb", buffering=0) as opened:
                announced = _COUNT.unpack(os.pread(opened.fileno(), _COUNT.size, _COUNT_AT).ljust(_COUNT.size, b"\0"))[
                    0
                ]
            if announced > (holds := len(self.look(path).offsets)):
                told.tell("amber", f"{file.name} announces {announced} frames and holds {holds}: is it complete?")
        return files


def _header(descriptor: int, start: int, path: Path, number: int) -> tuple[int, tuple[int, int, str]]:
    """The length of a frame's comment, and its rows, columns and type. Raises ScanFault."""
    head = os.pread(descriptor, _HEADER.size, start)
    if len(head) < _HEADER.size or head[:2] != b"IM":
        raise ScanFault(f"{path} is damaged or cut short: frame {number} has no header. Copy it again.")
    _, comment, columns, rows, _, _, kind = _HEADER.unpack(head)
    if kind not in _TYPES or not rows or not columns:
        raise ScanFault(f"{path} has {columns} x {rows} pixels of kind {kind}; 0, 2 and 3 are read.")
    return comment, (rows, columns, _TYPES[kind])
