"""What a step is: one operation on a slab, with parameters declared once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from stp3.detector import from_detector
from stp3.kernels import memory
from stp3.kernels.window import Window

if TYPE_CHECKING:
    from stp3.scan import Scan

Domain = Literal["scan", "projection", "sinogram", "reconstruction", "slice"]
Quantity = Literal["counts", "transmission", "line integrals"]
AUTO: Literal["auto"] = "auto"

_UM_IN_A_CM = 1e4


class StepParameters(BaseModel):
    """The parameters of a step: frozen, and nothing but the declared names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def parameter(default: Any, help: str, *, unit: str = "", expert: bool = False, title: str = "", **bounds: Any) -> Any:
    """A declared parameter: default, help, unit and bounds (ge, le, gt, lt, multiple_of)."""
    return Field(
        default, title=title or None, description=help, json_schema_extra={"unit": unit, "expert": expert}, **bounds
    )


@dataclass(frozen=True)
class Slab:
    """All angles of a range of detector rows, on its way through a recipe.

    `data` is float32 of shape (angles, rows, columns) up to the reconstruction and (rows, y, x) after it. Only a step
    that takes counts may meet other types: those of the file.
    `flats` and `darks` hold the same rows, shape (frames, rows, columns), or None when the scan has none.
    The rotation axis is at column `rotation_axis` of detector row `axis_row` and moves `axis_slope` columns a row.
    A column here stands for `binning` columns of the detector, the first of which is `column_start`; so with rows.
    `window` is the part of the whole slice that `data` shows after a reconstruction; None stands for all of it.
    `may_overwrite` says that nobody else needs `data`: a step may leave its result there.
    `on_iteration` hears each iteration of a method that iterates and its relative residual; it may raise to stop.
    `residuals` are those that it told, before each iteration, the worst of all rows; empty where nothing iterated.
    `measured` is what the step whose turn it is measured in the whole scan.
    `currents` and `flat_currents` are the ring current of each projection and flat, where the scan states them.
    `scan_rows` says how many rows the scan has: then a step may leave out rows whose neighbours it was not given.
    """

    data: NDArray[np.float32]
    rows: range
    theta: NDArray[np.float64]
    rotation_axis: float
    pixel_size_um: float | None = None
    flats: NDArray[np.float32] | None = None
    darks: NDArray[np.float32] | None = None
    flat_times: NDArray[np.float64] | None = None
    currents: NDArray[np.float64] | None = None
    flat_currents: NDArray[np.float64] | None = None
    axis_row: float = 0.0
    axis_slope: float = 0.0
    column_start: float = 0.0
    row_start: float = 0.0
    binning: int = 1
    window: Window | None = None
    threads: int = 1
    may_overwrite: bool = False
    on_iteration: Callable[[int, float], None] | None = None
    residuals: tuple[float, ...] = ()
    scan_rows: int | None = None
    measured: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def pixel_cm(self) -> float:
        """The side of a pixel in centimetres; 1 where it is not known: values are per pixel then."""
        return self.pixel_size_um / _UM_IN_A_CM if self.pixel_size_um else 1.0

    @property
    def axes(self) -> NDArray[np.float64]:
        """The column of the rotation axis in each row, shape (rows,)."""
        return self.rotation_axis + self.axis_slope * (np.asarray(self.rows, np.float64) - self.axis_row)

    def from_detector(self, column: float) -> float:
        """Where a column of the whole detector is among those that the scan was cropped and binned to."""
        return from_detector(column, self.column_start, self.binning)

    def row_from_detector(self, row: float) -> float:
        """Where a row of the whole detector is among those of the cropped and binned scan."""
        return from_detector(row, self.row_start, self.binning)

    def target(self) -> NDArray[np.float32]:
        """Where a step may write its float32 result of the same shape: over `data` when nobody else needs them.

        For steps that never read a value after they wrote over it. Columns lie side by side; rows and angles may not.
        """
        if self.may_overwrite and self.data.dtype == np.float32:
            return self.data
        return memory.empty(self.data.shape)

    def complete(self, halo: int) -> range:
        """The rows with that many neighbours on either side, or the scan's edge; all while `scan_rows` is not known."""
        if self.scan_rows is None:
            return self.rows
        top = 0 if self.rows.start == 0 else halo
        bottom = 0 if self.rows.stop == self.scan_rows else halo
        return self.rows[top : len(self.rows) - bottom] if top + bottom < len(self.rows) else self.rows

    def with_rows(self, rows: range, data: NDArray[np.float32]) -> Slab:
        """Some of the rows, with their new data (angles, rows, columns)."""
        kept = np.s_[:, rows.start - self.rows.start : rows.stop - self.rows.start]
        flats, darks = (None if frames is None else frames[kept] for frames in (self.flats, self.darks))
        return replace(self, data=data, rows=rows, flats=flats, darks=darks)

    def with_data(self, data: NDArray[np.float32], **changes: Any) -> Slab:
        """The same slab with other data (and other theta, axis, ... where a step changes them)."""
        return replace(self, data=data, **changes)


