"""The truth of a practice scan: kept beside it as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from stp3.errors import UsageFault
from stp3.testing.faults import Defect
from stp3.testing.phantom import Ellipsoid, View, attenuation_slice, line_integrals

Format = Literal["data-exchange", "edf", "his", "nxtomo", "tdf", "tiff"]


class Truth(BaseModel):
    """What a practice scan really shows.

    `view.rotation_axis` is the column of the axis at the middle row, `view.tilt_deg` its tilt (see phantom.View).
    `attenuation_per_cm` is that of the phantom's body, `defects` are the columns that make rings.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scan: str
    format: Format
    angles: int
    rows: int
    columns: int
    angle_range_deg: float
    view: View
    pixel_size_um: float
    energy_kev: float
    distance_mm: float
    delta_beta: float | None
    photons: float | None
    attenuation_per_cm: float
    flats_before: int
    flats_after: int
    darks: int
    seed: int
    faults: tuple[str, ...]
    defects: tuple[Defect, ...]
    phantom: tuple[Ellipsoid, ...]

    @classmethod
    def load(cls, scan_path: str | Path) -> Truth:
        """The truth beside that practice scan. Raises UsageFault."""
        path = truth_path(Path(scan_path))
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, ValidationError) as error:
            raise UsageFault(f"{path} holds no truth of a practice scan. `stp3 practice` writes one.") from error

    @property
    def rotation_axis(self) -> float:
        return self.view.rotation_axis

    @property
    def theta(self) -> NDArray[np.float64]:
        """The angles of the projections in radians; the end of the range is left out."""
        return np.asarray(np.deg2rad(np.arange(self.angles) * (self.angle_range_deg / self.angles)))

    def axis_at(self, row: float) -> float:
        """The column of the rotation axis at a detector row."""
        return float(self.rotation_axis + np.tan(np.deg2rad(self.view.tilt_deg)) * self.height(row))

    def height(self, row: float) -> float:
        """A detector row counted from the middle row."""
        return row - (self.rows - 1) / 2

    def slice(self, row: float, size: int | None = None) -> NDArray[np.float32]:
        """The true slice of a detector row: (size, size), 1/cm, rotation axis at its centre; `size` default columns."""
        return attenuation_slice(self.phantom, self.height(row), size or self.columns)

    def sinogram(self, row: float) -> NDArray[np.float32]:
        """The line integrals that row would show without any fault: (angles, columns), no unit."""
        lines = line_integrals(self.phantom, self.view, self.theta, np.array([self.height(row)]))
        return (lines[:, 0] * self.pixel_size_um * 1e-4).astype(np.float32)


def truth_path(scan_path: Path) -> Path:
    """Where the truth of a practice scan lies: scan.h5 -> scan.truth.json."""
    return scan_path.with_suffix(".truth.json")
