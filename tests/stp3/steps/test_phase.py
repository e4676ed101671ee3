"""Phase retrieval finds what a simulated sample absorbs."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from stp3.errors import RecipeFault, UsageFault
from stp3.kernels.materials import delta_and_beta, wavelength_um
from stp3.recipe import Recipe
from stp3.steps.base import Slab
from stp3.steps.phase import PhasePaganin, PhasePaganinGeneralised, ratio
from stp3.testing.step_contract import StepContract, example_slab, rows_of

OPTICS = {"energy_kev": 25.0, "distance_mm": 100.0, "pixel_size_um": 5.0}


class PhaseContract(StepContract):
    def slab(self) -> Slab:
        slab = example_slab(rows=9)
        return slab.with_data((slab.data - 100) / 20_000 + 0.01)


class TestPaganinKeepsTheContract(PhaseContract):
    step = PhasePaganin
    parameters = PhasePaganin.Parameters(**OPTICS, delta_beta=20.0)


class TestGeneralisedPaganinKeepsTheContract(PhaseContract):
    step = PhasePaganinGeneralised
    parameters = PhasePaganinGeneralised.Parameters(**OPTICS, delta_beta=20.0)


def test_rows_that_lack_neighbours_are_left_out_where_the_scan_has_them() -> None:
    step, parameters = PhasePaganin, PhasePaganin.Parameters(**OPTICS, delta_beta=20.0)
    halo, slab = step.halo(parameters), slab_of(np.exp(-spheres() / 400))
    whole = step.apply(slab, parameters)
    for rows in (range(20, 20 + 2 * halo + 3), range(halo + 5), range(100 - halo, 120)):
        part = replace(rows_of(slab, rows.start, rows.stop), scan_rows=120, flats=slab.data[:1, rows.start : rows.stop])
        done = step.apply(part, parameters)
        top, bottom = rows.start and rows.start + halo, 120 if rows.stop == 120 else rows.stop - halo
        assert done.rows == range(top, bottom)
        assert done.flats.shape[1] == len(done.rows)
        np.testing.assert_array_equal(done.data, whole.data[:, top:bottom])


def spheres(rows: int = 120, columns: int = 160) -> np.ndarray:
    """Thickness of a few spheres in µm, softened over two pixels as by a real detector, on pixels of 5 µm."""
    y, x = np.mgrid[:rows, :columns]
    balls = ((60, 80, 40), (30, 40, 15), (85, 120, 20), (20, 130, 8))
    thickness = sum(10 * np.sqrt(np.maximum(r * r - (y - cy) ** 2 - (x - cx) ** 2, 0)) for cy, cx, r in balls)
    ky, kx = np.meshgrid(np.fft.fftfreq(rows), np.fft.rfftfreq(columns), indexing="ij")
    return np.fft.irfft2(np.fft.rfft2(thickness) * np.exp(-8 * np.pi**2 * (kx**2 + ky**2)), s=(rows, columns))


def propagated(thickness_um: np.ndarray, delta: float, beta: float, times: int = 4) -> np.ndarray:
    """The intensity behind the sample, by Fresnel's integral on a finer grid (Goodman, Fourier Optics, eq. 4-21)."""
    wavelength, shape = wavelength_um(OPTICS["energy_kev"]), np.array(thickness_um.shape) * times
    spectrum = np.zeros(shape, complex)
    low = [np.fft.fftfreq(n, 1 / n).astype(int) for n in thickness_um.shape]
    spectrum[np.ix_(*low)] = np.fft.fft2(thickness_um) * times**2
    fine = np.fft.ifft2(spectrum).real
    wave = np.exp(-2 * np.pi / wavelength * (beta + 1j * delta) * fine)
    f_y, f_x = (np.fft.fftfreq(n, OPTICS["pixel_size_um"] / times) for n in shape)
    turned = np.exp(-1j * np.pi * wavelength * OPTICS["distance_mm"] * 1e3 * (f_y[:, None] ** 2 + f_x**2))
    return (np.abs(np.fft.ifft2(np.fft.fft2(wave) * turned)) ** 2)[::times, ::times]


def slab_of(intensity: np.ndarray) -> Slab:
    data = np.repeat(intensity[None], 2, axis=0).astype(np.float32)
    return Slab(data, range(data.shape[1]), np.zeros(2), 0.0, OPTICS["pixel_size_um"])


