"""Retrieval by contrast transfer finds the phase of a simulated sample, as far as its formula lets it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stp3.kernels.phase import ContrastTransfer
from stp3.kernels.projection_filter import reach_of
from stp3.recipe import Recipe
from stp3.steps.base import Slab
from stp3.steps.phase_ctf import (
    PhaseCTF,
    PhaseCTFHalfSine,
    PhaseProjectedCTF,
    PhaseQuasiparticle,
    PhaseQuasiparticleHalfSine,
)
from stp3.testing.step_contract import StepContract, example_slab, rows_of

NEAR = {"energy_kev": 25.0, "distance_mm": 100.0, "pixel_size_um": 2.0}  # no frequency is lost
FAR = {"energy_kev": 12.0, "distance_mm": 60.0, "pixel_size_um": 0.65}  # the first is lost at 0.26 per pixel
STEPS = (PhaseCTF, PhaseCTFHalfSine, PhaseQuasiparticle, PhaseQuasiparticleHalfSine, PhaseProjectedCTF)


class CTFContract(StepContract):
    def slab(self) -> Slab:
        slab = example_slab(rows=7)
        return slab.with_data((slab.data - 100) / 20_000)


class TestCTFKeepsTheContract(CTFContract):
    step = PhaseCTF
    parameters = PhaseCTF.Parameters(**NEAR)


class TestCTFHalfSineKeepsTheContract(CTFContract):
    step = PhaseCTFHalfSine
    parameters = PhaseCTFHalfSine.Parameters(**FAR)


class TestQuasiparticleKeepsTheContract(CTFContract):
    step = PhaseQuasiparticle
    parameters = PhaseQuasiparticle.Parameters(**FAR)


class TestQuasiparticleHalfSineKeepsTheContract(CTFContract):
    step = PhaseQuasiparticleHalfSine
    parameters = PhaseQuasiparticleHalfSine.Parameters(**FAR)


class TestProjectedCTFKeepsTheContract(CTFContract):
    step = PhaseProjectedCTF
    parameters = PhaseProjectedCTF.Parameters(**FAR)


def turned_by(optics: dict[str, float], shape: tuple[int, int]) -> np.ndarray:
    """pi wavelength distance f^2 at each frequency of a picture; by hand, with the wavelength as 12.398 Å keV."""
    wavelength_um = 12.39842e-4 / optics["energy_kev"]
    f_y, f_x = (np.fft.fftfreq(n, optics["pixel_size_um"]) for n in shape)
    return np.pi * wavelength_um * optics["distance_mm"] * 1e3 * (f_y[:, None] ** 2 + f_x**2)


def bumps(shape: tuple[int, int] = (600, 120)) -> np.ndarray:
    """Phase shifts of up to 0.05 radians, small against its frame, between 3 and 6 pixels wide."""
    rng, (y, x) = np.random.default_rng(8), np.mgrid[: shape[0], : shape[1]]
    places = zip(rng.uniform(280, 320, 12), rng.uniform(40, 80, 12), rng.uniform(3, 6, 12), strict=True)
    return sum(0.05 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * w * w)) for cy, cx, w in places)


def far_intensity(shift: np.ndarray, optics: dict[str, float]) -> np.ndarray:
    wave = np.fft.fft2(np.exp(-1j * shift)) * np.exp(-1j * turned_by(optics, shift.shape))
    return np.abs(np.fft.ifft2(wave)) ** 2


def found_by(step: type[PhaseCTF], intensity: np.ndarray, **settings: float) -> np.ndarray:
    data = intensity[None].astype(np.float32)
    slab = Slab(data, range(len(intensity)), np.zeros(1), 0.0)
    return step.apply(slab, step.Parameters(**settings)).data[0]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("optics", [NEAR, FAR], ids=["near", "far"])
def test_the_phase_of_a_simulated_sample_is_found(step: type[PhaseCTF], optics: dict[str, float]) -> None:
    shift = bumps()
    found = found_by(step, far_intensity(shift, optics), **optics)
    sine = np.abs(np.sin(turned_by(optics, shift.shape)))
    expected = np.fft.ifft2(np.fft.fft2(shift) * sine / (sine + 10**-2.5)).real  # what the regularisation leaves
    assert np.corrcoef(expected.ravel(), shift.ravel())[0, 1] > 0.7
    assert np.abs(found - expected).max() < 0.05 * np.ptp(expected)


@pytest.mark.parametrize("regularisation", [1.0, 2.5])
def test_equals_the_formula_on_the_whole_projection(regularisation: float) -> None:
    intensity = far_intensity(bumps((500, 90)), NEAR)
    found = found_by(PhaseCTF, intensity, **NEAR, regularisation=regularisation)
    wide = np.pad(intensity, 400, mode="edge")
    factor = 0.5 / (np.sin(turned_by(NEAR, wide.shape)) + 10**-regularisation)
    expected = np.fft.ifft2(np.fft.fft2(1 - wide) * factor).real[400:-400, 400:-400]
    assert np.abs(found - expected).max() < 2e-4 * np.ptp(expected)


def test_the_family_differs_where_frequencies_are_lost() -> None:
    frequencies = np.sqrt(np.array([0.5, 2.8, 3.5, np.pi + 1.5, 2 * np.pi - 0.05])), np.zeros(1)
    low, near_first, after_first, second, near_second = 0.5 / (np.abs(np.sin(frequencies[0] ** 2)) + 0.01)
    rim = 0.5 / 0.41
    expected = {
        "kept": [low, near_first, -after_first, -second, -near_second],
        "removed": [low, 0, 0, -second, 0],
        "levelled": [low, rim, -rim, -second, -rim],
    }
    for rings, factors in expected.items():
        np.testing.assert_allclose(ContrastTransfer(1.0, 2.0, 0.4, rings)(*frequencies), factors)
        ended = [*factors[:2], 0, 0, 0]
        np.testing.assert_allclose(ContrastTransfer(1.0, 2.0, 0.4, rings, True)(*frequencies), ended)


def test_a_slab_with_its_halo_equals_the_whole_projection() -> None:
    parameters = PhaseQuasiparticle.Parameters(**FAR)
    halo = PhaseQuasiparticle.halo(parameters)
    intensity = far_intensity(bumps((halo + 340, 60)), FAR)[None].astype(np.float32)
    slab = Slab(intensity, range(intensity.shape[1]), np.zeros(1), 0.0)
    whole = PhaseQuasiparticle.apply(slab, parameters).data
    part = replace(rows_of(slab, 0, halo + 300), scan_rows=halo + 340)
    done = PhaseQuasiparticle.apply(part, parameters)
    assert done.rows == range(300)
    np.testing.assert_array_equal(done.data, whole[:, :300])


def test_kernels_without_an_end_are_faded_out() -> None:
    assert reach_of(ContrastTransfer(1.0, 1.0, 0.2, "removed")) == 256
    assert reach_of(ContrastTransfer(5.0, 2.5)) == int(10 * np.sqrt(5 * 10**2.5))


@pytest.mark.parametrize("step", STEPS)
def test_each_takes_the_place_of_minus_log(step: type[PhaseCTF]) -> None:
    names = [use.name for use in Recipe.default().with_step(step.name).running]
    assert names[:4] == ["flat_field", "zingers", step.name, "stripes_all"]
