"""The scans of a visit, as files and folders of frames in its folder; nothing outside that folder is ever opened."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from stp3.config import DataRoot
from stp3.errors import UsageFault
from stp3.readers.naming import kind_of

SUFFIXES = (".h5", ".hdf5", ".hdf", ".nxs", ".nx5")
FRAME_SUFFIXES = (".tif", ".tiff", ".edf", ".his")
_FEWEST_FRAMES = 2
_VOLUME = "volume.json"  # stands in or above the slices of a reconstructed volume
_DEEPEST = 4
_MOST = 500


@dataclass(frozen=True)
class ScanFile:
    """A file, or a folder of frames, that may be a scan; `name` is its path below the visit's folder."""

    root: DataRoot
    name: str
    bytes: int
    modified: datetime

    @property
    def path(self) -> Path:
        """The real path. Raises UsageFault when it leads out of the visit's folder."""
        return inside(self.root, self.root.folder / self.name)


def inside(root: DataRoot, path: Path) -> Path:
    """The real path, when it lies in the visit's folder and is a plain file or a folder. Raises UsageFault."""
    real, folder = path.resolve(), root.folder.resolve()
    if not real.is_relative_to(folder):
        raise UsageFault(f"{path.name} lies outside the folder of {root.title or root.id}. Choose a scan of the list.")
    if not (real.is_file() or real.is_dir()):
        raise UsageFault(f"{path.name} is gone, or is no plain file. Refresh the list.")
    return real


def list_scans(root: DataRoot) -> list[ScanFile]:
    """Files and folders that may be scans, newest first; at most 500, four folders deep. Raises UsageFault."""
    if not root.folder.is_dir():
        raise UsageFault(
            f"The folder of {root.title or root.id} cannot be opened. Tell the beamline's staff: {root.folder}."
        )
    found: list[ScanFile] = []
    for folder, entries in _walk(root.folder):
        files = [file for entry in entries if (file := _scan_file(root, entry))]
        found += [scan for scan in (*files, _scan_folder(root, folder, entries)) if scan]
        if len(found) >= _MOST:
            break
    found = list({file.name: file for file in found}.values())[:_MOST]
    return sorted(found, key=lambda file: file.modified, reverse=True)


def _walk(top: Path) -> Iterator[tuple[Path, list[os.DirEntry[str]]]]:
    """Each folder with the files in it."""
    folders = deque([(str(top), 0)])
    while folders:
        folder, depth = folders.popleft()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        seen = [entry for entry in entries if not entry.name.startswith(".")]
        yield Path(folder), [entry for entry in seen if not entry.is_dir(follow_symlinks=False)]
        if depth < _DEEPEST:
            folders.extend((entry.path, depth + 1) for entry in seen if entry.is_dir(follow_symlinks=False))


def _scan_folder(root: DataRoot, folder: Path, entries: list[os.DirEntry[str]]) -> ScanFile | None:
    """The folder when it holds frames as files, or the one above when its name says that these are of one kind."""
    frames = [entry for entry in entries if entry.name.lower().endswith(FRAME_SUFFIXES)]
    if len(frames) < _FEWEST_FRAMES or any((place / _VOLUME).exists() for place in (folder, folder.parent)):
        return None
    if kind_of(folder.name) and folder != root.folder:
        folder = folder.parent
    try:
        size, modified = len(frames) * frames[0].stat().st_size, folder.stat().st_mtime
    except OSError:
        return None
    return ScanFile(root, os.path.relpath(folder, root.folder), size, datetime.fromtimestamp(modified))


def _scan_file(root: DataRoot, entry: os.DirEntry[str]) -> ScanFile | None:
    if not entry.name.lower().endswith(SUFFIXES):
        return None
    try:
        status = entry.stat()
        if not stat.S_ISREG(status.st_mode) or not Path(entry.path).resolve().is_relative_to(root.folder.resolve()):
            return None
    except OSError:
        return None
    name = os.path.relpath(entry.path, root.folder)
    return ScanFile(root, name, status.st_size, datetime.fromtimestamp(status.st_mtime))
