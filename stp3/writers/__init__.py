"""The catalogue of writers; built-in and foreign ones register under the entry points `stp3.writers`."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from stp3.errors import UsageFault
from stp3.writers.base import Layout, SlabRecord, Writer, histogram_of

__all__ = ["Layout", "SlabRecord", "Writer", "find_writer", "format_names", "histogram_of"]


@cache
def _registered() -> dict[str, type[Writer]]:
    return {point.name: point.load() for point in entry_points(group="stp3.writers")}


def format_names() -> list[str]:
    """The formats in which a volume can be written."""
    return sorted(_registered())


def find_writer(name: str) -> type[Writer]:
    """The writer of that format. Raises UsageFault."""
    try:
        return _registered()[name]
    except KeyError:
        raise UsageFault(f'there is no output format "{name}". Known: {", ".join(format_names())}.') from None
