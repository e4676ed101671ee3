"""Which files of a folder are projections, flats and darks: by sub-folder, and by the words and numbers in names."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stp3.errors import ScanFault
from stp3.readers.naming import Kind, kind_of, series_of

_MOST_FOLDERS = 50


@dataclass(frozen=True)
class Numbered:
    """A file of a series: its name from the folder, and its number, None when it has none."""

    name: str
    number: int | None


@dataclass(frozen=True)
class Sorted:
    """The files of each kind, in the order of their numbers."""

    projections: tuple[Numbered, ...]
    flats: tuple[Numbered, ...] = ()
    flats_after: tuple[Numbered, ...] = ()
    darks: tuple[Numbered, ...] = ()


def find_files(folder: Path, suffixes: Sequence[str]) -> tuple[Path, list[str]]:
    """The folder of the scan, and the files in it and its sub-folders with such an ending. Raises ScanFault.

    Where only one sub-folder has such files, it is the folder of the scan, unless its name says that they are of one
    kind (`projections`).
    """
    try:
        found = _with_suffix(folder, suffixes, folder)
        below = {path: _with_suffix(path, suffixes, folder) for path in _sub_folders(folder)}
        deeper = [path for path in below if below[path]] or [path for path in below if _sub_folders(path)]
    except OSError as error:
        raise ScanFault(f"{folder} cannot be read: {os.strerror(error.errno or 0)}.") from error
    if not found and len(deeper) == 1 and not kind_of(deeper[0].name):
        return find_files(deeper[0], suffixes)
    return folder, [*found, *(f"{path.name}/{name}" for path, names in below.items() for name in names)]


def _with_suffix(folder: Path, suffixes: Sequence[str], root: Path) -> list[str]:
    entries = [
        entry for entry in os.scandir(folder)
        if entry.name.lower().endswith(tuple(suffixes)) and not entry.name.startswith(".") and not entry.is_dir()
    ]  # fmt: skip
    for entry in entries:
        if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(root.resolve()):
            raise ScanFault(f"{entry.path} is a link out of the folder. Copy the file into it.")
    return sorted(entry.name for entry in entries)


def _sub_folders(folder: Path) -> list[Path]:
    """Those that are no links, which could lead anywhere."""
    names = sorted(
        entry.name for entry in os.scandir(folder)
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
    )  # fmt: skip
    return [folder / name for name in names[:_MOST_FOLDERS]]


def sort_files(names: Sequence[str]) -> Sorted:
    """The files by kind. Raises ScanFault where that cannot be told, or where files are missing between others."""
    series: dict[Kind, dict[str, list[Numbered]]] = defaultdict(lambda: defaultdict(list))
    for name in names:
        folder, _, file = name.rpartition("/")
        stem = Path(file).stem
        prefix, number = series_of(stem)
        kind = kind_of(stem, folder) or "projections"
        series[kind][f"{folder}/{prefix}" if folder else prefix].append(Numbered(name, number))
    if "projections" not in series:
        kinds = " and ".join(sorted(series))
        raise ScanFault(f"All {len(names)} files are named like {kinds}: there are no projections.")
    projections = _in_order(_only(series["projections"]))
    _check_gaps(projections)
    flats, after, darks = (
        tuple(file for some in series[kind].values() for file in _in_order(some))
        for kind in ("flats", "flats after", "darks")
    )
    return Sorted(projections, flats, after, darks)


def _only(series: dict[str, list[Numbered]]) -> list[Numbered]:
    """The one series of projections: the only one, or the only one that is named so."""
    named = [name for name in series if kind_of(name)]
    chosen = named if len(named) == 1 else list(series)
    if len(chosen) > 1:
        some = ", ".join(f"{name} ({len(files)})" for name, files in list(series.items())[:5])
        raise ScanFault(f"The folder holds several series of frames: {some}. Keep one of them in a folder.")
    return series[chosen[0]]


def _in_order(files: list[Numbered]) -> tuple[Numbered, ...]:
    return tuple(sorted(files, key=lambda file: (-1 if file.number is None else file.number, file.name)))


def _check_gaps(files: Sequence[Numbered]) -> None:
    numbers = np.array([file.number for file in files if file.number is not None])
    if len(numbers) < 2:
        return
    steps = np.diff(numbers)
    usual = int(np.median(steps))
    if (twice := np.flatnonzero(steps == 0)).size:
        raise ScanFault(f"{files[twice[0]].name} and {files[twice[0] + 1].name} have the same number.")
    if (odd := np.flatnonzero(steps != usual)).size:
        first = int(odd[0])
        raise ScanFault(
            f"Frame {numbers[first] + usual} is missing after {files[first].name}: the next is "
            f"{files[first + 1].name}. Copy the missing files into the folder."
        )


def angles_of(values: NDArray[np.float64], projections: int, others: int) -> tuple[NDArray[np.float64], bool]:
    """The angles of the projections out of a list, and whether it was as long as it should be.

    A longer one counts flats and darks in, whose angle stands still: of all runs as long as the projections, the one
    that turns most evenly is taken. Raises ScanFault for a list that is too short.
    """
    if len(values) < projections:
        raise ScanFault(f"states {len(values)} angles for {projections} projections.")
    if len(values) == projections:
        return values, True
    steps = np.diff(values)
    turning = steps[steps != 0]
    usual = np.median(turning) if turning.size else 0.0
    odd = np.abs(steps - usual)
    worst = [odd[start : start + projections - 1].max(initial=0) for start in range(len(values) - projections + 1)]
    start = int(np.argmin(worst))
    return values[start : start + projections], len(values) == projections + others
