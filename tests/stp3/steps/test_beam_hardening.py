"""The polynomial."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from stp3.steps.base import Slab
from stp3.steps.beam_hardening import BeamHardening
from stp3.testing.step_contract import StepContract, example_slab


def line_integrals() -> Slab:
    slab = example_slab()
    return slab.with_data(np.abs(np.random.default_rng(4).normal(1, 1, slab.data.shape)).astype(np.float32))


class TestBeamHardeningKeepsTheContract(StepContract):
    step = BeamHardening
    parameters = BeamHardening.Parameters(quadratic=0.05, cubic=-0.002)

    def slab(self) -> Slab:
        return line_integrals()


def test_each_value_goes_through_the_polynomial() -> None:
    slab = line_integrals()
    p = slab.data.astype(float)
    found = BeamHardening.apply(slab, BeamHardening.Parameters(quadratic=0.05, cubic=-0.002)).data
    assert_allclose(found, p + 0.05 * p**2 - 0.002 * p**3, rtol=2e-6)


def test_a_hardened_beam_comes_out_straight() -> None:
    """Two energies of equal strength: -ln of their mean transmission, straightened to first orders."""
    thickness = np.linspace(0, 1.5, 50)
    measured = -np.log(0.5 * np.exp(-0.8 * thickness) + 0.5 * np.exp(-1.2 * thickness))
    slab = example_slab(rows=1, angles=1, columns=50).with_data(measured.astype(np.float32)[None, None])
    # measured = t - 0.02 t² + ..., so t = measured + 0.02 measured² + ...
    found = BeamHardening.apply(slab, BeamHardening.Parameters(quadratic=0.02)).data[0, 0]
    assert np.abs(found - thickness).max() < 0.1 * np.abs(measured - thickness).max()
