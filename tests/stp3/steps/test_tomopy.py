"""TomoPy's algorithms in STP3's geometry; most of it needs TomoPy."""

from __future__ import annotations

from importlib.util import find_spec
from typing import get_args

import numpy as np
import pytest

from stp3.errors import Stp3Error, UsageFault
from stp3.kernels.tomopy_algorithms import Algorithm, options
from stp3.steps.base import Slab
from stp3.steps.tomopy import TomoPy
from stp3.testing.step_contract import StepContract, example_slab

needs_tomopy = pytest.mark.skipif(not find_spec("tomopy"), reason="TomoPy is not installed")
ITERATIVE = [name for name in get_args(Algorithm) if name != "gridrec"]


def lines_of(slab: Slab) -> Slab:
    return slab.with_data(np.maximum(-np.log(np.maximum(slab.data, 1) / 20_000), 0), axis_slope=0.2, axis_row=12.0)


@needs_tomopy
class TestGridrecKeepsTheContract(StepContract):
    step = TomoPy

    def slab(self) -> Slab:
        return lines_of(example_slab(rows=5, angles=30, columns=41))


@needs_tomopy
class TestMlemKeepsTheContract(StepContract):
    step = TomoPy
    parameters = TomoPy.Parameters(algorithm="mlem", iterations=3)

    def slab(self) -> Slab:
        return lines_of(example_slab(rows=4, angles=30, columns=40))


def blob(columns: int, x: float, y: float, width: float = 4.0) -> Slab:
    """A Gaussian body of height 3 / cm at (x, y) from an axis beside the middle; 10 micrometre pixels."""
    theta = np.pi * np.arange(120) / 120
    axis = (columns - 1) / 2 + 2.3
    away = np.arange(columns) - (axis + x * np.cos(theta) + y * np.sin(theta))[:, None]
    lines = 3 * 10e-4 * width * np.sqrt(2 * np.pi) * np.exp(-(away**2) / (2 * width**2))
    return Slab(lines[:, None].astype(np.float32), range(1), theta, axis, pixel_size_um=10.0)


def place_and_height(slice_: np.ndarray, x: float, y: float) -> tuple[float, float, float]:
    """The centre of mass around (x, y), and the peak."""
    place = np.arange(len(slice_)) - (len(slice_) - 1) / 2
    near = np.hypot(place - x, -place[:, None] - y) < 12
    mass = np.where(near & (slice_ > 0.3 * slice_[near].max()), slice_, 0)
    return (mass * place).sum() / mass.sum(), (-mass * place[:, None]).sum() / mass.sum(), float(slice_[near].max())


@needs_tomopy
@pytest.mark.parametrize("columns", [96, 97, 98, 99])
@pytest.mark.parametrize(("x", "y"), [(18.0, 10.0), (-14.0, -20.0)])
def test_gridrec_puts_a_body_where_it_is(columns: int, x: float, y: float) -> None:
    found = TomoPy.apply(blob(columns, x, y), TomoPy.Parameters(filter="ramlak")).data[0]
    across, up, height = place_and_height(found, x, y)
    assert (across, up) == pytest.approx((x, y), abs=0.05)
    assert height == pytest.approx(3.0, rel=0.2)  # TomoPy's own values are 12 to 16 % too high


@needs_tomopy
@pytest.mark.parametrize("algorithm", ITERATIVE)
def test_the_others_put_it_there_too(algorithm: str) -> None:
    found = TomoPy.apply(blob(64, 9.0, -6.0), TomoPy.Parameters(algorithm=algorithm, iterations=20, penalty=0.01)).data[
        0
    ]
    across, up, height = place_and_height(found, 9.0, -6.0)
    assert (across, up) == pytest.approx((9.0, -6.0), abs=0.1)
    assert height == pytest.approx(3.0, rel=0.5 if algorithm == "tv" else 0.35)  # few iterations


@needs_tomopy
def test_values_that_are_no_numbers_are_refused() -> None:
    slab = blob(32, 2.0, 2.0)
    with pytest.raises(Stp3Error, match="no numbers"):
        TomoPy.apply(slab.with_data(np.full_like(slab.data, np.nan)), TomoPy.Parameters(algorithm="mlem", iterations=2))


@needs_tomopy
def test_the_names_are_those_of_tomopy() -> None:
    from tomopy.recon.algorithm import allowed_recon_kwargs

    for name in get_args(Algorithm):
        assert set(options(name, "shepp", 1, 1, 0.1)) <= set(allowed_recon_kwargs[name])


def test_the_step_offers_what_the_kernel_knows() -> None:
    assert TomoPy.Parameters.model_json_schema()["properties"]["algorithm"]["enum"] == list(get_args(Algorithm))


def test_without_tomopy_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stp3.kernels.tomopy_algorithms.find_spec", lambda name: None)
    with pytest.raises(UsageFault, match=r"not installed.*conda install -c conda-forge tomopy"):
        TomoPy.apply(blob(32, 1.0, 1.0), TomoPy.Parameters())
