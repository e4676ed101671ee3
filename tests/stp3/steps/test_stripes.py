"""Rings are taken out where they arise."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from stp3.kernels.stripes import AllStripes, detect, sort_lines, unsort_lines
from stp3.steps.base import Slab
from stp3.steps.stripes import StripesAll
from stp3.testing.step_contract import StepContract, example_slab


class TestStripesAllKeepTheContract(StepContract):
    step = StripesAll

    def slab(self) -> Slab:
        slab = example_slab(rows=4, angles=60, columns=90)
        return slab.with_data(np.log(np.maximum(slab.data, 1)))


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
