"""How far the rotation axis found is off, on practice scans of many kinds whose truth is known.

python bench/axis.py [--scans 200] [--half] [--folder /tmp/axis-scans] [--threads 2] [--each] [--large]

Printed are the median, the 95th percentile and the worst error of the verdict and of each method, how many scans got
which colour, and every scan whose green verdict is off by more than a column. `--folder` keeps the scans for another
run. Scan k is the same on every machine.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stp3.axis import AxisReport, find_rotation_axis
from stp3.scan import Frames, Scan, open_scan
from stp3.testing import Truth, truth_path, write_practice_scan

_CHANCES = {
    "noise": 0.8, "rings": 0.6, "drift": 0.3, "zingers": 0.3, "axis": 0.3, "tilt": 0.2, "phase": 0.25, "truncated": 0.2,
}  # fmt: skip
_GOOD, _BAD = 0.5, 1.0  # columns


@dataclass(frozen=True)
class Part:
    """Frames of which only some columns are seen, a number of them averaged to one."""

    whole: Frames
    first: int
    last: int
    bin: int

    @property
    def shape(self) -> tuple[int, int, int]:
        frames, rows, _ = self.whole.shape
        return frames, rows, (self.last - self.first) // self.bin

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32)

    def read(self, rows: range | None = None, frames: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        seen = np.asarray(self.whole.read(rows, frames), np.float32)[..., self.first : self.last]
        columns = seen.shape[-1] // self.bin
        return seen[..., : columns * self.bin].reshape(*seen.shape[:2], columns, self.bin).mean(axis=-1)


@dataclass(frozen=True)
class Turned:
    """Projections of which only some are there, in another order."""

    whole: Frames
    numbers: NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, int, int]:
        return (len(self.numbers), *self.whole.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.whole.dtype

    def read(self, rows: range | None = None, frames: NDArray[np.intp] | None = None) -> NDArray[Any]:
        return self.whole.read(rows, self.numbers if frames is None else self.numbers[frames])


@dataclass(frozen=True)
class Case:
    """A practice scan, what was done to it, and the column of its axis."""

    number: int
    scan: Scan
    axis: float
    about: str


def main() -> None:
    options = parse()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        numbers = range(options.first, options.first + options.scans)
        results = [(case, *judged(case, options)) for case in cases(numbers, folder, half=options.half)]
    report(results)
    if options.large:
        large(options.threads)


def large(threads: int) -> None:
    """How long a scan of a common size takes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.h5"
        write_practice_scan(path, columns=2048, rows=12, angles=1800, faults={"noise", "rings"}, threads=threads)
        scan = open_scan(path)
        wall, core = time.perf_counter(), time.process_time()
        find_rotation_axis(scan, threads=threads)
        wall, core = time.perf_counter() - wall, time.process_time() - core
        print(f"2048 columns x 1800 angles: {wall:.1f} s, {core:.1f} core-seconds, {threads} threads")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--half", action="store_true", help="half acquisitions only")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", help="where the scans are kept (default: nowhere)")
    parser.add_argument("--each", action="store_true", help="a line for each scan")
    parser.add_argument("--large", action="store_true", help="also time a scan of 2048 columns and 1800 angles")
    return parser.parse_args()


def cases(numbers: range, folder: Path, *, half: bool = False) -> Any:
    for number in numbers:
        rng = np.random.default_rng([4, number])
        path = folder / f"{'half' if half else ''}{number:03}.h5"
        yield changed(number, rng, *written(number, rng, path, half=half))


def written(number: int, rng: np.random.Generator, path: Path, *, half: bool) -> tuple[Scan, Truth]:
    """A practice scan of a random kind, its axis anywhere within the kind's range."""
    columns = int(rng.integers(160, 720))
    faults = {name for name, chance in _CHANCES.items() if rng.random() < chance}
    if rng.random() < 0.15 or half:
        faults = (faults | {"half"}) - {"axis", "tilt"}
    whole = "half" in faults or rng.random() < 0.2
    angles = int(columns * rng.uniform(0.3, 1.3)) * (2 if whole else 1)
    photons = float(np.exp(rng.uniform(np.log(200), np.log(20_000))))
    rows = 1 if rng.random() < 0.1 else int(rng.integers(3, 20))
    flats = int(rng.integers(1, 21))
    if not truth_path(path).exists():
        write_practice_scan(
            path, threads=2, columns=columns, rows=rows, angles=angles, angle_range_deg=360 if whole else 180,
            faults=faults, photons=photons, seed=1000 + number, flats=flats, darks=4,
        )  # fmt: skip
    return open_scan(path), Truth.load(path)


