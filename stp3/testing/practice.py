"""Practice scans: simulated, with known truth and the faults of real ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from stp3.errors import UsageFault
from stp3.testing.faults import Detector, make_detector
from stp3.testing.files import Layout, Writer, writing
from stp3.testing.phantom import View, line_integrals, make_phantom
from stp3.testing.truth import Format, Truth, truth_path

FAULTS = {
    "noise": "photon (Poisson) and read-out noise",
    "rings": "columns that make rings: dead, stuck, drifting, non-linear, partial and wide stripes",
    "drift": "the beam fades and moves between the flats before and those after",
    "zingers": "spots of scattered rays that hit the camera",
    "axis": "the rotation axis far off the middle (it is always somewhat off)",
    "tilt": "the camera is tilted against the rotation axis",
    "phase": "edge phase contrast of a propagation distance",
    "truncated": "the sample leaves the field of view",
    "half": "360 degrees with the axis near one side of the detector",
}
_BLOCK_BYTES = 24 << 20
_LARGEST_LINE = 1.6  # attenuation along the thickest part of the sample


class PracticeScan(BaseModel):
    """What a practice scan shall be.

    `photons` per pixel count with the fault "noise"; `rotation_axis` None is chosen from the seed; `half` makes the
    angles 0 to 360. The range's end is left out: angle k is k * angle_range_deg / angles.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    columns: int = Field(256, ge=32, le=8192)
    rows: int = Field(8, ge=1, le=8192)
    angles: int = Field(360, ge=2, le=36_000)
    angle_range_deg: Literal[180, 360] = 180
    faults: frozenset[str] = frozenset()
    seed: int = Field(1, ge=0)
    pixel_size_um: float = Field(5.0, gt=0)
    energy_kev: float = Field(25.0, gt=0)
    distance_mm: float = Field(100.0, gt=0)
    delta_beta: float = Field(100.0, gt=0)
    photons: float = Field(5000.0, gt=1)
    rotation_axis: float | None = None
    flats: int = Field(10, ge=1, le=1000)
    darks: int = Field(10, ge=1, le=1000)
    sample: str = "practice phantom"
    format: Format = "data-exchange"
    layout: Layout = "contiguous"

    @field_validator("faults")
    @classmethod
    def _known(cls, faults: frozenset[str]) -> frozenset[str]:
        if unknown := sorted(faults - set(FAULTS)):
            raise ValueError(f"some of {', '.join(FAULTS)}, not {unknown[0]!r}")
        return faults

    @property
    def range_deg(self) -> int:
        return 360 if "half" in self.faults else self.angle_range_deg

    @property
    def flats_before(self) -> int:
        return (self.flats + 1) // 2

    def truth(self, path: Path) -> Truth:
        """All that is random about the sample and the set-up, drawn from the seed."""
        rng = np.random.default_rng([self.seed, 1])
        view = self._view(rng)
        reach = min(view.rotation_axis, self.columns - 1 - view.rotation_axis) + 0.5
        size = 2 * 0.98 * (self.columns - reach if "half" in self.faults else reach)
        size *= 1.7 if "truncated" in self.faults else 1
        attenuation = _LARGEST_LINE / (0.82 * size * self.pixel_size_um * 1e-4)
        return Truth(
            scan=path.name, format=self.format, angles=self.angles, rows=self.rows, columns=self.columns,
            angle_range_deg=self.range_deg, view=view, pixel_size_um=self.pixel_size_um,
            energy_kev=self.energy_kev, distance_mm=self.distance_mm,
            delta_beta=self.delta_beta if "phase" in self.faults else None,
            photons=self.photons if "noise" in self.faults else None,
            flats_before=self.flats_before, flats_after=self.flats - self.flats_before, darks=self.darks,
            attenuation_per_cm=attenuation, seed=self.seed, faults=tuple(sorted(self.faults)),
            defects=self.detector().defects, phantom=make_phantom(rng, size, self.rows, attenuation),
        )  # fmt: skip

    def _view(self, rng: np.random.Generator) -> View:
        sign, amount = float(rng.choice([-1, 1])), float(rng.uniform(0.005, 0.02))
        if "axis" in self.faults:
            amount += 0.06
        if "half" in self.faults:
            amount += 0.36
        tilt = float(rng.choice([-1, 1]) * rng.uniform(0.15, 0.6)) if "tilt" in self.faults else 0.0
        drawn = (self.columns - 1) / 2 + sign * amount * self.columns
        axis = drawn if self.rotation_axis is None else self.rotation_axis
        return View(columns=self.columns, rotation_axis=round(axis, 3), tilt_deg=round(tilt, 3))

    def detector(self) -> Detector:
        return make_detector(
            np.random.default_rng([self.seed, 2]),
            (self.rows, self.columns),
            rings="rings" in self.faults,
            drift="drift" in self.faults,
            photons=self.photons if "noise" in self.faults else None,
            zingers="zingers" in self.faults,
        )