@pytest.mark.parametrize("step", [PhasePaganin, PhasePaganinGeneralised])
@pytest.mark.parametrize("delta_beta", [200.0, 1000.0])
def test_the_thickness_of_a_simulated_sample_is_found(step: type[PhasePaganin], delta_beta: float) -> None:
    thickness, beta = spheres(), 5e-10
    attenuation = 4 * np.pi * beta / wavelength_um(OPTICS["energy_kev"])  # 1/µm
    intensity = propagated(thickness, delta_beta * beta, beta)
    found = step.apply(slab_of(intensity), step.Parameters(**OPTICS, delta_beta=delta_beta)).data[0] / attenuation
    contact = -np.log(np.maximum(intensity, 1e-3)) / attenuation
    assert np.abs(contact - thickness).max() > 0.1 * thickness.max(), "without it, edges are far off"
    assert np.abs(found - thickness).max() < 0.02 * thickness.max()
    assert np.abs(found - thickness).mean() < 0.001 * thickness.max()


def test_ratio_numbers_and_material_are_one() -> None:
    delta, beta = delta_and_beta("Al", None, 25.0)
    said = [{"delta_beta": delta / beta}, {"delta": delta, "beta": beta}, {"material": "Al"}]
    for way in (*said, {"material": "Al", "density_g_cm3": 5.0}):  # delta and beta both go with the density
        assert ratio(PhasePaganin.Parameters(**OPTICS, **way)) == pytest.approx(delta / beta)


def test_refractive_indices_are_those_of_the_tables() -> None:
    """Henke's tables (CXRO) for water at 8.05 keV, NIST's attenuation of aluminium at 20 keV."""
    delta, beta = delta_and_beta("H2O", 1.0, 8.05)
    assert delta == pytest.approx(3.56e-6, rel=0.01)
    assert beta == pytest.approx(1.26e-8, rel=0.05)
    assert delta_and_beta("Water, Liquid", None, 8.05) == pytest.approx((delta, beta), rel=0.01)
    _, beta = delta_and_beta("Al", None, 20.0)
    assert 4 * np.pi * beta / wavelength_um(20.0) * 1e4 == pytest.approx(3.441 * 2.699, rel=0.02)


@pytest.mark.parametrize(
    ("material", "density", "energy", "words"),
    [
        ("Xy2", 1.0, 20.0, "neither a chemical formula"),
        ("SiO2", None, 20.0, "density of \"SiO2\" is not known"),
        ("SiO2", 2.65, 5000.0, "not known at 5000 keV"),
    ],
)  # fmt: skip
def test_materials_that_are_not_known_are_refused(material: str, density: float, energy: float, words: str) -> None:
    with pytest.raises(UsageFault, match=words):
        delta_and_beta(material, density, energy)


def scan(**said: object) -> SimpleNamespace:
    return SimpleNamespace(columns=100, **{"energy_kev": None, "distance_mm": None, "pixel_size_um": None, **said})


def test_auto_asks_the_scan() -> None:
    asked = PhasePaganin.settle_for(PhasePaganin.Parameters(distance_mm=80.0), scan(energy_kev=30.0, pixel_size_um=2.0))
    assert (asked.energy_kev, asked.distance_mm, asked.pixel_size_um) == (30.0, 80.0, 2.0)
    known = PhasePaganin.settle_for(PhasePaganin.Parameters(**OPTICS, material="Al"), scan())
    assert known.delta_beta == pytest.approx(ratio(known))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, r"does not say its energy_kev\. Enter phase_paganin\.energy_kev"),
        ({"energy_kev": 20.0, "distance_mm": 0.0, "pixel_size_um": 1.0}, r"says that its distance_mm is 0"),
        ({"energy_kev": 20.0, "distance_mm": 90_000.0, "pixel_size_um": 0.1}, "mix over 4096 rows. Check their units"),
    ],
)
def test_what_the_scan_cannot_tell_is_asked_for(said: dict[str, float], words: str) -> None:
    with pytest.raises(UsageFault, match=words):
        PhasePaganin.settle_for(PhasePaganin.Parameters(delta_beta=1000.0), scan(**said))


def test_numbers_are_needed_at_work() -> None:
    with pytest.raises(UsageFault, match="must be numbers"):
        PhasePaganin.apply(slab_of(np.ones((4, 5))), PhasePaganin.Parameters())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"delta": 1e-6}, "delta and beta are given together"),
        ({"delta": 1e-6, "beta": 1e-9, "material": "Al"}, "a material is given, or delta and beta"),
        ({"energy_kev": 25_000.0}, "phase_paganin.energy_kev should be less than or equal to 800"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(values: dict[str, object], words: str) -> None:
    with pytest.raises(RecipeFault, match=words):
        Recipe.default().with_step("phase_paganin", **values)


def test_it_takes_the_place_of_minus_log() -> None:
    names = [use.name for use in Recipe.default().with_step("phase_paganin").running]
    assert names[:4] == ["flat_field", "zingers", "phase_paganin", "stripes_all"]
    steps = ["flat_field", "phase_paganin", "minus_log", "rotation_axis", "fbp"]
    with pytest.raises(RecipeFault, match=r"taken twice\. Remove minus_log\."):
        Recipe.from_dict({"steps": steps})