class Step:
    """One operation. Subclasses declare the class variables and `apply`; they hold no state.

    `apply` never writes into the slab it is given, unless that says `may_overwrite`: a preview keeps earlier stages.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    domain: ClassVar[Domain]
    paper: ClassVar[str] = ""
    takes_counts: ClassVar[bool] = False
    """Whether `apply` takes data of the file's type; other steps get float32."""
    needs: ClassVar[Quantity | None] = None
    """What the data must be before the step; None takes whatever they are."""
    gives: ClassVar[Quantity | None] = None
    """What they are after it; None leaves them what they were."""
    shows_phase: ClassVar[bool] = False
    """Whether slices show a phase after it (radians), instead of attenuation."""
    Parameters: ClassVar[type[StepParameters]] = StepParameters

    @classmethod
    def settle(cls, parameters: Any, columns: int) -> Any:
        """The parameters with a number wherever "auto" follows from the width of the detector alone."""
        return parameters

    @classmethod
    def settle_for(cls, parameters: Any, scan: Scan) -> Any:
        """The parameters with a number wherever "auto" follows from what the scan says. Raises UsageFault."""
        return cls.settle(parameters, scan.columns)

    @classmethod
    def tells_axis(cls, parameters: Any, columns: int) -> float | None:
        """The column of the rotation axis, where the parameters say it as well."""
        return None

    @classmethod
    def settle_at(cls, parameters: Any, columns: int, axis: float) -> Any:
        """The parameters with a value wherever "auto" follows from the column of the rotation axis."""
        return parameters

    @classmethod
    def columns(cls, parameters: Any, columns: int) -> int:
        """The columns of sinograms after the step, given those before it. Raises UsageFault."""
        return columns

    @classmethod
    def measure(cls, parameters: Any, scan: Scan, threads: int) -> dict[str, NDArray[Any]]:
        """What it must know of the whole scan, by name: small arrays, the same for any number of threads.

        Measured once, before there are slabs; each slab then brings it as `measured`.
        """
        return {}

    @classmethod
    def settle_measured(cls, parameters: Any, measured: Mapping[str, NDArray[Any]]) -> Any:
        """The parameters with a number wherever "auto" follows from what was measured."""
        return parameters

    @classmethod
    def halo(cls, parameters: Any) -> int:
        """Rows needed above and below those asked for."""
        return 0

    @classmethod
    def slice_shape(cls, parameters: Any, shape: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of the slices after the step, given those before it; (columns, columns) at the start.

        Raises UsageFault for parameters that do not suit that size.
        """
        return shape

    @classmethod
    def memory_factor(cls, parameters: Any) -> float:
        """Peak memory while the step runs, in units of the slab's float32 size, its input included."""
        return 2.0

    @classmethod
    def memory_fixed(cls, parameters: Any, angles: int, columns: int) -> int:
        """Bytes the step needs whatever the slab's height."""
        return 0

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """The slab after the step."""
        raise NotImplementedError

    @classmethod
    def joins(cls, uses: Sequence[tuple[str, Any]]) -> int:
        """How many of these steps (name, parameters) one pass does; the first is this step, and 1 means it alone."""
        return 1

    @classmethod
    def apply_joined(cls, slab: Slab, uses: Sequence[tuple[str, Any]]) -> Slab:
        """The slab after those steps, as many as `joins` said."""
        return cls.apply(slab, uses[0][1])


class ScanStep(Step):
    """Takes part of a scan. It works on the scan itself before slabs are made: slabs never see it."""

    domain = "scan"

    @classmethod
    def part(cls, scan: Scan, parameters: Any) -> Scan:
        """The part, itself a scan. Raises UsageFault when nothing useful would be left."""
        raise NotImplementedError

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        return slab
