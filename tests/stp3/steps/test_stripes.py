"""Rings are taken out where they arise."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from stp3.kernels.stripes import AllStripes, detect, sort_lines, unsort_lines
from stp3.steps.base import Slab, Step
from stp3.steps.stripes import StripesAll, StripesDead, StripesLarge, StripesSorting
from stp3.steps.stripes_trends import StripesFiltering, StripesFitting
from stp3.testing.step_contract import StepContract, example_slab


class LineIntegrals(StepContract):
    def slab(self) -> Slab:
        slab = example_slab(rows=4, angles=60, columns=90)
        return slab.with_data(np.log(np.maximum(slab.data, 1)))


class TestStripesAllKeepTheContract(LineIntegrals):
    step = StripesAll


class TestStripesSortingKeepTheContract(LineIntegrals):
    step = StripesSorting


class TestStripesLargeKeepTheContract(LineIntegrals):
    step = StripesLarge


class TestStripesDeadKeepTheContract(LineIntegrals):
    step = StripesDead


class TestStripesFilteringKeepTheContract(LineIntegrals):
    step = StripesFiltering


class TestStripesFittingKeepTheContract(LineIntegrals):
    step = StripesFitting


def sinogram(noise: float = 0.01) -> np.ndarray:
    """Three Gaussian bodies on their sine curves, shape (angles, columns)."""
    theta = np.pi * np.arange(180)[:, None] / 180
    column = np.arange(480) - 240
    bodies = ((80, 40, 40, 1.0), (-60, 70, 60, 0.7), (0, 0, 140, 0.5))
    clean = sum(
        level * np.exp(-(((column - x * np.cos(theta) - y * np.sin(theta)) / width) ** 2))
        for x, y, width, level in bodies
    )
    return (clean + np.random.default_rng(5).normal(0, noise, (180, 480))).astype(np.float32)


def with_stripes(clean: np.ndarray) -> np.ndarray:
    faulty = clean.copy()
    faulty[:, 60] += 0.1
    faulty[:, 131] -= 0.05
    faulty[:, 100:104] += 0.15
    faulty[:, 150] = 0.3
    faulty[:, 180] += np.random.default_rng(6).normal(0, 0.5, 180).astype(np.float32)
    return faulty


def worst_column(found: np.ndarray, clean: np.ndarray) -> float:
    """The largest mean error of a column away from the ends."""
    return float(np.abs((found - clean)[:, 5:-5]).mean(axis=0).max())


def test_stripes_of_every_kind_go() -> None:
    clean = sinogram()
    faulty = with_stripes(clean)
    found = AllStripes().remove(faulty)
    assert worst_column(faulty, clean) > 0.25
    assert worst_column(found, clean) < 0.04
    assert np.sqrt(np.mean((found - clean) ** 2)) < 0.015


def test_a_sinogram_without_stripes_stays_much_as_it_is() -> None:
    clean = sinogram()
    assert np.sqrt(np.mean((AllStripes().remove(clean) - clean) ** 2)) < 0.01


def with_fine_stripes(clean: np.ndarray) -> np.ndarray:
    """Single columns and a pair that are too bright or too dark, one of them drifting over the scan."""
    faulty = clean.copy()
    faulty[:, 60] += np.linspace(0.06, 0.14, len(clean), dtype=np.float32)
    faulty[:, 131] -= 0.05
    faulty[:, 300:302] += 0.06
    return faulty


def with_a_band(clean: np.ndarray) -> np.ndarray:
    faulty = clean.copy()
    faulty[:, 100:104] += 0.15
    return faulty


def with_dead_columns(clean: np.ndarray) -> np.ndarray:
    faulty = clean.copy()
    faulty[:, 150] = 0.3
    faulty[:, 180] += np.random.default_rng(6).normal(0, 0.5, 180).astype(np.float32)
    return faulty


def cleaned(step: type[Step], data: np.ndarray) -> np.ndarray:
    theta = np.pi * np.arange(len(data)) / len(data)
    return step.apply(Slab(data[:, None], range(1), theta, 240.0), step.Parameters()).data[:, 0]


@pytest.mark.parametrize(
    ("step", "spoil", "left", "changed"),
    [
        (StripesSorting, with_fine_stripes, 0.02, 0.003),
        (StripesFiltering, with_fine_stripes, 0.02, 0.002),
        (StripesFitting, with_fine_stripes, 0.02, 0.004),
        (StripesLarge, with_a_band, 0.02, 0.0),
        (StripesDead, with_dead_columns, 0.03, 0.0),
        (StripesAll, with_stripes, 0.03, 0.003),
    ],
)
def test_each_method_removes_its_stripes_and_spares_a_clean_sinogram(
    step: type[Step], spoil: Callable[[np.ndarray], np.ndarray], left: float, changed: float
) -> None:
    """Left is the worst column's mean error, changed the root mean square; noise alone is 0.01 of the range."""
    clean = sinogram()
    assert worst_column(spoil(clean), clean) > 4 * left
    assert worst_column(cleaned(step, spoil(clean)), clean) < left
    assert np.sqrt(np.mean((cleaned(step, clean) - clean) ** 2)) <= changed


