"""Reconstruction alone, side by side in one run: the compiled kernel, SciPy's path, and what else can be imported.

python bench/kernels.py [--columns 2048] [--angles 1800] [--rows 16] [--threads 2] [--rounds 3] [--slow]

algotom, astra-toolbox, ducc0, finufft, midas-tomo, scikit-image and tomopy take part when they can be imported: run
this with their environment's Python and PYTHONPATH set to this checkout. How the kernel's own time grows: scaling.py.
Everybody filters with Ram-Lak and gets the same float32 sinograms in memory; buffers are warm, imports and plans are
not timed. All take turns in each round; printed are medians. `core-ms` is processor time a slice, the figure that
neighbours on the machine disturb least. `PSNR` compares one slice, inside 0.95 of the circle, with filtered
back-projection in double precision (64-fold Fourier interpolation). The slow ones (over a second a slice) run with
--slow, on one row.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from stp3.kernels import gridding, memory
from stp3.kernels.filters import filter_response, ramp
from stp3.kernels.reconstruction import is_compiled

Slices = NDArray[np.float32]
_PIXELS = 20_000


@dataclass
class Case:
    """The sinograms (angles, rows, columns) and how they are reconstructed."""

    sinograms: Slices
    theta: NDArray[np.float64]
    axis: float
    threads: int

    @property
    def columns(self) -> int:
        return self.sinograms.shape[2]


@dataclass
class Contestant:
    name: str
    run: Callable[[Slices], Slices]  # sinograms (angles, rows, columns) -> slices
    rows: int
    walls: list[float] = field(default_factory=list)
    cores: list[float] = field(default_factory=list)
    psnr: float = float("nan")

    def take_turn(self, case: Case) -> Slices:
        wall, core = time.perf_counter(), time.process_time()
        slices = self.run(case.sinograms[:, : self.rows])
        self.walls.append((time.perf_counter() - wall) / self.rows)
        self.cores.append((time.process_time() - core) / self.rows)
        return slices


def main() -> None:
    options = parse()
    case = make_case(options)
    contestants = [*own(case), *transforms(case), *midas(case), *tomopy(case)]
    if options.slow:
        contestants += slow(case)
    pixels, exact = exact_pixels(case)
    for contestant in contestants:
        contestant.psnr = psnr(contestant.take_turn(case)[0], pixels, exact)
        contestant.walls.clear(), contestant.cores.clear()
    for _ in range(options.rounds):
        for contestant in contestants:
            contestant.take_turn(case)
    report(case, contestants)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("columns", 2048), ("angles", 1800), ("rows", 16), ("threads", 2), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--slow", action="store_true")
    return parser.parse_args()


def make_case(options: argparse.Namespace) -> Case:
    """Sinograms of 40 ellipses inside a body that nearly fills the field of view, averaged over each pixel."""
    n, rng = options.columns, np.random.default_rng(3)
    theta = np.pi * np.arange(options.angles) / options.angles
    axis = (n - 1) / 2
    x = (np.arange(4 * n) + 0.5) / 4 - 0.5 - axis
    where, size = rng.uniform(-0.28, 0.28, (40, 2)) * n, rng.uniform(0.005, 0.07, (40, 2)) * n
    small = np.column_stack([where, size, rng.uniform(0, np.pi, 40), rng.uniform(-0.3, 0.5, 40)])
    lines = np.zeros((len(theta), n), np.float32)
    for x0, y0, a, b, phi, value in np.vstack([[0, 0, 0.44 * n, 0.4 * n, 0, 1.0], small]):
        reach = ((a * np.cos(theta - phi)) ** 2 + (b * np.sin(theta - phi)) ** 2)[:, None]
        middle = (x0 * np.cos(theta) + y0 * np.sin(theta))[:, None]
        chord = 2 * value * a * b * np.sqrt(np.maximum(reach - (x - middle) ** 2, 0)) / reach
        lines += chord.reshape(len(theta), n, 4).mean(axis=2).astype(np.float32)
    scale = (1 + 0.01 * np.arange(options.rows, dtype=np.float32))[None, :, None]
    return Case(np.ascontiguousarray(lines[:, None] * scale), theta, axis, options.threads)


def own(case: Case) -> list[Contestant]:
    """The compiled kernel with each instruction set, all rows and one row alone, and SciPy's path."""
    rows = case.sinograms.shape[1]
    found = []
    if is_compiled():
        from stp3.kernels import compiled_gridding

        out = memory.empty((rows, case.columns, case.columns))

        def compiled(name: str) -> Callable[[Slices], Slices]:
            return lambda data: compiled_gridding.reconstruct(
                data, case.theta, case.axis, threads=case.threads, out=out[: data.shape[1]], instructions=name
            )

        for name in compiled_gridding.instruction_sets():
            found += [
                Contestant(f"stp3 {name}", compiled(name), rows),
                Contestant(f"stp3 {name}, 1 row", compiled(name), 1),
            ]
    scipy_path: Callable[[Slices], Slices] = lambda data: gridding.reconstruct(  # noqa: E731
        data, case.theta, case.axis, threads=case.threads
    )
    return [*found, Contestant("stp3 SciPy path", scipy_path, min(rows, 8))]


