"""Steps that take part of the scan before anything else is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from stp3.errors import UsageFault
from stp3.scan_view import binned, cropped, with_angles
from stp3.steps.base import AUTO, ScanStep, StepParameters, parameter

if TYPE_CHECKING:
    from stp3.scan import Scan

_FEWEST_COLUMNS = 16


class Crop(ScanStep):
    """Leaves out the sides of the detector."""

    name = "crop"
    title = "Crop"

    class Parameters(StepParameters):
        left: int = parameter(0, "Columns left out at the left.", title="Left", unit="columns", ge=0)
        right: int = parameter(0, "Columns left out at the right.", title="Right", unit="columns", ge=0)
        top: int = parameter(0, "Rows left out at the top.", title="Top", unit="rows", ge=0)
        bottom: int = parameter(0, "Rows left out at the bottom.", title="Bottom", unit="rows", ge=0)

    @classmethod
    def part(cls, scan: Scan, parameters: Any) -> Scan:
        columns = scan.columns - parameters.left - parameters.right
        rows = scan.rows - parameters.top - parameters.bottom
        if columns < _FEWEST_COLUMNS or rows < 1:
            raise UsageFault(
                f"crop leaves {max(columns, 0)} columns and {max(rows, 0)} rows of {scan.columns} and {scan.rows}; at "
                f"least {_FEWEST_COLUMNS} columns and a row are needed. Crop less."
            )
        return cropped(scan, **parameters.model_dump())


class Bin(ScanStep):
    """Averages squares of pixels: a smaller volume, with less noise, much sooner."""

    name = "bin"
    title = "Binning"

    class Parameters(StepParameters):
        size: int = parameter(
            2,
            "Pixels along each side of a square that become one, their average. 2 makes the volume 8 times smaller.",
            title="Pixels",
            unit="pixels",
            ge=1,
            le=16,
        )

    @classmethod
    def part(cls, scan: Scan, parameters: Any) -> Scan:
        size = parameters.size
        if scan.columns // size < _FEWEST_COLUMNS or scan.rows < size:
            raise UsageFault(
                f"bin.size {size} is too large for {scan.columns} columns and {scan.rows} rows: at least "
                f"{_FEWEST_COLUMNS} columns and a row must be left. Take a smaller one."
            )
        return binned(scan, size) if size > 1 else scan


class Angles(ScanStep):
    """Uses some of the projections only."""

    name = "angles"
    title = "Choice of projections"

    class Parameters(StepParameters):
        first: int = parameter(0, "Number of the first projection used, counted from 0.", title="First", ge=0)
        last: int | Literal["auto"] = parameter(
            AUTO, "Number of the last projection used. Auto goes to the end.", title="Last"
        )
        every: int = parameter(
            1,
            "2 takes every second projection, 3 every third: sooner, with more streaks.",
            title="Every",
            ge=1,
            le=1000,
        )

    @classmethod
    def settle_for(cls, parameters: Any, scan: Scan) -> Any:
        return parameters.model_copy(update={"last": scan.angles - 1}) if parameters.last == AUTO else parameters

    @classmethod
    def part(cls, scan: Scan, parameters: Any) -> Scan:
        last = scan.angles - 1 if parameters.last == AUTO else parameters.last
        chosen = range(parameters.first, last + 1, parameters.every)
        if last >= scan.angles or len(chosen) < 2:
            raise UsageFault(
                f"angles {parameters.first} to {last}, every {parameters.every}, are not at least two of the scan's "
                f"projections 0 to {scan.angles - 1}. Choose others."
            )
        return with_angles(scan, chosen)
