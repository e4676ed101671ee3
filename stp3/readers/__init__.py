"""Readers of scans; built-in and foreign ones register under the entry points `stp3.readers`."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from stp3.errors import ScanFault, UsageFault
from stp3.scan import Scan

__all__ = ["Reader", "find_reader", "readers"]


class Reader(Protocol):
    """What a format needs: a name, a way to tell its scans, and a way to open them."""

    name: str

    def misfit(self, path: Path) -> str | None:
        """What the file or folder lacks to be of this format, in words; None when it is of this format."""
        ...

    def open(self, path: Path) -> Scan:
        """The scan, read lazily. Raises ScanFault."""
        ...


@cache
def readers() -> tuple[Reader, ...]:
    """All readers, in the order of their names."""
    return tuple(point.load()() for point in sorted(entry_points(group="stp3.readers"), key=lambda point: point.name))


def find_reader(path: Path) -> Reader:
    """The first reader that knows the scan, those of the site's own layouts before others.

    Raises UsageFault for a folder and ScanFault for a file without one.
    """
    from stp3.readers.by_layout import layout_readers

    misfits: dict[str, list[str]] = {}
    for reader in (*layout_readers(), *readers()):
        if (misfit := reader.misfit(path)) is None:
            return reader
        misfits.setdefault(misfit.rstrip("."), []).append(reader.name)
    missed = "; ".join(f"{', '.join(names)}: {misfit}" for misfit, names in misfits.items())
    fault = UsageFault if path.is_dir() else ScanFault
    raise fault(f"{path} is not a scan that STP3 reads ({missed}).")
