"""The compiled reconstruction: against exact back-projection, against SciPy's path, and bit for bit against itself."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from stp3.errors import UsageFault
from stp3.kernels import gridding
from stp3.kernels.angles import density_weights
from stp3.kernels.filters import ramp
from stp3.kernels.window import Window

pytest.importorskip("stp3.kernels._native", reason="installed without a C++ compiler")
compiled = pytest.importorskip("stp3.kernels.compiled_gridding")

from stp3.kernels._native import Reconstructor  # noqa: E402
from stp3.kernels.grid_sizes import Sizes  # noqa: E402

SETS = compiled.instruction_sets()
Floats = NDArray[np.float32]


def ellipses(theta: NDArray[np.float64], columns: int, axis: float, rows: int = 1) -> Floats:
    """Line integrals (angles, rows, columns) of ellipses, averaged over each pixel; every row has others."""
    fine = 4
    x = (np.arange(columns * fine) + 0.5) / fine - 0.5 - axis
    out = np.zeros((len(theta), rows, columns))
    for row in range(rows):
        rng = np.random.default_rng(row)
        where, size = rng.uniform(-0.25, 0.25, (12, 2)) * columns, rng.uniform(0.02, 0.08, (12, 2)) * columns
        small = np.column_stack([where, size, rng.uniform(0, np.pi, 12), rng.uniform(-0.3, 0.5, 12)])
        shapes = np.vstack([[0, 0, 0.42 * columns, 0.38 * columns, 0, 1.0], small])
        lines = np.zeros((len(theta), len(x)))
        for x0, y0, a, b, phi, value in shapes:
            middle = x0 * np.cos(theta) + y0 * np.sin(theta)
            reach = (a * np.cos(theta - phi)) ** 2 + (b * np.sin(theta - phi)) ** 2
            chord = np.maximum(reach[:, None] - (x - middle[:, None]) ** 2, 0)
            lines += value * 2 * a * b * np.sqrt(chord) / reach[:, None]
        out[:, row] = lines.reshape(len(theta), columns, fine).mean(axis=2)
    return out.astype(np.float32)


def exact(sinogram: Floats, theta: NDArray[np.float64], axis: float) -> NDArray[np.float64]:
    """Filtered back-projection in double precision: filtered rows interpolated 64-fold by Fourier, then summed."""
    angles, columns = sinogram.shape
    padded, finer = 4 * columns, 64
    lines = np.zeros((angles, padded))
    lines[:, :columns] = sinogram
    middle = (columns + padded) // 2
    lines[:, columns:middle], lines[:, middle:] = sinogram[:, -1:], sinogram[:, :1]
    spectrum = np.fft.rfft(lines) * ramp(padded)
    centre = np.arange(columns) - (columns - 1) / 2
    x, y = np.meshgrid(centre, -centre)
    out = np.zeros((columns, columns))
    for angle, weight, line in zip(theta, density_weights(theta), spectrum, strict=True):
        values = np.fft.irfft(np.append(line[:-1], np.zeros(padded * finer // 2 + 1 - padded // 2)), padded * finer)
        place = (axis + x * np.cos(angle) + y * np.sin(angle)) * finer
        first = np.floor(place).astype(int)
        share = place - first
        out += weight * finer * (values[first % len(values)] * (1 - share) + values[(first + 1) % len(values)] * share)
    return out


def inside(columns: int, share: float = 0.95) -> NDArray[np.bool_]:
    centre = np.arange(columns) - (columns - 1) / 2
    return np.hypot(*np.meshgrid(centre, centre)) < share * columns / 2


def psnr(a: NDArray[np.generic], b: NDArray[np.float64]) -> float:
    where = inside(len(b))
    return float(20 * np.log10(np.ptp(b[where]) / np.sqrt(np.mean((a - b)[where] ** 2))))


UNEVEN = np.sort(np.random.default_rng(9).uniform(0, np.pi, 400))


@pytest.mark.parametrize("instructions", SETS)
@pytest.mark.parametrize(
    ("columns", "theta", "axis", "least"),
    [
        (256, 0.3 + np.arange(300)[::-1] * np.pi / 300, 130.3, 70),
        (255, np.arange(300) * np.pi / 300, 125.25, 70),
        (128, np.arange(360) * np.pi / 180 + 1.0, 63.5, 70),
        (128, UNEVEN, 60.0, 62),
    ],
)
def test_equals_exact_back_projection(
    columns: int, theta: NDArray[np.float64], axis: float, least: float, instructions: str
) -> None:
    sinogram = ellipses(theta, columns, axis)
    found = compiled.reconstruct(sinogram, theta, axis, instructions=instructions)[0]
    assert psnr(found, exact(sinogram[:, 0], theta, axis)) > least


@pytest.mark.parametrize("pad", ["edge", "zero"])
@pytest.mark.parametrize("columns", [97, 128, 250])
def test_equals_the_path_without_a_compiler(columns: int, pad: gridding.Pad) -> None:
    theta = np.arange(150) * np.pi / 150
    sinograms = ellipses(theta, columns, columns / 2, 3)
    settings = {"filter": "hann", "cutoff": 0.8, "pixel_size": 0.5, "pad": pad}
    found = compiled.reconstruct(sinograms, theta, columns / 2, **settings)
    wanted = gridding.reconstruct(sinograms, theta, columns / 2, **settings)
    where = inside(columns)
    assert np.abs(found - wanted)[:, where].max() < 2e-4 * np.ptp(wanted)


@pytest.mark.parametrize("columns", [1, 2, 3, 31, 64, 97])
@pytest.mark.parametrize("instructions", SETS)
def test_bits_depend_on_neither_company_nor_place_nor_threads(columns: int, instructions: str) -> None:
    theta = np.arange(37) * np.pi / 37 + 0.2
    sinograms = np.random.default_rng(4).random((37, 40, columns), np.float32)
    axis = columns / 2
    all_of_them = compiled.reconstruct(sinograms, theta, axis, instructions=instructions)
    for first, count in [(0, 1), (39, 1), (5, 2), (3, 3), (1, 7), (0, 8), (20, 9), (2, 16), (4, 17), (7, 31), (0, 40)]:
        for threads in (1, 3):
            some = compiled.reconstruct(
                sinograms[:, first : first + count], theta, axis, threads=threads, instructions=instructions
            )
            assert np.array_equal(some, all_of_them[first : first + count]), (first, count, threads)


def test_bits_hold_at_many_bands_and_threads() -> None:
    theta = np.arange(61) * np.pi / 61
    sinograms = np.random.default_rng(5).random((61, 9, 600), np.float32)
    first = compiled.reconstruct(sinograms, theta, 299.5, threads=1)
    for threads in (2, 5):
        assert np.array_equal(compiled.reconstruct(sinograms, theta, 299.5, threads=threads), first)
        assert np.array_equal(compiled.reconstruct(sinograms[:, 4:5], theta, 299.5, threads=threads)[0], first[4])


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("grids", [1, 2, 3, 7])
def test_bits_depend_on_neither_grids_nor_teams(grids: int, threads: int) -> None:
    angles, columns, rows = 50, 40, 75  # seventy-five: vectors, half a vector and slices one by one
    sizes = Sizes(angles, columns)
    theta = np.arange(angles) * np.pi / angles
    data = np.random.default_rng(6).random((angles, rows, columns), np.float32)
    response, axes = np.ones(sizes.frequencies, np.float32), 19.5 + 0.01 * np.arange(rows)
    made = []
    for some in (1, grids):
        plan = Reconstructor(
            theta, np.ones(angles), columns, sizes.padded, sizes.window.shape, sizes.grid, (0.5, -0.5), True
        )
        out = np.full((rows, columns, columns), np.nan, np.float32)
        plan.reconstruct(data, response, axes, out, 1 if some == 1 else threads, some)
        made.append(out)
    assert np.array_equal(made[0], made[1])


@pytest.mark.parametrize("columns", [64, 75])
def test_instruction_sets_agree(columns: int) -> None:
    theta = np.arange(90) * np.pi / 90
    sinograms = ellipses(theta, columns, 30.0, 2)
    found = [compiled.reconstruct(sinograms, theta, 30.0, instructions=name) for name in SETS]
    for other in found[1:]:
        assert np.abs(other - found[0]).max() < 1e-5 * np.ptp(found[0])


@pytest.mark.parametrize("count", [3, 20])
def test_an_axis_for_each_row(count: int) -> None:
    theta = np.arange(50) * np.pi / 50
    sinograms = np.random.default_rng(6).random((50, count, 48), np.float32)
    axes = 23 + 0.1 * np.arange(count)
    found = compiled.reconstruct(sinograms, theta, axes)
    for row in range(count):
        assert np.array_equal(found[row], compiled.reconstruct(sinograms[:, row : row + 1], theta, axes[row])[0])


def test_any_strides() -> None:
    theta = np.arange(30) * np.pi / 30
    room = np.random.default_rng(7).random((30, 40, 50), np.float32)
    wanted = compiled.reconstruct(np.ascontiguousarray(room[::2, 5:25, 3:43]), theta[::2], 20.0)
    assert np.array_equal(compiled.reconstruct(room[::2, 5:25, 3:43], theta[::2], 20.0), wanted)
    by_rows = np.ascontiguousarray(room[::2, 5:25, 3:43].transpose(1, 0, 2)).transpose(1, 0, 2)
    assert np.array_equal(compiled.reconstruct(by_rows, theta[::2], 20.0), wanted)
    turned = np.ascontiguousarray(room.transpose(2, 0, 1)).transpose(1, 2, 0)[::2, 5:25, 3:43]
    assert np.array_equal(compiled.reconstruct(turned, theta[::2], 20.0), wanted)
    backwards = np.ascontiguousarray(room[::2][::-1, 5:25, 3:43])[::-1]
    assert np.array_equal(compiled.reconstruct(backwards, theta[::2], 20.0), wanted)


def test_fills_a_given_array_and_reads_only_projections() -> None:
    theta = np.arange(30) * np.pi / 30
    sinograms = np.random.default_rng(8).random((30, 3, 40), np.float32)
    sinograms.flags.writeable = False
    out = np.full((3, 40, 40), np.nan, np.float32)
    assert compiled.reconstruct(sinograms, theta, 20.0, out=out) is out
    assert np.array_equal(out, compiled.reconstruct(sinograms, theta, 20.0))


def test_calls_at_the_same_time() -> None:
    theta = np.arange(40) * np.pi / 40
    sinograms = np.random.default_rng(9).random((40, 8, 64), np.float32)
    wanted = compiled.reconstruct(sinograms, theta, 30.0)

    def work(row: int) -> bool:
        slice_ = compiled.reconstruct(sinograms[:, row : row + 1], theta, 30.0, threads=2)[0]
        return np.array_equal(slice_, wanted[row])

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, [*range(8)] * 5))


def test_a_value_that_is_not_a_number_stays_in_its_slice() -> None:
    theta = np.arange(30) * np.pi / 30
    sinograms = np.random.default_rng(8).random((30, 20, 40), np.float32)
    wanted = compiled.reconstruct(sinograms, theta, 20.0)
    sinograms[3, 11, 7] = np.nan
    found = compiled.reconstruct(sinograms, theta, 20.0)
    assert np.isnan(found[11]).all()
    assert np.array_equal(np.delete(found, 11, 0), np.delete(wanted, 11, 0))


@pytest.mark.parametrize(("angles", "columns", "part"), [
    (60, 64, None), (90, 301, None), (10, 1000, None), (40, 1000, Window(10, 900, 30, 210, 1000)),
])  # fmt: skip
def test_the_declared_memory_covers_what_is_taken(angles: int, columns: int, part: Window | None) -> None:
    sizes = Sizes(angles, columns, part)
    theta = np.arange(angles) * np.pi / angles
    picture, grid = sizes.window.shape[::-1], sizes.grid[::-1]
    plan = Reconstructor(theta, np.ones(angles), columns, sizes.padded, picture, grid, sizes.window.centre, True)
    threads = len(os.sched_getaffinity(0))
    grids = compiled._grids(sizes)
    rows = grids * plan.lanes + 1  # whole vectors and one slice beside them
    response, axes = np.ones(sizes.frequencies, np.float32), np.zeros(rows)
    out = np.empty((rows, *sizes.window.shape), np.float32)
    plan.reconstruct(np.zeros((angles, rows, columns), np.float32), response, axes, out, threads, grids)
    huge_pages = 10 << 21
    declared = compiled.working_bytes(angles, columns, part)
    assert plan.working_bytes <= declared + huge_pages
    assert declared <= 1.5 * plan.working_bytes + huge_pages


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"projections": np.zeros((29, 2, 40), np.float32)}, "projections, axis 0, must hold 30 values.*got 29"),
        ({"projections": np.zeros((30, 40), np.float32)}, r"axes \(angles, rows, columns\), got 2 axes"),
        ({"projections": np.zeros((30, 0, 40), np.float32)}, "at least one row, got 0"),
        ({"projections": np.zeros((30, 1, 20000), np.float32)}, "columns must be between 1 and 16384, got 20000"),
        ({"theta": np.full(30, np.nan)}, r"theta\[0\] must be finite, got nan"),
        ({"theta": np.zeros(0), "projections": np.zeros((0, 2, 40), np.float32)}, "theta must hold 1 to 131072"),
        ({"rotation_axis": np.inf}, r"axes\[0\] must be within \+-160, got inf"),
        ({"rotation_axis": np.array([1.0, 900.0])}, r"axes\[1\] must be within \+-160, got 900"),
        ({"threads": 0}, "threads must be between 1 and 1024, got 0"),
        ({"pixel_size": np.nan}, r"response\[0\] must be finite"),
        ({"out": np.zeros((2, 40, 41), np.float32)}, "out, axis 2, must hold 40 values.*got 41"),
        ({"out": np.zeros((2, 40, 40))}, "out must be a writable C-ordered float32 array.*got float64"),
        ({"out": np.zeros((2, 40, 80), np.float32)[:, :, ::2]}, "not C-ordered"),
        ({"instructions": "sse17"}, "does not run sse17"),
    ],
)
def test_wrong_arguments(change: dict[str, object], words: str) -> None:
    right = {
        "projections": np.zeros((30, 2, 40), np.float32), "theta": np.arange(30) * np.pi / 30, "rotation_axis": 20.0,
    }  # fmt: skip
    with pytest.raises(UsageFault, match=words):
        compiled.reconstruct(**{**right, **change})