def test_filtering_leaves_quick_changes_to_the_bit() -> None:
    """A stripe that alternates from angle to angle holds nothing slow: to a low-pass it does not exist."""
    quick = np.zeros((256, 64), np.float32)
    quick[:, 30] = np.cos(np.pi / 256 * (np.arange(256) + 0.5) * 200)
    assert np.abs(cleaned(StripesFiltering, quick) - quick).max() < 1e-6


@pytest.mark.parametrize("order", [0, 1, 2, 5])
def test_fitting_takes_a_polynomial_apart_from_its_neighbours(order: int) -> None:
    """Of one column's polynomial stays what the Gaussian gives to the column itself; its neighbours get the rest."""
    angle = np.linspace(-1, 1, 101)
    line = np.polynomial.Polynomial(np.arange(1, order + 2) / 3)(angle)
    data = np.zeros((101, 60), np.float32)
    data[:, 30] = line
    weights = np.exp(-0.5 * ((np.arange(60) - 30) / 3.0) ** 2)
    weights /= weights.sum()
    found = StripesFitting.apply(
        Slab(data[:, None], range(1), angle, 30.0), StripesFitting.Parameters(order=order, width=3.0)
    ).data[:, 0]
    np.testing.assert_allclose(found, np.outer(line, weights), atol=1e-4 * np.abs(line).max())


def test_dead_and_fluctuating_lines_are_drawn_between_their_neighbours() -> None:
    lines = np.ascontiguousarray(with_stripes(sinogram()).T)
    mended = AllStripes().mend_dead(lines)
    changed = np.flatnonzero((mended != lines).any(axis=1))
    assert_array_equal(changed, [149, 150, 151, 179, 180, 181])
    expected = lines[148] + (lines[152] - lines[148]) * np.float32(0.5)
    np.testing.assert_allclose(mended[150], expected, atol=1e-6)


def test_detection_finds_what_stands_out_and_nothing_else() -> None:
    levels = np.random.default_rng(4).normal(1, 0.01, 500)
    assert not detect(levels, 3.0).any()
    levels[[20, 21, 300]] = 1.2, 1.3, 0.7
    assert_array_equal(np.flatnonzero(detect(levels, 3.0)), [20, 21, 300])


@pytest.mark.parametrize("threads", [1, 3])
def test_sorting_there_and_back_is_exact(threads: int) -> None:
    rng = np.random.default_rng(8)
    lines = np.round(rng.normal(0, 2, (130, 77)), 1).astype(np.float32) + np.float32(0)
    values, order = sort_lines(lines, threads)
    assert_array_equal(values, np.sort(lines, axis=1))
    assert_array_equal(order, np.argsort(lines, axis=1, kind="stable"))
    assert_array_equal(unsort_lines(values, order, threads), lines)


@pytest.mark.parametrize("columns", [1, 2, 5, 20])
def test_detectors_narrower_than_the_windows_work(columns: int) -> None:
    out = AllStripes().remove(sinogram()[:, :columns])
    assert out.shape == (180, columns)
    assert np.isfinite(out).all()


@pytest.mark.parametrize("step", [StripesAll, StripesFiltering, StripesFitting])
def test_without_a_compiler_numpy_does_the_same(step: type[Step], monkeypatch: pytest.MonkeyPatch) -> None:
    faulty = with_stripes(sinogram())
    expected = cleaned(step, faulty)
    monkeypatch.setattr("stp3.kernels.stripe_removal.is_compiled", lambda: False)
    np.testing.assert_allclose(cleaned(step, faulty), expected, rtol=0, atol=1e-5)
