"""What a writer is: it stores the slabs of a volume as units which are complete and durable once it returns.

Workers write different slabs at the same time, each its own units, so no file has two writers and a worker that
dies leaves finished slabs whole. `finish` makes of them what the user takes home.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from stp3.durable import Unit
from stp3.histogram import Histogram


@dataclass(frozen=True)
class Layout:
    """A volume before its voxels are there: shape (z, y, x) with one slice for each detector row of `rows`."""

    folder: Path
    format: str
    rows: range
    slab_rows: int
    slice_shape: tuple[int, int]
    dtype: np.dtype[Any]
    voxel_size_um: float | None
    grey_range: tuple[float, float] | None
    fingerprint: str
    recipe: str
    provenance: Mapping[str, Any]
    unit: str = ""
    """Of the values before they became grey numbers, such as 1/cm."""

    @property
    def shape(self) -> tuple[int, int, int]:
        return (len(self.rows), *self.slice_shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all voxels."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    @property
    def title(self) -> str:
        """The sample's name, or the scan's."""
        scan = self.provenance.get("scan", {})
        return str(scan.get("sample") or Path(scan.get("path", "volume")).stem)

    @property
    def value_name(self) -> str:
        """What the stored values are."""
        if self.grey_range:
            return "grey value"
        return "phase" if self.unit.startswith("rad") else "attenuation"

    def about(self) -> dict[str, Any]:
        """What every format carries inside, as plain data."""
        return {
            "voxel_size_um": self.voxel_size_um,
            "first_row": self.rows.start,
            "unit": self.unit,
            "grey_range": self.grey_range,
            "recipe_fingerprint": self.fingerprint,
            "recipe": self.recipe,
            "provenance": dict(self.provenance),
        }

    def slab_of(self, row: int) -> range:
        """The rows of the slab that holds a detector row."""
        start = row - (row - self.rows.start) % self.slab_rows
        return range(start, min(start + self.slab_rows, self.rows.stop))


@dataclass(frozen=True)
class SlabRecord:
    """A slab whose bytes are on disk: the files that hold it, the seconds it took and how often its values occur.

    `residual` is the relative misfit to the measurement before the last iteration; None where nothing iterated.
    """

    rows: range
    units: tuple[Unit, ...]
    seconds: float
    pid: int
    histogram: Histogram | None = None
    residual: float | None = None

    @property
    def bytes(self) -> int:
        """What the slab adds to the volume."""
        return sum(unit.bytes for unit in self.units if not unit.is_hidden)

    def as_dict(self) -> dict[str, Any]:
        return {
            "rows": [self.rows.start, self.rows.stop],
            "units": [unit.as_dict() for unit in self.units],
            "seconds": self.seconds,
            "pid": self.pid,
            "histogram": self.histogram.as_dict() if self.histogram else None,
            "residual": self.residual,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> SlabRecord:
        units = tuple(Unit.from_dict(unit) for unit in content["units"])
        counted = content.get("histogram")
        histogram = Histogram.from_dict(counted) if counted else None
        rows, residual = range(*content["rows"]), content.get("residual")
        return cls(rows, units, content.get("seconds", 0.0), content.get("pid", 0), histogram, residual)


def histogram_of(records: Sequence[SlabRecord]) -> Histogram | None:
    """How often the values of all those slabs occur; None where an older version did not count them."""
    counted = [record.histogram for record in records if record.histogram]
    return sum(counted, Histogram()) if counted and len(counted) == len(records) else None


class Writer:
    """One format. Subclasses say where slabs go; they hold nothing but the layout and can be pickled."""

    name: ClassVar[str]
    space_factor: ClassVar[float] = 1.0
    """Most bytes on disk at a time, in units of the voxels' bytes."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def prepare(self) -> None:
        """Makes what must exist before the first slab. May be called again."""
        raise NotImplementedError

    def write(self, rows: range, slices: NDArray[Any]) -> tuple[Unit, ...]:
        """Stores the slices of a slab, shape (rows, y, x); they are durable when it returns. Raises Stp3Error."""
        raise NotImplementedError

    def finish(self, records: list[SlabRecord]) -> tuple[Unit, ...]:
        """The files of the complete volume, made from all slabs. May be called again. Raises Stp3Error."""
        return tuple(unit for record in records for unit in record.units if not unit.is_hidden)

    def tidy(self) -> None:
        """Takes away what only the running job needed."""

    def done_rows(self) -> list[int]:
        """The detector rows whose slices can be read, in order."""
        raise NotImplementedError

    def read(self, row: int) -> NDArray[Any]:
        """The stored slice of a detector row, shape (y, x). Raises OSError or KeyError when it is not there."""
        raise NotImplementedError