def practice_scan(**settings: Any) -> PracticeScan:
    """Those settings of a practice scan, checked. Raises UsageFault with every fault in words."""
    try:
        return PracticeScan(**settings)
    except ValidationError as error:
        faults = (
            (str(fault["loc"][0]), fault["msg"].removeprefix("Value error, ").removeprefix("Input should be "))
            for fault in error.errors()
        )
        words = "; ".join(f"{name} should be {message}, got {settings.get(name)!r}" for name, message in faults)
        raise UsageFault(f"no such practice scan: {words}.") from error


def write_practice_scan(path: str | Path, *, threads: int = 1, **settings: Any) -> Truth:
    """Writes a practice scan and, beside it, its truth (PATH with .truth.json); gives the truth.

    `settings` are the fields of PracticeScan; the same settings give the same counts. Raises UsageFault.
    """
    scan, path = practice_scan(**settings), Path(path)
    truth, detector = scan.truth(path), scan.detector()
    with writing(path, truth, scan.sample, scan.layout) as writer:
        _write_references(writer, scan, detector)
        for start, counts in _exposures(scan, truth, detector, threads):
            writer.write_projections(start, counts)
    truth_path(path).write_text(truth.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return truth


def _write_references(writer: Writer, scan: PracticeScan, detector: Detector) -> None:
    rng = np.random.default_rng([scan.seed, 3])
    shape = (scan.flats, scan.rows, scan.columns)
    times = np.where(np.arange(scan.flats) < scan.flats_before, -0.01, 1.01)
    flats = detector.expose(rng, np.ones(shape, np.float32), times)
    nothing = np.zeros((scan.darks, scan.rows, scan.columns), np.float32)
    writer.write_references(flats, detector.expose(rng, nothing, np.full(scan.darks, -0.02)))


def _exposures(
    scan: PracticeScan, truth: Truth, detector: Detector, threads: int
) -> Iterator[tuple[int, NDArray[np.uint16]]]:
    """First angle and counts of each block of projections, in order; few blocks are in memory at once."""
    height = max(_BLOCK_BYTES // (8 * (scan.rows + 2) * scan.columns), 1)

    def expose(start: int) -> NDArray[np.uint16]:
        numbers = np.arange(start, min(start + height, scan.angles))
        rng = np.random.default_rng([scan.seed, 4, start])
        return detector.expose(rng, transmission(truth, truth.theta[numbers]), numbers / max(scan.angles - 1, 1))

    waiting: deque[tuple[int, Future[NDArray[np.uint16]]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, scan.angles, height):
            waiting.append((start, pool.submit(expose, start)))
            if len(waiting) > threads:
                first, future = waiting.popleft()
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()


def transmission(truth: Truth, theta: NDArray[np.float64]) -> NDArray[np.float32]:
    """The share of the beam that arrives at each pixel, shape (angles, rows, columns), phase contrast included.

    Phase contrast follows Paganin, J. Microsc. 206:33 (2002), forward: I = (1 - z delta/mu laplacian) exp(-T).
    """
    heights = np.arange(-1, truth.rows + 1, dtype=np.float64) - (truth.rows - 1) / 2
    if truth.delta_beta is None:
        heights = heights[1:-1]
    lines = line_integrals(truth.phantom, truth.view, theta, heights)
    absorbed: NDArray[np.float32] = np.exp(np.float32(-truth.pixel_size_um * 1e-4) * lines.astype(np.float32))
    if truth.delta_beta is None:
        return absorbed
    wide = np.pad(absorbed, ((0, 0), (0, 0), (1, 1)), mode="edge")
    beside = wide[:, 1:-1, :-2] + wide[:, 1:-1, 2:] + wide[:, :-2, 1:-1] + wide[:, 2:, 1:-1]
    laplacian = beside - 4 * absorbed[:, 1:-1]
    arrived: NDArray[np.float32] = absorbed[:, 1:-1] - np.float32(phase_strength(truth)) * laplacian
    return np.maximum(arrived, 0, out=arrived)


def phase_strength(truth: Truth) -> float:
    """Distance times delta / mu in units of the pixel's area; delta / mu = (delta / beta) wavelength / 4 pi."""
    if truth.delta_beta is None:
        return 0.0
    wavelength_um = 1.239841984e-3 / truth.energy_kev
    delta_per_mu_um = truth.delta_beta * wavelength_um / (4 * np.pi)
    return truth.distance_mm * 1e3 * delta_per_mu_um / truth.pixel_size_um**2
