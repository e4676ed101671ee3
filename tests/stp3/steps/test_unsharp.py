"""The unsharp mask gives back what a blur took."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from stp3.recipe import Recipe
from stp3.steps.base import Slab
from stp3.steps.unsharp import UnsharpMask
from stp3.testing.step_contract import StepContract, example_slab


class TestUnsharpKeepsTheContract(StepContract):
    step = UnsharpMask
    parameters = UnsharpMask.Parameters(sigma=0.8)

    def slab(self) -> Slab:
        slab = example_slab(rows=9)
        return slab.with_data(np.log(np.maximum(slab.data, 1)))


@pytest.mark.parametrize(("sigma", "strength"), [(1.0, 1.0), (2.5, 4.0), (3.0, 0.0)])
def test_equals_the_picture_and_its_loss_by_a_gaussian(sigma: float, strength: float) -> None:
    data = example_slab(rows=40).data[:3] / 20_000
    slab = Slab(data, range(40), np.zeros(3), 0.0)
    found = UnsharpMask.apply(slab, UnsharpMask.Parameters(sigma=sigma, strength=strength)).data
    blurred = gaussian_filter(data.astype(float), (0, sigma, sigma), mode="nearest", truncate=8)
    expected = data + strength * (data - blurred)
    tolerance = 1e-4 if sigma > 2 else 1e-3  # SciPy's kernel is sampled, which a narrow one shows
    assert np.abs(found - expected).max() < tolerance * np.ptp(expected)


def test_it_goes_after_phase_retrieval() -> None:
    names = [use.name for use in Recipe.default().with_step("phase_paganin").with_step("unsharp").running]
    assert names[2:4] == ["phase_paganin", "unsharp"]