def factors(case: Case, padded: int) -> NDArray[np.complex64]:
    """What filters each spectrum and moves the axis to the origin, for all frequencies, (angles, padded)."""
    k = np.fft.fftfreq(padded, 1 / padded)
    half = 0.0 if case.columns % 2 else 0.5
    turn = case.axis + half * (np.cos(case.theta) - np.sin(case.theta))[:, None]
    response = filter_response("ram-lak", padded)[np.abs(k).astype(int)] / padded * np.pi / len(case.theta)
    return np.asarray(response * np.exp(2j * np.pi / padded * k * turn), np.complex64)


def samples(case: Case, data: Slices, factor: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Filtered spectra of two rows as real and imaginary part, all frequencies, (angles x padded)."""
    n, padded = case.columns, factor.shape[1]
    middle = (n + padded) // 2
    both = np.empty((len(case.theta), padded), np.complex64)
    both.real[:, :n], both.imag[:, :n] = data[:, 0], data[:, 1]
    both[:, n:middle], both[:, middle:] = both[:, n - 1 : n], both[:, :1]
    spectrum = scipy.fft.fft(both, workers=case.threads, overwrite_x=True)
    spectrum *= factor
    return spectrum.ravel()


def transforms(case: Case) -> list[Contestant]:
    """The same reconstruction through libraries for non-uniform Fourier transforms, two slices in one transform."""
    n, padded = case.columns, gridding.Sizes(len(case.theta), case.columns).padded
    k = 2 * np.pi * np.fft.fftfreq(padded)
    across, down = (np.outer(turn, k).ravel().astype(np.float32) for turn in (np.cos(case.theta), -np.sin(case.theta)))
    factor, found = factors(case, padded), []

    def in_pairs(pair: Callable[[NDArray[np.complex64]], NDArray[np.complex64]]) -> Callable[[Slices], Slices]:
        def run(data: Slices) -> Slices:
            out = np.empty((data.shape[1], n, n), np.float32)
            for row in range(0, data.shape[1], 2):
                both = pair(samples(case, data[:, row : row + 2], factor))
                out[row], out[row + 1] = both.real, both.imag
            return out

        return run

    rows = min(case.sinograms.shape[1] // 2 * 2, 4)
    if find_spec("finufft"):
        import finufft

        for eps in (1e-2, 1e-3):
            plan = finufft.Plan(1, (n, n), eps=eps, isign=1, dtype="complex64", nthreads=case.threads, upsampfac=1.25)
            plan.setpts(down, across)
            found.append(Contestant(f"finufft {eps:g}", in_pairs(plan.execute), rows))
    if find_spec("ducc0"):
        import ducc0

        places = np.column_stack([down, across])
        settings = {"forward": False, "nthreads": case.threads, "periodicity": 2 * np.pi}

        def spread(eps: float) -> Callable[[NDArray[np.complex64]], NDArray[np.complex64]]:
            return lambda points: ducc0.nufft.nu2u(
                points=points, coord=places, out=np.empty((n, n), np.complex64), epsilon=eps, **settings
            )

        found += [Contestant(f"ducc0 nufft {eps:g}", in_pairs(spread(eps)), rows) for eps in (1e-2, 1e-3)]
    return found if rows else []


def midas(case: Case) -> list[Contestant]:
    """Its gridrec through its only door, files in a folder; in memory where /dev/shm is."""
    if not find_spec("midas_tomo"):
        return []
    from midas_tomo import run_tomo_from_sinos

    room, n = Path("/dev/shm"), case.columns

    def run(pad: bool) -> Callable[[Slices], Slices]:
        def reconstruct(data: Slices) -> Slices:
            with TemporaryDirectory(dir=room if room.is_dir() else None) as folder, redirect_stdout(StringIO()):
                made = run_tomo_from_sinos(
                    np.ascontiguousarray(data.transpose(1, 0, 2)), folder, np.rad2deg(case.theta), shifts=-0.5,
                    filter_nr=2, extra_pad=pad, n_cpus=case.threads,
                )[0]  # fmt: skip
            first = (made.shape[-1] - n) // 2
            return np.asarray(made[:, first : first + n, first : first + n])

        return reconstruct

    rows = min(case.sinograms.shape[1], 8)
    return [Contestant("midas-tomo gridrec", run(False), rows), Contestant("midas-tomo, extra pad", run(True), rows)]


def tomopy(case: Case) -> list[Contestant]:
    if not find_spec("tomopy"):
        return []
    import tomopy as tp

    pad = case.columns // 2

    def plain(data: Slices) -> Slices:
        return tp.recon(data, case.theta, case.axis, algorithm="gridrec", filter_name="ramlak", ncore=case.threads)

    def padded(data: Slices) -> Slices:
        wide = np.pad(data, ((0, 0), (0, 0), (pad, pad)), mode="edge")
        slices = tp.recon(
            wide, case.theta, case.axis + pad, algorithm="gridrec", filter_name="ramlak", ncore=case.threads
        )
        return slices[:, pad:-pad, pad:-pad]

    rows = case.sinograms.shape[1]
    return [Contestant("tomopy gridrec", plain, rows), Contestant("tomopy gridrec, edge pad", padded, rows)]


def slow(case: Case) -> list[Contestant]:
    found = []
    if find_spec("algotom"):
        from algotom.rec import reconstruction as al

        def fbp(data: Slices) -> Slices:
            return al.fbp_reconstruction(data[:, 0], case.axis, angles=case.theta, ratio=None, filter_name="ramp",
                                         apply_log=False, gpu=False, ncore=case.threads)[None]  # fmt: skip

        def fourier(data: Slices) -> Slices:
            return al.dfi_reconstruction(data[:, 0], case.axis, angles=case.theta, ratio=None, filter_name=None,
                                         apply_log=False, ncore=case.threads)[None]  # fmt: skip

        found += [Contestant("algotom fbp", fbp, 1), Contestant("algotom dfi", fourier, 1)]
    if find_spec("skimage"):
        from skimage.transform import iradon

        degrees = -np.rad2deg(case.theta)
        found.append(
            Contestant("scikit-image iradon", lambda data: iradon(data[:, 0].T, degrees, circle=True)[None], 1)
        )
    if find_spec("astra"):
        found.append(Contestant("astra FBP (CPU, linear)", lambda data: astra_fbp(case, data[:, 0])[None], 1))
    return found


def astra_fbp(case: Case, sinogram: Slices) -> Slices:
    import astra

    n = case.columns
    picture = astra.create_vol_geom(n, n)
    beam = astra.create_proj_geom("parallel", 1.0, n, -case.theta)
    projector = astra.create_projector("linear", beam, picture)
    made = astra.data2d.create("-vol", picture)
    given = astra.data2d.create("-sino", beam, np.ascontiguousarray(sinogram))
    settings = astra.astra_dict("FBP")
    settings |= {"ReconstructionDataId": made, "ProjectionDataId": given, "ProjectorId": projector}
    settings["option"] = {"FilterType": "Ram-Lak"}
    algorithm = astra.algorithm.create(settings)
    astra.algorithm.run(algorithm)
    result = astra.data2d.get(made)
    astra.algorithm.delete(algorithm), astra.data2d.delete([made, given]), astra.projector.delete(projector)
    return np.asarray(result, np.float32)


def exact_pixels(case: Case) -> tuple[tuple[NDArray[Any], NDArray[Any]], NDArray[np.float64]]:
    """Some pixels of the first slice, (rows, columns), and their values by back-projection in double precision."""
    n, padded, finer = case.columns, 4 * case.columns, 64
    rng, middle = np.random.default_rng(4), (case.columns + 4 * case.columns) // 2
    radius, turn = 0.475 * n * np.sqrt(rng.random(_PIXELS)), rng.uniform(0, 2 * np.pi, _PIXELS)
    rows, columns = ((n - 1) / 2 + radius * part for part in (np.sin(turn), np.cos(turn)))
    rows, columns = rows.round().astype(int), columns.round().astype(int)
    x, y, response = columns - (n - 1) / 2, (n - 1) / 2 - rows, ramp(padded)
    out = np.zeros(_PIXELS)
    for angle, line in zip(case.theta, case.sinograms[:, 0].astype(float), strict=True):
        wide = np.concatenate([line, np.full(middle - n, line[-1]), np.full(padded - middle, line[0])])
        spectrum = np.zeros(padded * finer // 2 + 1, complex)
        spectrum[: padded // 2] = (np.fft.rfft(wide) * response)[:-1]
        values = np.fft.irfft(spectrum, padded * finer)
        place = (case.axis + x * np.cos(angle) + y * np.sin(angle)) * finer
        first = np.floor(place).astype(int)
        out += values[first] + (values[first + 1] - values[first]) * (place - first)
    return (rows, columns), out * finer * np.pi / len(case.theta)


def psnr(slice_: Slices, pixels: tuple[NDArray[Any], NDArray[Any]], exact: NDArray[np.float64]) -> float:
    """In dB; the best of the ways in which a library may turn its pictures."""
    turned = [
        way for picture in (slice_, slice_.T) for way in (picture, picture[::-1], picture[:, ::-1], picture[::-1, ::-1])
    ]
    error = min(float(np.mean((way[pixels] - exact) ** 2)) for way in turned)
    return float(20 * np.log10(np.ptp(exact) / np.sqrt(error)))


def report(case: Case, contestants: list[Contestant]) -> None:
    angles, rows, columns = case.sinograms.shape
    print(f"{machine()}\n{columns} columns x {angles} angles, {rows} rows, {case.threads} thread(s)\n")
    print("| method | slices/s | core-ms a slice | times slower | times the core time | PSNR to exact, dB |")
    print("|---|---|---|---|---|---|")
    first = contestants[0]
    for one in contestants:
        wall, core = median(one.walls), median(one.cores)
        print(
            f"| {one.name} | {1 / wall:.3g} | {core * 1e3:.3g} | {wall / median(first.walls):.3g} "
            f"| {core / median(first.cores):.3g} | {one.psnr:.1f} |"
        )


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else 'unknown processor'}, {len(models)} logical cores"


if __name__ == "__main__":
    main()
