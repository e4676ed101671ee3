"""A detector with the faults of real ones: what it counts when a known share of the beam arrives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

FULL_COUNTS = 40_000.0  # of the open beam
_READ_NOISE = 3.0  # counts
_SATURATED = 65_535
_FEW_PHOTONS = 200.0  # below it a normal distribution would be seen to differ from Poisson's
_ZINGERS_A_MEGAPIXEL = 12

Kind = Literal["dead", "stuck", "drifting", "nonlinear", "partial", "wide"]


class Defect(BaseModel):
    """Detector columns first..last (inclusive) that count wrongly over the whole height.

    `strength` by kind: dead, stuck = the counts shown whatever arrives; drifting = relative gain won by the end of
    the scan; nonlinear = exponent of the response; partial, wide = relative gain error. `span` is the part of the
    scan (0 to 1) in which a partial stripe shows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    first: int
    last: int
    strength: float
    span: tuple[float, float] = (0.0, 1.0)

    @property
    def columns(self) -> slice:
        return slice(self.first, self.last + 1)


def make_defects(rng: np.random.Generator, columns: int) -> tuple[Defect, ...]:
    """Rings of every kind, at least one each and more on a wider detector, that do not overlap."""
    thick = max(columns // 1024, 1)
    every: list[Defect] = []
    for kind, wide in _widths(columns, thick):
        for _ in range(50):
            first = int(rng.integers(round(0.08 * columns), round(0.92 * columns) - wide))
            new = _defect(rng, kind, first, first + wide - 1)
            if all(new.first > other.last + 2 or new.last < other.first - 2 for other in every):
                every.append(new)
                break
    return tuple(sorted(every, key=lambda defect: defect.first))


def _widths(columns: int, thick: int) -> list[tuple[Kind, int]]:
    many = max(columns // 256, 1)
    wide = max(columns // 80, 3)
    narrow: list[Kind] = ["dead", "stuck", "drifting", "drifting", "nonlinear", "nonlinear", "partial"]
    return [("wide", wide), *((kind, thick) for kind in narrow * many)]


def _defect(rng: np.random.Generator, kind: Kind, first: int, last: int) -> Defect:
    sign = float(rng.choice([-1, 1]))
    strength = {
        "dead": 0.0,
        "stuck": float(rng.uniform(2_000, 30_000)),
        "drifting": sign * float(rng.uniform(0.03, 0.1)),
        "nonlinear": 1 + sign * float(rng.uniform(0.03, 0.1)),
        "partial": sign * float(rng.uniform(0.05, 0.15)),
        "wide": sign * float(rng.uniform(0.02, 0.05)),
    }[kind]
    begin = float(rng.uniform(0.1, 0.5))
    span = (begin, begin + float(rng.uniform(0.15, 0.4))) if kind == "partial" else (0.0, 1.0)
    return Defect(kind=kind, first=first, last=last, strength=strength, span=span)


@dataclass(frozen=True)
class Detector:
    """Counts of frames exposed at times between 0 (first projection) and 1 (last); flats lie outside.

    `beam_before` and `beam_after`: the open beam, shape (rows, columns), 1 = full; `dark`: counts without beam.
    """

    beam_before: NDArray[np.float32]
    beam_after: NDArray[np.float32]
    dark: NDArray[np.float32]
    defects: tuple[Defect, ...]
    photons: float | None
    zingers: bool

    def expose(
        self, rng: np.random.Generator, share: NDArray[np.float32], times: NDArray[np.float64]
    ) -> NDArray[np.uint16]:
        """Counts, shape (frames, rows, columns), when that share of the open beam arrives at those times."""
        late = np.clip(times, 0, 1).astype(np.float32)[:, None, None]
        beam = self.beam_before
        if self.beam_after is not self.beam_before:
            # A slow move is taken to first order, so flats interpolated in time undo it.
            beam = beam + late * (self.beam_after - beam)
        counts = share * (beam * np.float32(FULL_COUNTS))
        self._add_noise(rng, counts)
        self._add_rings(counts, times)
        counts += self.dark
        if self.zingers:
            _add_zingers(rng, counts)
        for defect in self.defects:
            if defect.kind in ("dead", "stuck"):
                counts[..., defect.columns] = defect.strength
        return np.rint(np.clip(counts, 0, _SATURATED, out=counts), out=counts).astype(np.uint16)

    def _add_noise(self, rng: np.random.Generator, counts: NDArray[np.float32]) -> None:
        if self.photons is None:
            return
        each = np.float32(FULL_COUNTS / self.photons)
        if self.photons < _FEW_PHOTONS:
            counts[:] = rng.poisson(np.maximum(counts, 0) / each) * each
            spread = np.float32(_READ_NOISE)
            counts += spread * rng.standard_normal(counts.shape, np.float32)
        else:
            spread = np.sqrt(np.maximum(counts, 0) * each + np.float32(_READ_NOISE**2))
            counts += spread * rng.standard_normal(counts.shape, np.float32)

    def _add_rings(self, counts: NDArray[np.float32], times: NDArray[np.float64]) -> None:
        for defect in self.defects:
            part = counts[..., defect.columns]
            shows = ((times >= defect.span[0]) & (times <= defect.span[1])).astype(np.float32)[:, None, None]
            if defect.kind == "drifting":
                part *= (1 + defect.strength * np.clip(times, 0, 1)).astype(np.float32)[:, None, None]
            elif defect.kind == "nonlinear":
                full = np.float32(FULL_COUNTS)
                part[:] = full * (np.maximum(part, 0) / full) ** np.float32(defect.strength)
            elif defect.kind in ("partial", "wide"):
                hump = np.sin(np.pi * (np.arange(part.shape[-1]) + 0.5) / part.shape[-1]).astype(np.float32)
                part *= 1 + np.float32(defect.strength) * shows * hump


def make_detector(
    rng: np.random.Generator, shape: tuple[int, int], *, rings: bool, drift: bool, photons: float | None, zingers: bool
) -> Detector:
    """A detector of (rows, columns): an uneven beam with a monochromator's stripes, a dark offset with a pattern."""
    rows, columns = shape
    across = np.linspace(-1, 1, columns, dtype=np.float32)
    grain = rng.normal(1, 0.015, shape).astype(np.float32)  # the scintillator and the pixels' gains: they stay put
    waves = rng.uniform(0, 2 * np.pi, 6), rng.uniform(0.03, 0.4, 6)

    def beam(shift: float, current: float) -> NDArray[np.float32]:
        down = np.arange(rows, dtype=np.float32) - shift
        stripes = sum(np.sin(pitch * down + phase) for phase, pitch in zip(*waves, strict=True))
        profile = 1 - 0.25 * (across - 0.02 * shift - 0.1) ** 2
        return (current * grain * profile * (1 + 0.025 * np.asarray(stripes))[:, None]).astype(np.float32)

    before = beam(0.0, 0.95)
    return Detector(
        beam_before=before,
        beam_after=beam(float(rng.uniform(1, 3)), 0.95 * float(rng.uniform(0.88, 0.94))) if drift else before,
        dark=(100 + rng.normal(0, 4, shape)).astype(np.float32),
        defects=make_defects(rng, columns) if rings else (),
        photons=photons,
        zingers=zingers,
    )


def _add_zingers(rng: np.random.Generator, counts: NDArray[np.float32]) -> None:
    """Spots of scattered rays that hit the camera: one to three pixels of one frame, far too bright."""
    many = int(rng.poisson(counts.size * _ZINGERS_A_MEGAPIXEL / 1e6))
    frames, rows, columns = (rng.integers(0, length, many) for length in counts.shape)
    bright = rng.uniform(8_000, 60_000, many).astype(np.float32)
    for step in range(3):
        there = np.minimum(columns + step, counts.shape[2] - 1)
        lit = rng.random(many) < 0.5**step
        np.add.at(counts, (frames[lit], rows[lit], there[lit]), bright[lit] * 0.6**step)
