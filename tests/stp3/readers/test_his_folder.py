"""Folders of Hamamatsu HIS files."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from stp3.errors import ScanFault
from stp3.readers.his_folder import HISFolder
from stp3.scan import open_scan
from stp3.testing import Truth
from stp3.testing.reader_contract import ReaderContract

FRAMES = np.arange(6 * 5 * 7, dtype=np.uint16).reshape(6, 5, 7)


class TestHISFolder(ReaderContract):
    reader = HISFolder()
    suffix = ""

    def file(self, path: Path) -> Path:
        return path / "tomo.his"

    def test_a_file_cut_between_frames_is_told(self, truth: Truth, path: Path) -> None:
        file = self.file(path)
        os.truncate(file, file.stat().st_size // 2)
        told = [problem.text for problem in self.reader.open(path).problems]
        assert "tomo.his announces 12 frames and holds 6: is it complete?" in told
        assert any("12 angles for 6 projections" in text for text in told)

    def test_a_file_cut_short_is_refused_in_words(self, truth: Truth, path: Path) -> None:
        file = self.file(path)
        os.truncate(file, file.stat().st_size // 2 + 100)
        with pytest.raises(ScanFault, match="cut short"):
            self.reader.open(path)


def put(path: Path, frames: NDArray[np.generic], kind: int) -> None:
    """Frames with comments of different lengths."""
    with open(path, "ab") as file:
        for number, frame in enumerate(frames):
            comment = b"x" * (7 * number)
            head = struct.pack("<2s6H", b"IM", len(comment), frame.shape[1], frame.shape[0], 3, 4, kind)
            file.write(head.ljust(64, b"\xff") + comment + frame.tobytes())


@pytest.mark.parametrize(("kind", "dtype"), [(0, "uint8"), (2, "uint16"), (3, "uint32")])
def test_frames_of_each_kind_of_pixel(tmp_path: Path, kind: int, dtype: str) -> None:
    put(tmp_path / "tooth.his", FRAMES.astype(dtype), kind)
    put(tmp_path / "tooth_dark.his", FRAMES[:2].astype(dtype), kind)
    put(tmp_path / "tooth_flat_post.his", FRAMES[:1].astype(dtype), kind)
    scan = open_scan(tmp_path)
    assert scan.projections.dtype == np.dtype(dtype)
    assert_array_equal(scan.projections.read(range(1, 3), np.array([0, 5])), FRAMES.astype(dtype)[[0, 5], 1:3])
    assert scan.darks is not None
    assert scan.darks.shape == (2, 5, 7)
    assert_array_equal(scan.flat_times, [5.5])


def test_packed_pixels_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "tooth.his", FRAMES, 6)
    with pytest.raises(ScanFault, match=r"tooth\.his has 7 x 5 pixels of kind 6"):
        open_scan(tmp_path)


def test_what_follows_a_frame_must_be_a_frame(tmp_path: Path) -> None:
    put(tmp_path / "tooth.his", FRAMES, 2)
    with open(tmp_path / "tooth.his", "ab") as file:
        file.write(b"rubbish after the last frame")
    with pytest.raises(ScanFault, match=r"tooth\.his is damaged or cut short: frame 6 has no header"):
        open_scan(tmp_path)
