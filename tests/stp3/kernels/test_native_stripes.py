"""The compiled stripe removal is the method in NumPy, bit for bit, whatever the shape, strides and threads."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from stp3.errors import UsageFault
from stp3.kernels.stripe_trends import Filtering, Fitting, StripeMethod
from stp3.kernels.stripes import AllStripes

native = pytest.importorskip("stp3.kernels._native", reason="STP3 was installed without its compiled kernel")
from stp3.kernels.compiled_stripes import remove  # noqa: E402 - only with the compiled kernel

SETS = native.instruction_sets()
METHODS: dict[str, StripeMethod] = {
    "all": AllStripes(3.0, 21, 9),
    "wide": AllStripes(2.0, 101, 51),
    "sorting": AllStripes(size_small=5, dead=False, large=False),
    "large": AllStripes(3.0, 31, 1, dead=False),
    "dead": AllStripes(3.0, 31, 1, large=False),
    "filtering": Filtering(3.0, 9),
    "fitting": Fitting(2, 4.0),
}


def sinograms(angles: int, rows: int, columns: int, step: float = 0.0) -> np.ndarray:
    """A body, noise and every kind of stripe, others in each row; in steps of `step`, so that values are alike."""
    rng = np.random.default_rng([angles, rows, columns])
    theta = np.pi * np.arange(angles)[:, None, None] / angles
    column = np.linspace(-1, 1, columns)
    data = np.exp(-(((column - 0.4 * np.cos(theta)) / 0.3) ** 2)) + rng.normal(0, 0.01, (angles, rows, columns))
    for row in range(rows):
        data[:, row, rng.integers(columns)] = 0.3
        data[:, row, rng.integers(columns)] += 0.2
        data[:, row, rng.integers(columns)] += rng.normal(0, 0.5, angles)
    if step:
        data = np.round(data / step) * step
    return data.astype(np.float32)


def by_numpy(data: np.ndarray, method: StripeMethod) -> np.ndarray:
    return np.stack([method.remove(data[:, row]) for row in range(data.shape[1])], axis=1)


def assert_same(found: np.ndarray, expected: np.ndarray, method: StripeMethod) -> None:
    """Bit for bit where values are only sorted and chosen; sums come in another order."""
    if isinstance(method, AllStripes):
        assert_array_equal(found, expected)
    else:
        assert_allclose(found, expected, rtol=0, atol=2e-6 * (1 + np.abs(expected).max()))


@pytest.mark.parametrize("instructions", SETS)
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_equals_the_method_in_numpy(instructions: str, method: StripeMethod) -> None:
    data = sinograms(83, 2, 131)
    found = remove(data, method, np.empty_like(data), 1, instructions)
    assert (found != data).any()
    assert_same(found, by_numpy(data, method), method)


@pytest.mark.parametrize("instructions", SETS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 1), (2, 2, 2), (1, 1, 40), (5, 1, 3), (17, 2, 33), (300, 1, 16)])
def test_odd_shapes(instructions: str, shape: tuple[int, int, int]) -> None:
    data = sinograms(*shape)
    for method in METHODS.values():
        assert_same(remove(data, method, np.empty_like(data), 1, instructions), by_numpy(data, method), method)


@pytest.mark.parametrize("instructions", SETS)
def test_values_that_are_alike_keep_the_order_of_their_angles(instructions: str) -> None:
    data = sinograms(120, 2, 90, step=0.125)
    for method in METHODS.values():
        assert_same(remove(data, method, np.empty_like(data), 1, instructions), by_numpy(data, method), method)


@pytest.mark.parametrize("size", [1, 3, 5, 7, 13, 15, 29, 31, 51, 63, 101, 127, 201, 255, 301])
def test_every_window(size: int) -> None:
    data = sinograms(33, 1, 310)
    method = AllStripes(size_small=size, dead=False, large=False)
    assert_array_equal(remove(data, method, np.empty_like(data)), by_numpy(data, method))


@pytest.mark.parametrize("threads", [2, 3, 8])
@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_threads_rows_and_strides_change_no_bit(threads: int, rows: int, method: StripeMethod) -> None:
    data = sinograms(90, rows, 150)
    expected = remove(data, method, np.empty_like(data))
    roomy = np.zeros((90, rows + 2, 170), np.float32)[:, 1:-1, 7:157]
    roomy[:] = data
    target = np.empty((rows, 90, 150), np.float32).swapaxes(0, 1)
    assert_array_equal(remove(roomy, method, target, threads), expected)
    assert_array_equal(remove(roomy, method, roomy, threads), expected)


def test_lines_that_are_no_numbers_are_drawn_from_their_neighbours() -> None:
    data = sinograms(60, 1, 80)
    data[7, 0, 0] = data[9, 0, 40] = np.nan
    data[3, 0, 79] = np.inf
    found = remove(data, METHODS["all"], np.empty_like(data))
    assert np.isfinite(found).all()
    assert_array_equal(found, by_numpy(data, METHODS["all"]))


def test_constant_data_stay_as_they_are() -> None:
    data = np.full((40, 2, 50), 0.7, np.float32)
    for method in METHODS.values():
        assert_allclose(remove(data, method, np.empty_like(data)), data, rtol=2e-7)


def test_arguments_that_do_not_fit_are_refused_with_value_and_limit() -> None:
    data = sinograms(20, 1, 30)
    with pytest.raises(UsageFault, match="axis 2, must hold 30 values, one a column, got 29"):
        remove(data, METHODS["all"], data[:, :, 1:].copy())
    with pytest.raises(UsageFault, match="threads must be between 1 and 1024, got 0"):
        remove(data, METHODS["all"], data, 0)
    with pytest.raises(UsageFault, match="snr must be above 0, got -1"):
        remove(data, AllStripes(-1.0), data)
    with pytest.raises(UsageFault, match=r"got float32 and float64"):
        remove(data, METHODS["all"], data.astype(np.float64))  # type: ignore[arg-type]
    with pytest.raises(UsageFault, match="side by side: stride 1, got 2"):
        remove(np.zeros((20, 1, 60), np.float32)[:, :, ::2], METHODS["all"], data)
