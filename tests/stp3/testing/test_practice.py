"""Practice scans: their counts against their truth, fault by fault."""

from __future__ import annotations

import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from stp3.errors import UsageFault
from stp3.testing import FAULTS, Truth, truth_path, write_practice_scan
from stp3.testing.phantom import Ellipsoid
from stp3.testing.practice import phase_strength

SIZE = {"columns": 96, "rows": 5, "angles": 60}


def counts(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Projections, flats and darks of a Data Exchange file."""
    with h5py.File(path) as file:
        names = ("data", "data_white", "data_dark")
        return tuple(file[f"exchange/{name}"][()].astype(float) for name in names)  # type: ignore[return-value]


def lines(path: Path, flats: slice = slice(None)) -> NDArray[np.float64]:
    """Minus the logarithm of the projections after flats and darks."""
    data, white, dark = counts(path)
    offset = dark.mean(axis=0)
    return -np.log(np.maximum(data - offset, 1) / np.maximum(white[flats].mean(axis=0) - offset, 1))


def test_without_faults_the_counts_are_the_truth_to_a_count(tmp_path: Path) -> None:
    truth = write_practice_scan(tmp_path / "scan.h5", **SIZE)
    for row in range(truth.rows):
        np.testing.assert_allclose(lines(tmp_path / "scan.h5")[:, row], truth.sinogram(row), atol=5e-4)


def test_the_axis_is_where_the_truth_says(tmp_path: Path) -> None:
    """The centre of mass of each projection goes round the axis in a sine."""
    for seed in (1, 2, 3):
        truth = write_practice_scan(tmp_path / "scan.h5", seed=seed, **SIZE)
        sinogram = truth.sinogram(2).astype(float)
        centre = (sinogram * np.arange(96)).sum(axis=1) / sinogram.sum(axis=1)
        waves = np.stack([np.ones(60), np.cos(truth.theta), np.sin(truth.theta)], axis=1)
        offset = np.linalg.lstsq(waves, centre, rcond=None)[0][0]
        assert offset == pytest.approx(truth.rotation_axis, abs=1e-3)
        assert 0.3 < abs(offset - 47.5) < 3


def test_the_same_settings_give_the_same_file_and_another_seed_another(tmp_path: Path) -> None:
    every = set(FAULTS) - {"half"}
    write_practice_scan(tmp_path / "one.h5", faults=every, threads=1, **SIZE)
    write_practice_scan(tmp_path / "two.h5", faults=every, threads=2, **SIZE)
    write_practice_scan(tmp_path / "three.h5", faults=every, seed=2, **SIZE)
    one, two, three = (counts(tmp_path / f"{name}.h5")[0] for name in ("one", "two", "three"))
    np.testing.assert_array_equal(one, two)
    assert (one != three).mean() > 0.9


def test_noise_is_that_of_the_photons(tmp_path: Path) -> None:
    for photons in (60.0, 4000.0):
        write_practice_scan(tmp_path / "scan.h5", faults={"noise"}, photons=photons, flats=400, **SIZE)
        _, white, dark = counts(tmp_path / "scan.h5")
        signal = white.mean(axis=0) - dark.mean(axis=0)
        seen = signal.mean() ** 2 / white.var(axis=0).mean()
        assert seen == pytest.approx(photons * signal.mean() / 40_000, rel=0.05)


def test_rings_of_every_kind_stand_where_the_truth_says(tmp_path: Path) -> None:
    truth = write_practice_scan(tmp_path / "scan.h5", columns=256, rows=2, angles=60, faults={"rings"})
    assert {defect.kind for defect in truth.defects} == {"dead", "stuck", "drifting", "nonlinear", "partial", "wide"}
    off = np.abs(lines(tmp_path / "scan.h5")[:, 1] - truth.sinogram(1))
    bad = np.zeros(256, bool)
    for defect in truth.defects:
        bad[defect.columns] = True
        assert off[:, defect.columns].max() > 0.003, defect
    assert off[:, ~bad].max() < 1e-3
    partial = next(defect for defect in truth.defects if defect.kind == "partial")
    times = np.arange(60) / 59
    outside = (times < partial.span[0]) | (times > partial.span[1])
    assert off[outside][:, partial.columns].max() < 1e-3 < 0.02 < off[~outside][:, partial.columns].min()


def test_drift_is_undone_by_flats_interpolated_in_time_and_not_by_one_mean(tmp_path: Path) -> None:
    truth = write_practice_scan(tmp_path / "scan.h5", faults={"drift"}, **SIZE)
    data, white, dark = counts(tmp_path / "scan.h5")
    offset = dark.mean(axis=0)
    before, after = white[: truth.flats_before].mean(axis=0), white[truth.flats_before :].mean(axis=0)
    late = np.linspace(0, 1, truth.angles)[:, None, None]
    interpolated = -np.log((data - offset) / (before + late * (after - before) - offset))
    np.testing.assert_allclose(interpolated[:, 2], truth.sinogram(2), atol=1e-3)
    assert np.abs(lines(tmp_path / "scan.h5")[:, 2] - truth.sinogram(2)).max() > 0.02


def test_zingers_are_few_bright_pixels(tmp_path: Path) -> None:
    size = {"columns": 128, "rows": 32, "angles": 100}
    write_practice_scan(tmp_path / "clean.h5", **size)
    write_practice_scan(tmp_path / "scan.h5", faults={"zingers"}, **size)
    gained = counts(tmp_path / "scan.h5")[0] - counts(tmp_path / "clean.h5")[0]
    assert 1 <= (gained > 2000).sum() < 60
    assert not (gained < 0).any()


def test_a_tilted_axis_runs_across_the_columns(tmp_path: Path) -> None:
    """A rod around the axis itself is seen where the truth says the axis is, from every side."""
    truth = write_practice_scan(tmp_path / "scan.h5", columns=128, rows=41, angles=4, faults={"tilt"})
    rod = truth.model_copy(update={"phantom": (Ellipsoid(x=0, y=0, a=15, b=15, attenuation=100),)})
    for row in (0, 20, 40):
        seen = rod.sinogram(row).astype(float)
        centres = (seen * np.arange(128)).sum(axis=1) / seen.sum(axis=1)
        np.testing.assert_allclose(centres, truth.axis_at(row), atol=1e-3)
    assert abs(truth.axis_at(40) - truth.axis_at(0)) > 0.1
    assert truth.axis_at(20) == pytest.approx(truth.rotation_axis)


def test_phase_contrast_is_undone_by_its_inverse(tmp_path: Path) -> None:
    """The transport of intensity, solved back in Fourier space, gives the thickness again."""
    truth = write_practice_scan(tmp_path / "scan.h5", columns=128, rows=65, angles=2, faults={"phase"}, distance_mm=50)
    data, white, dark = counts(tmp_path / "scan.h5")
    offset = dark.mean(axis=0)
    image = ((data - offset) / (white.mean(axis=0) - offset))[0]
    assert image.max() > 1.05  # a bright fringe
    mirrored = np.block([[image, image[:, ::-1]], [image[::-1], image[::-1, ::-1]]])
    waves = (2 - 2 * np.cos(2 * np.pi * np.fft.fftfreq(size)) for size in mirrored.shape)
    down, across = waves
    filtered = np.fft.fft2(mirrored) / (1 + phase_strength(truth) * (down[:, None] + across))
    restored = -np.log(np.fft.ifft2(filtered).real[:65, :128])
    np.testing.assert_allclose(restored[20:45], [truth.sinogram(row)[0] for row in range(20, 45)], atol=2e-3)


def test_a_truncated_sample_leaves_no_air_at_the_sides(tmp_path: Path) -> None:
    truth = write_practice_scan(tmp_path / "scan.h5", faults={"truncated"}, **SIZE)
    assert truth.sinogram(2)[:, [0, -1]].max(axis=1).min() > 0.1


def test_a_half_acquisition_covers_the_sample_in_360_degrees(tmp_path: Path) -> None:
    truth = write_practice_scan(tmp_path / "scan.h5", columns=128, rows=2, angles=120, faults={"half"})
    assert truth.angle_range_deg == 360
    assert abs(truth.rotation_axis - 63.5) > 0.3 * 128
    sinogram = truth.sinogram(1)
    near, far = (0, -1) if truth.rotation_axis < 63.5 else (-1, 0)
    assert sinogram[:, far].max() == 0
    assert sinogram[:, near].min() > 0.1


@pytest.mark.parametrize("format", ["data-exchange", "nxtomo"])
@pytest.mark.parametrize("layout", ["contiguous", "frames"])
def test_the_truth_lies_beside_the_scan(tmp_path: Path, format: str, layout: str) -> None:
    path = tmp_path / "scan.h5"
    truth = write_practice_scan(path, faults={"rings", "tilt"}, format=format, layout=layout, **SIZE)
    assert truth_path(path) == tmp_path / "scan.truth.json"
    assert Truth.load(path) == truth
    assert sorted(file.name for file in tmp_path.iterdir()) == ["scan.h5", "scan.truth.json"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"columns": 3}, "columns should be greater than or equal to 32, got 3"),
        ({"faults": {"dust"}}, "faults should be some of noise, .* not 'dust'"),
        ({"colums": 64}, "colums should be .*not permitted"),
        ({"photons": float("nan")}, "photons"),
    ],
)
def test_impossible_settings_are_refused_in_words(tmp_path: Path, settings: dict[str, object], words: str) -> None:
    with pytest.raises(UsageFault, match=words):
        write_practice_scan(tmp_path / "scan.h5", **settings)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_a_fault_of_the_call(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match="does not exist"):
        write_practice_scan(tmp_path / "no" / "scan.h5", **SIZE)


def test_a_test_scan_takes_well_under_a_second(tmp_path: Path) -> None:
    start = time.process_time()
    write_practice_scan(tmp_path / "scan.h5", columns=256, rows=8, angles=180, faults={"rings", "noise"})
    assert time.process_time() - start < 1.5
