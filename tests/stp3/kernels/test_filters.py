"""Filters."""

import numpy as np
import pytest

from stp3.kernels.filters import FILTERS, filter_response, ramp


def test_the_ramp_is_the_transform_of_the_spatial_kernel() -> None:
    padded = 4096
    frequency = np.arange(padded // 2 + 1) / padded
    # away from both ends it is |f|; at 0 it holds what the kernel cut at half the padded length leaves over
    np.testing.assert_allclose(ramp(padded)[10:-10], frequency[10:-10], atol=1e-6)
    assert ramp(padded)[0] == pytest.approx(2 / np.pi**2 / padded, rel=1e-2)


@pytest.mark.parametrize("name", FILTERS)
def test_nothing_passes_beyond_the_cutoff(name: str) -> None:
    response = filter_response(name, 512, 0.5)
    assert np.all(response[129:] == 0)
    assert np.all(response[:100] >= 0)
    assert response[64] > 0


def test_filters_are_named_from_sharp_to_smooth() -> None:
    at_three_quarters = [filter_response(name, 512)[192] for name in FILTERS if name != "none"]
    assert sorted(at_three_quarters, reverse=True) == at_three_quarters
    assert np.all(filter_response("none", 64) == 1)
