"""Counts to line integrals in one pass: against NumPy, and bit for bit against itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from stp3.errors import UsageFault
from stp3.kernels import counts as kernel
from stp3.kernels.counts import Beam, correct

pytest.importorskip("stp3.kernels._native", reason="installed without a C++ compiler")
from stp3.kernels._native import instruction_sets

Floats = NDArray[np.float32]
SETS = instruction_sets()
ALL = {"window": 3, "threshold": 0.2, "floor": 1e-3}


def counts(shape: tuple[int, int, int], dtype: str = "uint16", seed: int = 1) -> NDArray[Any]:
    """Counts with dark and bright pixels among them."""
    rng = np.random.default_rng(seed)
    most = 120 if dtype in ("uint8", "int16") else 60_000
    out = rng.uniform(0.1, 0.9, shape)
    out[rng.random(shape) < 0.02] = 1
    out[rng.random(shape) < 0.02] = 0
    return (out * most).astype(dtype)


def beam(shape: tuple[int, int, int], moments: int, level: float = 60_000) -> Beam:
    rng = np.random.default_rng(2)
    flats = level * rng.uniform(0.8, 1.2, (moments, *shape[1:])).astype(np.float32)
    flats[0, 0, 0] = 0  # no beam there, for a while at least
    dark = np.full(shape[1:], level / 500, np.float32)
    return Beam.drifting(dark, flats, np.linspace(-1, shape[0], moments), shape[0])


def corrected(data: NDArray[Any], **how: Any) -> Floats:
    out = np.full(data.shape, np.nan, np.float32)
    correct(data, out, **how)
    return out


def by_numpy(data: NDArray[Any], monkeypatch: pytest.MonkeyPatch, **how: Any) -> Floats:
    with monkeypatch.context() as patched:
        patched.setattr(kernel, "is_compiled", lambda: False)
        return corrected(data, **how)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "int32", "float32", "float64", ">u2", "int64"])
@pytest.mark.parametrize("moments", [0, 1, 2, 3])
@pytest.mark.parametrize("window", [1, 3, 5, 7])
def test_every_type_agrees_with_numpy(dtype: str, moments: int, window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = (9, 6, 83)
    data = counts(shape, dtype)
    level = 120.0 if dtype in ("uint8", "int16") else 60_000.0
    how: dict[str, Any] = {"window": window, "threshold": 0.2 if moments else 0.2 * level, "floor": 1e-3}
    how["beam"] = beam(shape, moments, level) if moments else None
    assert_allclose(corrected(data, **how), by_numpy(data, monkeypatch, **how), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("columns", range(1, 71))
def test_odd_widths_strides_threads_and_instructions_never_change_a_bit(columns: int) -> None:
    shape = (7, 1 + columns % 5, columns)
    data, how = counts(shape), {"beam": beam(shape, 1 + columns % 3), **ALL, "window": (1, 3, 5, 7)[columns % 4]}
    expected = corrected(data, **how)
    held = np.zeros((shape[1] + 3, shape[0], columns + 5), np.uint16).swapaxes(0, 1)
    held[:, 2:-1, 1 : columns + 1] = data
    strided = held[:, 2:-1, 1 : columns + 1]
    for instructions in SETS:
        for given, threads in ((data, 1), (data, 3), (strided, 2)):
            found = corrected(given, **how, threads=threads, instructions=instructions)
            assert_array_equal(found.view(np.int32), expected.view(np.int32), err_msg=instructions)


@pytest.mark.parametrize("window", [1, 3, 5, 7])
@pytest.mark.parametrize("columns", [5, 64, 300])
def test_one_pass_is_its_steps_one_by_one(window: int, columns: int) -> None:
    shape = (6, 5, columns)
    data, light = counts(shape), beam(shape, 2)
    steps = corrected(data, beam=light)
    for how in ({"window": window, "threshold": 0.2}, {"floor": 1e-3}):
        assert_array_equal(corrected(steps, **how), corrected(steps.copy(), **how))
        correct(steps, steps, **how)
    together = corrected(data, beam=light, window=window, threshold=0.2, floor=1e-3)
    assert_array_equal(together.view(np.int32), steps.view(np.int32))


def test_the_result_may_have_gaps_and_leaves_them_alone() -> None:
    shape = (5, 4, 50)
    data, how = counts(shape), {"beam": beam(shape, 2), **ALL}
    room = np.full((5, 9, 60), -7, np.float32)
    correct(data, room[:, 3:7, 6:56], **how)
    assert_array_equal(room[:, 3:7, 6:56], corrected(data, **how))
    room[:, 3:7, 6:56] = -7
    assert_array_equal(room, -7)


def test_results_larger_than_the_cache_are_the_same() -> None:
    shape = (1050, 8, 1031)
    data, light = counts(shape), beam(shape, 2)
    found = corrected(data, beam=light, **ALL, threads=2)
    for some in (slice(0, 3), slice(700, 703)):
        part = Beam(light.dark, light.flats, light.earlier[some], light.later[some])
        assert_array_equal(found[some], corrected(data[some], beam=part, **ALL))


@pytest.mark.parametrize("instructions", SETS)
def test_the_logarithm_is_right_to_the_last_bits(instructions: str) -> None:
    rng = np.random.default_rng(3)
    wide = np.exp(rng.uniform(-85, 88, 200_000))
    near = 1 + np.concatenate([rng.uniform(-0.3, 0.3, 200_000), rng.uniform(-1e-5, 1e-5, 50_000)])
    x = np.concatenate([wide, near]).astype(np.float32).reshape(1, 1, -1)
    found = corrected(x, floor=1e-38, instructions=instructions)
    expected = -np.log(x.astype(np.float64))
    assert_allclose(found, expected, rtol=1.5e-7, atol=0)


def test_the_logarithm_of_what_is_no_transmission() -> None:
    x = np.array([[[1, 0, -3, np.nan, -np.inf, np.inf, 1e-45, 0.25]]], np.float32)
    found = corrected(x, floor=0.01)
    assert_allclose(found[0, 0, :5], [0, *[-np.log(0.01)] * 4], rtol=1e-6)
    assert np.isfinite(found).all()
    assert found[0, 0, 7] == np.float32(-np.log(0.25))
    assert np.isfinite(corrected(x, floor=1e-300)).all()


def test_what_is_not_a_number_is_an_outlier() -> None:
    x = np.arange(63, dtype=np.float32).reshape(1, 7, 9)
    x[0, 3, 4] = np.nan
    found = corrected(x, window=3, threshold=2e3)
    assert found[0, 3, 4] == 32  # of the eight others and infinity
    x[0, 3, 4] = 31
    assert_array_equal(np.delete(found, 31), np.delete(x, 31))


@pytest.mark.parametrize("seed", range(40))
def test_any_shape_works(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 12)), int(rng.integers(1, 12)), int(rng.integers(1, 600)))
    dtype = str(rng.choice(["uint8", "uint16", "int16", "uint32", "int32", "float32", "float64"]))
    window, floor = int(rng.choice([1, 3, 5, 7])), float(rng.choice([0, 0.01]))
    light = beam(shape, int(rng.integers(1, 4))) if rng.random() < 0.8 else None
    found = corrected(
        counts(shape, dtype, seed),
        beam=light,
        window=window,
        threshold=0.1,
        floor=floor,
        threads=int(rng.integers(1, 5)),
    )
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"window": 4}, "window must be 1, 3, 5 or 7, got 4"),
        ({"threshold": -1.0}, "threshold must be 0 or more, got -1"),
        ({"threads": 0}, "threads must be between 1 and 1024, got 0"),
        ({"out": np.empty((3, 2, 6), np.float32)}, "out must hold 5 values, one of the counts along each axis, got 6"),
        ({"out": np.empty((3, 2, 5), np.float64)}, "out must be a writable float32 array, got float64"),
        ({"out": np.empty((3, 2, 10), np.float32)[..., ::2]}, "side by side: stride 1, got 2"),
        ({"beam": Beam.steady(np.zeros((2, 4), np.float32), np.ones((2, 4), np.float32))}, "a column, got 4"),
    ],
)
def test_wrong_arguments_are_refused_with_their_value(changed: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"counts": counts((3, 2, 5)), "out": np.empty((3, 2, 5), np.float32), **changed}
    with pytest.raises(UsageFault, match=message):
        correct(**given)


def test_arrays_that_overlap_are_refused() -> None:
    room = np.ones((4, 3, 8), np.float32)
    with pytest.raises(UsageFault, match="share no memory"):
        correct(room[1:], room[:-1])
    with pytest.raises(UsageFault, match="rows of out must not overlap"):
        correct(counts((2, 3, 8)), np.lib.stride_tricks.as_strided(room, (2, 3, 8), (64, 4, 4)))


def test_a_flat_that_does_not_exist_is_refused() -> None:
    light = beam((3, 2, 5), 2)
    wrong = Beam(light.dark, light.flats, np.array([0, 1, 0], np.int32), light.later)
    with pytest.raises(UsageFault, match=r"earlier\[1\] must be between 0 and 0, got 1"):
        corrected(counts((3, 2, 5)), beam=wrong)


@pytest.mark.parametrize("window", [1, 5])
@pytest.mark.parametrize("columns", [1, 23, 80])
def test_air_is_divided_by_alike_everywhere(window: int, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = (6, 3, columns)
    data, light = counts(shape), beam(shape, 2)
    air = np.random.default_rng(5).uniform(0.8, 1.2, (6, 3, 2)).astype(np.float32)
    how: dict[str, Any] = {"window": window, "threshold": 0.2, "floor": 1e-3}
    found = [corrected(data, beam=light, air=air, **how, instructions=one) for one in SETS]
    levelled = corrected(data, beam=light, air=air)
    ramp = air[..., :1] + (air[..., 1:] - air[..., :1]) * np.linspace(0, 1, columns)
    assert_allclose(levelled, corrected(data, beam=light) / ramp, rtol=1e-6)
    for one in (*found, corrected(levelled, **how)):
        assert_array_equal(one.view(np.int32), found[0].view(np.int32))
    assert_allclose(found[0], by_numpy(data, monkeypatch, beam=light, air=air, **how), rtol=1e-6, atol=1e-6)


def test_air_must_be_given_for_every_line() -> None:
    with pytest.raises(UsageFault, match=r"air, axis 1, must hold 2 values, one a row, got 3"):
        corrected(counts((3, 2, 5)), air=np.ones((3, 3, 2), np.float32))
