"""Folders of TIFF files: single and multi-page, BigTIFF, 8 to 32 bits or float, compressed or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from stp3.errors import ScanFault
from stp3.readers.folder_reader import FolderReader
from stp3.readers.frame_files import COMPRESSED, Decode, FileFormat
from stp3.scan import regular_file

_DAMAGE = (tifffile.TiffFileError, ValueError, KeyError, IndexError, OSError, OverflowError)


def rows_of(path: Path, pages: Sequence[int], rows: range) -> Iterator[NDArray[Any]]:
    """Rows of some pages of a compressed file; only the strips that hold them are decoded. Raises ScanFault."""
    try:
        with tifffile.TiffFile(regular_file(path)) as file:
            for number in pages:
                yield _decoded(file, file.pages[number], rows)
    except _DAMAGE as error:
        hint = " (pip install imagecodecs)" if "imagecodecs" in str(error) else ""
        raise ScanFault(f"{path} cannot be decoded: {' '.join(str(error).split())}{hint}.") from error


def _decoded(file: tifffile.TiffFile, page: Any, rows: range) -> NDArray[Any]:
    if page.is_tiled:
        return np.asarray(page.asarray())[rows.start : rows.stop]
    high = page.rowsperstrip
    strips = range(rows.start // high, -(-rows.stop // high))
    parts = []
    for strip in strips:
        file.filehandle.seek(page.dataoffsets[strip])
        values = page.decode(file.filehandle.read(page.databytecounts[strip]), strip)[0]
        parts.append(np.reshape(values, (-1, page.imagewidth)))
    start = rows.start - strips.start * high
    return np.concatenate(parts)[start : start + len(rows)]


class TIFFFolder(FolderReader):
    """Reads folders of TIFF files."""

    name = "tiff"
    kind = "TIFF"
    suffixes = (".tif", ".tiff")

    def decode(self) -> Decode:
        return rows_of

    def look(self, path: Path) -> FileFormat:
        """How the frames of a file lie. Raises ScanFault."""
        try:
            with tifffile.TiffFile(path) as file:
                return _format(file, path)
        except _DAMAGE as error:
            raise ScanFault(f"{path} is no TIFF that can be read: {' '.join(str(error).split())}.") from error


def _format(file: tifffile.TiffFile, path: Path) -> FileFormat:
    first: Any = file.pages[0]
    if first.dtype is None or first.dtype.kind not in "iuf":
        raise ScanFault(f"{path} has pixels of {first.bitspersample} bits, which STP3 does not read.")
    if first.samplesperpixel != 1 or first.imagedepth != 1:
        raise ScanFault(f"{path} has {first.samplesperpixel} values a pixel: it is a colour picture, not a projection.")
    if first.photometric == 0:
        raise ScanFault(f"{path} stores white as zero, which no detector does. Save it again with black as zero.")
    dtype = np.dtype(first.dtype).newbyteorder(file.byteorder)
    return FileFormat(first.imagelength, first.imagewidth, dtype, tuple(_offsets(file, path)))


def _offsets(file: tifffile.TiffFile, path: Path) -> Iterator[int]:
    """Where each page begins. Of large files ImageJ describes the first page only; the others follow it."""
    first: Any = file.pages[0]
    about = file.imagej_metadata or {}
    images = int(about.get("images", 1))
    if len(file.pages) == 1 and images > 1 and _is_plain(first):
        for number in range(images):
            yield first.dataoffsets[0] + number * first.imagelength * first.imagewidth * first.dtype.itemsize
        return
    pages: Any = file.pages
    for number, page in enumerate(pages):
        if (page.imagelength, page.imagewidth, page.dtype) != (first.imagelength, first.imagewidth, first.dtype):
            raise ScanFault(
                f"page {number} of {path} has {page.imagelength} rows x {page.imagewidth} columns of {page.dtype}, the "
                f"first {first.imagelength} x {first.imagewidth} of {first.dtype}."
            )
        if max(np.add(page.dataoffsets, page.databytecounts), default=0) > file.filehandle.size:
            raise ScanFault(f"{path} is cut short: it ends before page {number} does. Copy it again.")
        yield page.dataoffsets[0] if _is_plain(page) else COMPRESSED


def _is_plain(page: Any) -> bool:
    return page.compression == 1 and page.fillorder == 1 and page.is_contiguous and len(page.dataoffsets) > 0
