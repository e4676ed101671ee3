"""Any HDF5 file whose datasets a site has named: its layouts stand in a YAML file (`config.layouts_file`).

id19:
  projections: /entry/detector/frames       # required; 3-D
  flats: /entry/detector/reference          # flats_after, darks, theta, currents, sample likewise
  axes: y:theta:x                           # or theta:y:x, the default
  theta_unit: rad                           # where the file does not state it; degrees otherwise
  energy: {path: /entry/energy, unit: keV}  # or {value: 25, unit: keV}; pixel_size, distance, exposure likewise
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stp3 import config
from stp3.errors import ScanFault, UsageFault
from stp3.readers.hdf5_reader import HDF5Reader
from stp3.readers.quantities import (
    ENERGY_KEV,
    LENGTH_MM,
    LENGTH_UM,
    TIME_S,
    Source,
    assumed_angles,
    check_order,
    plain_unit,
    radians,
    tell_missing,
)  # fmt: skip
from stp3.readers.stacks import joined
from stp3.scan import Frames, Scan, ScanIdentity

_STACKS = ("projections", "flats", "flats_after", "darks")


class Quantity(BaseModel):
    """A number with its unit: in the file, whose own unit counts where none is given, or the same for all files."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    path: str | None = None
    value: float | None = Field(None, gt=0)
    unit: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Quantity:
        if (self.path is None) == (self.value is None):
            raise ValueError("give either a path or a value")
        if self.value is not None and self.unit is None:
            raise ValueError("give the unit of the value")
        return self


class Layout(BaseModel):
    """Where the datasets of a scan are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    projections: str
    flats: str | None = None
    flats_after: str | None = None
    darks: str | None = None
    theta: str | None = None
    theta_unit: Literal["deg", "rad"] | None = None
    axes: Literal["theta:y:x", "y:theta:x"] = "theta:y:x"
    currents: str | None = None
    sample: str | None = None
    pixel_size: Quantity | None = None
    energy: Quantity | None = None
    distance: Quantity | None = None
    exposure: Quantity | None = None


def layouts() -> dict[str, Layout]:
    """The site's layouts by name. Raises UsageFault."""
    path = config.layouts_file()
    if path is None:
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return {str(name): Layout.model_validate(layout) for name, layout in content.items()}
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise UsageFault(f"{path} is no list of layouts: {faults}.") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError) as error:
        raise UsageFault(f"{path} is no list of layouts: {' '.join(str(error).split())}.") from error


def layout_readers(name: str | None = None) -> list[ByLayout]:
    """A reader for each of the site's layouts, or the one of that name. Raises UsageFault."""
    known = layouts()
    if name is not None and name not in known:
        raise UsageFault(f"there is no layout {name!r}. Known: {', '.join(sorted(known)) or 'none (STP3_LAYOUTS)'}.")
    return [ByLayout(each, layout) for each, layout in known.items() if name in (None, each)]


class ByLayout(HDF5Reader):
    """Reads HDF5 files of one layout."""

    def __init__(self, name: str, layout: Layout) -> None:
        self.name = f"layout {name}"
        self._layout = layout

    def lacks(self, source: Source) -> str | None:
        """What the file lacks of the layout's stacks and angles, in words; None when they are there."""
        wanted = [getattr(self._layout, name) for name in (*_STACKS, "theta")]
        missing = [path for path in wanted if path and source.locate(path) is None]
        return f"It has no {', '.join(missing)}." if missing else None

    def read(self, source: Source, file: Path, identity: ScanIdentity) -> Scan:
        """The scan, read lazily. Raises ScanFault."""
        layout = self._layout
        if missing := self.lacks(source):
            raise ScanFault(f"{file} is not of {self.name}. {missing}")
        projections = self._stack(source, layout.projections)
        if projections is None:
            raise ScanFault(f"{file} holds no projections: {layout.projections} is empty.")
        count, size = projections.shape[0], projections.shape[1:]
        before, after, darks = (
            self._stack(source, path, size) for path in (layout.flats, layout.flats_after, layout.darks)
        )
        flats = joined([stack for stack in (before, after) if stack])
        tell_missing(source, flats, darks)
        numbers = [stack.shape[0] if stack else 0 for stack in (before, after)]
        return Scan(
            path=file, format=self.name, identity=identity, projections=projections,
            theta=self._theta(source, count), theta_stated=layout.theta is not None, flats=flats, darks=darks,
            flat_times=np.repeat((-0.5, count - 0.5), numbers),
            currents=source.currents((layout.currents,), count) if layout.currents else None,
            pixel_size_um=_quantity(source, "pixel size", layout.pixel_size, LENGTH_UM),
            energy_kev=_quantity(source, "energy", layout.energy, ENERGY_KEV),
            distance_mm=_quantity(source, "distance", layout.distance, LENGTH_MM),
            exposure_s=_quantity(source, "exposure", layout.exposure, TIME_S),
            sample=source.text(layout.sample) if layout.sample else "", problems=tuple(source.problems),
        )  # fmt: skip

    def _stack(self, source: Source, path: str | None, size: tuple[int, int] | None = None) -> Frames | None:
        return source.frames(path, size, sinograms=self._layout.axes == "y:theta:x") if path else None

    def _theta(self, source: Source, count: int) -> NDArray[np.float64]:
        layout = self._layout
        if layout.theta is None:
            return assumed_angles(source, count)
        found = source.values(layout.theta)
        if found is None or found[0].size != count:
            stated = 0 if found is None else found[0].size
            raise ScanFault(f"{layout.theta} states {stated} angles for {count} projections.")
        theta = radians(source, found[0], layout.theta_unit or found[1])
        check_order(source, theta)
        return theta


def _quantity(source: Source, what: str, stated: Quantity | None, units: Mapping[str, float]) -> float | None:
    if stated is None:
        return None
    if stated.path is not None:
        return source.quantity(what, units, (stated.path,), stated.unit)
    unit = plain_unit(stated.unit or "")
    if (factor := units.get(unit, units.get(unit.removesuffix("s")))) is None:
        raise UsageFault(f"the {what} of the layout has the unit {stated.unit!r}. Known: {', '.join(units)}.")
    assert stated.value is not None  # noqa: S101
    return stated.value * factor
