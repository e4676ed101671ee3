"""What a user states about a measurement besides its frames: in a file beside them, or to correct theirs."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stp3.errors import UsageFault


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
    def of(cls, values: dict[str, Any], where: str = "") -> Metadata:
        """Those values, checked; `where` they stand is told with their faults. Raises UsageFault."""
        try:
            return cls.model_validate(values)
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
