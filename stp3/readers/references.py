"""Flats and darks in files of their own: those the user names, or those that lie beside the scan and are named so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import h5py
import numpy as np

from stp3 import config
from stp3.errors import ScanFault
from stp3.readers.hdf5 import SUFFIXES, opened
from stp3.readers.naming import kind_of
from stp3.readers.quantities import Source
from stp3.readers.stacks import joined
from stp3.scan import Frames, Problem, Scan, ScanIdentity

References = Literal["flats", "darks"]
_USUAL = {"flats": ("/exchange/data_white",), "darks": ("/exchange/data_dark",)}
_MOST_OBJECTS = 10_000


def with_references(scan: Scan, flats: Sequence[Path] = (), darks: Sequence[Path] = ()) -> Scan:
    """The scan with the flats and darks of those files instead of its own, or of files beside it where it lacks them.

    Raises ScanFault for a file without frames that fit.
    """
    asked: tuple[tuple[References, Sequence[Path]], ...] = (("flats", flats), ("darks", darks))
    for kind, given in asked:
        found = list(given) or (_beside(scan, kind) if _lacks(scan, kind) else [])
        if found:
            scan = _with_frames(scan, kind, found)
    return scan


def _lacks(scan: Scan, kind: References) -> bool:
    return getattr(scan, kind) is None and any(problem.code == kind for problem in scan.problems)


def _beside(scan: Scan, kind: References) -> list[Path]:
    """The HDF5 files in the scan's folder that are named like such references of it, or of all scans there."""
    if scan.path.is_dir():
        return []
    files = sorted(path for path in scan.path.parent.iterdir() if path.suffix.lower() in SUFFIXES)
    own = _rest(scan.path.stem)
    fitting = [path for path in files if (kind_of(path.stem) or "").startswith(kind) and path != scan.path]
    return [path for path in fitting if _rest(path.stem) in ("", own) and not path.is_symlink()]


def _rest(stem: str) -> str:
    """What is left of a name without the words that say what a file holds: `tooth_flats` -> `tooth`."""
    words = [word for word in re.split(r"[\W_]+", stem) if not kind_of(word) and word.lower() not in _MOMENTS]
    return "_".join(words).lower()


_MOMENTS = ("before", "after", "pre", "post")


def _with_frames(scan: Scan, kind: References, paths: Sequence[Path]) -> Scan:
    size = (scan.rows, scan.columns)
    stacks = [_read(path, kind, size) for path in paths]
    frames = joined(stacks)
    names = ", ".join(path.name for path in paths)
    problems = [problem for problem in scan.problems if problem.code != kind]
    problems.append(Problem("info", f"The {kind} are those of {names}.", f"{kind}.beside"))
    own = scan.files or (scan.path.name,)
    files = (*own, *(str(path.resolve()) for path in paths))
    scan = replace(scan, problems=tuple(problems), files=files, identity=ScanIdentity.of(scan.path, files))
    if kind == "darks":
        return replace(scan, darks=frames)
    late = [scan.angles - 0.5 if kind_of(path.stem) == "flats after" else -0.5 for path in paths]
    times = np.repeat(late, [stack.shape[0] for stack in stacks])
    return replace(scan, flats=frames, flat_times=times, flat_currents=None)


def _read(path: Path, kind: References, size: tuple[int, int]) -> Frames:
    """The one stack of frames in the file. Raises ScanFault."""
    with opened(path) as file:
        source = Source(file, config.root_of(path))
        name = _stack_name(file, kind, path)
        shape = file[name].shape
        sinograms = shape[1:] != size and (shape[0], shape[2]) == size
        try:
            stack = source.frames(name, size, sinograms=sinograms)
        except ScanFault as fault:
            raise ScanFault(f"{path}: {fault}") from fault
    if stack is None:
        raise ScanFault(f"{path} holds no frame: {name} is empty.")
    return stack


def _stack_name(file: h5py.File, kind: References, path: Path) -> str:
    found: list[str] = []
    seen = 0

    def look(name: str, each: h5py.HLObject) -> bool | None:
        nonlocal seen
        seen += 1
        if isinstance(each, h5py.Dataset) and each.ndim == 3 and each.dtype.kind in "iuf":
            found.append(f"/{name}")
        return True if seen > _MOST_OBJECTS else None

    file.visititems(look)
    usual = [name for name in found if name in _USUAL[kind]]
    named = [name for name in found if (kind_of(name.rpartition("/")[2]) or "").startswith(kind)]
    chosen = usual or (named if len(named) == 1 else found)
    if len(chosen) == 1:
        return chosen[0]
    holds = f"several stacks of frames: {', '.join(chosen[:5])}" if chosen else "no stack of frames in 3 dimensions"
    raise ScanFault(f"{path} is to give the {kind} but holds {holds}.")
