"""What steps measure once in the whole scan, before there are slabs: kept in the plan, and beside it for jobs."""

from __future__ import annotations

import hashlib
import io
from collections.abc import MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stp3.durable import sync_folder, write_unit
from stp3.errors import Stp3Error
from stp3.recipe import Recipe, StepUse, fingerprint

if TYPE_CHECKING:
    from stp3.scan import Scan

Found = dict[str, NDArray[Any]]
Measured = dict[str, Found]
"""By fingerprint of the step and its parameters."""


def measure(
    recipe: Recipe, scan: Scan, threads: int = 1, known: MutableMapping[str, Found] | None = None
) -> tuple[Recipe, Measured]:
    """The recipe with a number wherever "auto" was measured, and what its steps measured in that part of a scan.

    `known` keeps what was measured, for the next time with the same scan.
    """
    known = {} if known is None else known
    uses: list[StepUse] = []
    measured: Measured = {}
    for use in recipe.uses:
        if not use.on:
            uses.append(use)
            continue
        key = fingerprint([*(earlier for earlier in recipe.running if earlier.step.domain == "scan"), use])
        if key not in known:
            known[key] = use.step.measure(use.parameters, scan, threads)
        if found := known[key]:
            use = replace(use, parameters=use.step.settle_measured(use.parameters, found))
            measured[fingerprint([use])] = found
        uses.append(use)
    return Recipe(tuple(uses)), measured


def digest(measured: Measured) -> str:
    """SHA-256 of all names, types, shapes and values; nothing where nothing was measured."""
    if not measured:
        return ""
    total = hashlib.sha256()
    for name, array in sorted(_flat(measured).items()):
        total.update(f"{name}:{array.dtype.str}:{array.shape}:".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def write_measured(path: Path, measured: Measured) -> None:
    """One durable .npz of it all; none where nothing was measured. Raises Stp3Error when the disk refuses."""
    if measured:
        file = io.BytesIO()
        np.savez(file, **_flat(measured))  # type: ignore[arg-type]
        write_unit(path.parent, path.name, [file.getvalue()])
        sync_folder(path.parent)


def read_measured(path: Path, expected: str) -> Measured:
    """What was written there, when its digest is the expected one. Raises Stp3Error."""
    measured: Measured = {}
    if not expected:
        return measured
    try:
        with np.load(path, allow_pickle=False) as stored:
            for name in stored.files:
                key, _, what = name.partition(".")
                measured.setdefault(key, {})[what] = stored[name]
    except (OSError, ValueError, EOFError) as error:
        raise Stp3Error(f"{path} cannot be read: {error}. Start a new job.") from error
    if digest(measured) != expected:
        raise Stp3Error(f"{path} is not what this job measured when it began. Start a new job.")
    return measured


def _flat(measured: Measured) -> Found:
    return {f"{key}.{name}": array for key, found in measured.items() for name, array in found.items()}
