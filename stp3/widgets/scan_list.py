"""The scans of a visit, as files in its folder; nothing outside that folder is ever opened."""

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

SUFFIXES = (".h5", ".hdf5", ".hdf", ".nxs", ".nx5")
_DEEPEST = 4
_MOST = 500


@dataclass(frozen=True)
class ScanFile:
    """A file that may be a scan; `name` is its path below the visit's folder."""

    root: DataRoot
    name: str
    bytes: int
    modified: datetime

    @property
    def path(self) -> Path:
        """The real path. Raises UsageFault when it leads out of the visit's folder."""
        return inside(self.root, self.root.folder / self.name)


def inside(root: DataRoot, path: Path) -> Path:
    """The real path, when it lies in the visit's folder and is a plain file. Raises UsageFault."""
    real, folder = path.resolve(), root.folder.resolve()
    if not real.is_relative_to(folder):
        raise UsageFault(f"{path.name} lies outside the folder of {root.title or root.id}. Choose a scan of the list.")
    if not real.is_file():
        raise UsageFault(f"{path.name} is gone, or is no plain file. Refresh the list.")
    return real


def list_scans(root: DataRoot) -> list[ScanFile]:
    """The files that may be scans, newest first; at most 500, four folders deep. Raises UsageFault."""
    if not root.folder.is_dir():
        raise UsageFault(
            f"The folder of {root.title or root.id} cannot be opened. Tell the beamline's staff: {root.folder}."
        )
    found = []
    for entry in _walk(root.folder):
        if file := _scan_file(root, entry):
            found.append(file)
        if len(found) >= _MOST:
            break
    return sorted(found, key=lambda file: file.modified, reverse=True)


def _walk(top: Path) -> Iterator[os.DirEntry[str]]:
    folders = deque([(str(top), 0)])
    while folders:
        folder, depth = folders.popleft()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if not entry.is_dir(follow_symlinks=False):
                yield entry
            elif depth < _DEEPEST:
                folders.append((entry.path, depth + 1))


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