def changed(number: int, rng: np.random.Generator, scan: Scan, truth: Truth) -> Case:
    """The scan as it is, or without flats, cropped, binned, without some angles, or in another order of them."""
    kinds: dict[str, Callable[[Scan, float, np.random.Generator], tuple[Scan, float]]] = {
        "as it is": lambda scan, axis, rng: (scan, axis), "no flats": without_flats, "cropped": cropped,
        "binned": binned, "few views": few_views, "other angles": other_angles,
    }  # fmt: skip
    kind = str(rng.choice(list(kinds), p=[0.5, 0.1, 0.1, 0.1, 0.1, 0.1]))
    scan, axis = kinds[kind](scan, truth.axis_at((truth.rows - 1) / 2), rng)
    size = f"{scan.angles}x{scan.columns}/{truth.angle_range_deg:g}"
    return Case(number, scan, axis, f"{size} {kind}: {','.join(truth.faults)}")


def without_flats(scan: Scan, axis: float, rng: np.random.Generator) -> tuple[Scan, float]:
    return replace(scan, flats=None, darks=None, flat_times=np.empty(0)), axis


def cropped(scan: Scan, axis: float, rng: np.random.Generator) -> tuple[Scan, float]:
    first, last = int(rng.integers(0, scan.columns // 10)), scan.columns - int(rng.integers(0, scan.columns // 10))
    return seen_through(scan, first, last, 1), axis - first


def binned(scan: Scan, axis: float, rng: np.random.Generator) -> tuple[Scan, float]:
    return seen_through(scan, 0, scan.columns, 2), (axis + 0.5) / 2 - 0.5


def seen_through(scan: Scan, first: int, last: int, bin: int) -> Scan:
    parts = [frames and Part(frames, first, last, bin) for frames in (scan.projections, scan.flats, scan.darks)]
    return replace(scan, projections=parts[0] or scan.projections, flats=parts[1], darks=parts[2])


def few_views(scan: Scan, axis: float, rng: np.random.Generator) -> tuple[Scan, float]:
    return with_angles(
        scan, np.arange(0, scan.angles, max(1, scan.angles // (45 * round(np.ptp(scan.theta) / np.pi))))
    ), axis


def other_angles(scan: Scan, axis: float, rng: np.random.Generator) -> tuple[Scan, float]:
    """Angles that begin elsewhere, some missing at random, one or two missing at the end."""
    kept = np.flatnonzero(rng.random(scan.angles) > 0.1)[: -int(rng.integers(1, 3))]
    kept = np.unique(np.concatenate([[0], kept]))
    if rng.random() < 0.3:
        kept = kept[::-1]
    return with_angles(replace(scan, theta=scan.theta + rng.uniform(-10, 10)), kept), axis


def with_angles(scan: Scan, numbers: NDArray[np.intp]) -> Scan:
    return replace(
        scan, projections=Turned(scan.projections, numbers), theta=scan.theta[numbers],
        flat_times=np.where(scan.flat_times < 0, -1.0, len(numbers)),
    )  # fmt: skip


def judged(case: Case, options: argparse.Namespace) -> tuple[AxisReport, float]:
    start = time.perf_counter()
    found = find_rotation_axis(case.scan, threads=options.threads)
    seconds = time.perf_counter() - start
    if options.each:
        methods = " ".join(f"{name} {value - case.axis:+.2f}" for name, value in found.methods.items())
        off = found.rotation_axis - case.axis
        print(f"{case.number:3} {off:+8.3f} {found.verdict:5} {seconds:5.2f} s | {methods} | {case.about}", flush=True)
    return found, seconds


def report(results: list[tuple[Case, AxisReport, float]]) -> None:
    errors = np.array([abs(found.rotation_axis - case.axis) for case, found, _ in results])
    colours = np.array([found.verdict for _, found, _ in results])
    line("verdict", errors)
    for colour in ("green", "amber", "red"):
        line(colour, errors[colours == colour])
    for name in dict.fromkeys(name for _, found, _ in results for name in found.methods):
        line(
            name,
            np.array([abs(found.methods[name] - case.axis) for case, found, _ in results if name in found.methods]),
        )
    for case, found, _ in results:
        off = found.rotation_axis - case.axis
        if found.verdict == "green" and abs(off) > _BAD:
            print(f"green, but off by {off:+.2f}: scan {case.number}, {case.about}")
    print(f"{sum(seconds for *_, seconds in results) / len(results):.2f} s a scan")


def line(name: str, errors: NDArray[np.float64]) -> None:
    if len(errors):
        middle, most = np.percentile(errors, [50, 95])
        good = np.mean(errors <= _GOOD)
        print(
            f"{name:12} {len(errors):4} scans  median {middle:7.3f}  95 % {most:8.3f}  worst {errors.max():8.2f}  "
            f"within {_GOOD}: {good:6.1%}"
        )


if __name__ == "__main__":
    main()
