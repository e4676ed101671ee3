"""What a user states about a measurement besides its frames: in a file beside them, or to correct theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stp3.errors import UsageFault

if TYPE_CHECKING:
    from stp3.scan import Scan


class Metadata(BaseModel):
    """Quantities of a scan, None where nothing is said about them.

    `angle_range_deg` is that of the whole scan, for scans that do not state their angles.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    energy_kev: float | None = Field(None, gt=0, le=1000)
    distance_mm: float | None = Field(None, ge=0, le=1e6)
    pixel_size_um: float | None = Field(None, gt=0, le=1e5)
    exposure_s: float | None = Field(None, gt=0, le=1e6)
    angle_range_deg: float | None = Field(None, ge=-36_000, le=36_000)
    sample: str | None = Field(None, max_length=200)

    @classmethod
    def of(cls, values: Mapping[str, Any], where: str = "") -> Metadata:
        """Those values, checked; `where` they stand is told with their faults. Raises UsageFault."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            known = ", ".join(cls.model_fields)
            faults = [
                f"there is no {name!r} among {known}"
                if fault["type"] == "extra_forbidden"
                else f"{name} should be {fault['msg'].removeprefix('Input should be ')}, got {fault['input']!r}"
                for fault in error.errors()
                for name in [str(fault["loc"][0]) if fault["loc"] else "metadata"]
            ]
            raise UsageFault(f"metadata{where}: {'; '.join(faults)}.") from error

    def stated(self) -> dict[str, Any]:
        """The quantities that are stated, by name."""
        return self.model_dump(exclude_none=True)


def corrected(scan: Scan, metadata: Metadata) -> Scan:
    """The scan with those quantities instead of its own, which it keeps as `stated`.

    Raises UsageFault for a range of angles where the scan states its angles.
    """
    from stp3.scan import Problem

    used = metadata.stated()
    stated = {name: getattr(scan, name) for name in used if name != "angle_range_deg"}
    told = [f"{name} {value} (the scan says {_words(stated.get(name))})" for name, value in used.items()]
    problems = (*scan.problems, Problem("info", f"Corrected by the user: {', '.join(told)}."))
    range_deg = used.pop("angle_range_deg", None)
    if range_deg is not None:
        if scan.theta_stated:
            raise UsageFault("the scan states its angles: angle_range_deg is for scans that do not. Leave it out.")
        stated["angle_range_deg"] = None
        used["theta"] = scan.theta * (range_deg / 180)
        problems = tuple(problem for problem in problems if problem.code != "angles.assumed")
    return replace(scan, problems=problems, stated=stated, **used)


def corrections(scan: Scan) -> dict[str, dict[str, Any]]:
    """What the user corrected: `{"energy_kev": {"stated": 27.0, "used": 25.0}}`."""
    import numpy as np

    def used(name: str) -> Any:
        if name != "angle_range_deg":
            return getattr(scan, name)
        return [float(angle) for angle in np.rad2deg(scan.theta[[0, -1]])]

    return {name: {"stated": value, "used": used(name)} for name, value in scan.stated.items()}


def _words(value: Any) -> str:
    return "nothing" if value in (None, "") else str(value)
