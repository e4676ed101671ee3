"""What every step keeps, as a test class to subclass for a new one.

>>> class TestMinusLog(StepContract):          # doctest: +SKIP
...     step = MinusLog
...     parameters = MinusLog.Parameters(floor=0.01)
"""

# ruff: noqa: S101 - tests assert

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.testing import assert_array_equal

from stp3.steps import find_step
from stp3.steps.base import Slab, Step, StepParameters


def example_slab(rows: int = 6, angles: int = 45, columns: int = 52, seed: int = 7) -> Slab:
    """A slab of counts with flats before and after, darks, a dead column and noise; the same for the same arguments."""
    rng = np.random.default_rng(seed)
    theta = np.pi * np.arange(angles) / angles
    across = np.linspace(-1, 1, columns)
    centre = 0.3 * np.cos(theta)[:, None, None] + 0.02 * np.arange(rows)[:, None]
    lines = np.maximum(0.0, 0.6 - np.abs(across - centre)) * 2
    beam = 20_000 * (1 + 0.1 * rng.normal(size=(rows, columns)))
    counts = rng.poisson(beam * np.exp(-lines)) + 100.0
    flats = np.concatenate([rng.poisson(beam, (3, rows, columns)), rng.poisson(0.9 * beam, (2, rows, columns))]) + 100.0
    counts[:, :, columns // 3] = 100.0
    return Slab(
        data=counts.astype(np.float32),
        rows=range(10, 10 + rows),
        theta=theta,
        rotation_axis=(columns - 1) / 2 + 0.7,
        pixel_size_um=5.0,
        flats=flats.astype(np.float32),
        darks=np.full((2, rows, columns), 100, np.float32),
        flat_times=np.array([-3.0, -2.0, -1.0, angles, angles + 1.0]),
    )


def rows_of(slab: Slab, start: int, stop: int) -> Slab:
    """Some rows of a slab that is not reconstructed yet, counted from its first one."""
    return replace(
        slab,
        data=slab.data[:, start:stop],
        rows=slab.rows[start:stop],
        flats=None if slab.flats is None else slab.flats[:, start:stop],
        darks=None if slab.darks is None else slab.darks[:, start:stop],
    )


class StepContract:
    """Subclass, name the step, and give parameters and a slab to try it on where the usual ones do not suit."""

    step: ClassVar[type[Step]]
    parameters: ClassVar[StepParameters | None] = None

    def slab(self) -> Slab:
        """What the step is tried on."""
        return example_slab()

    def apply(self, slab: Slab) -> Slab:
        return self.step.apply(slab, self._parameters())

    def test_is_registered_under_its_name(self) -> None:
        assert find_step(self.step.name) is self.step

    def test_each_parameter_explains_itself(self) -> None:
        for name, field in self.step.Parameters.model_fields.items():
            assert field.description, name
            assert field.title, name

    def test_leaves_its_input_alone(self) -> None:
        slab = self.slab()
        arrays = {name: value for name, value in vars(slab).items() if isinstance(value, np.ndarray)}
        before = {name: value.copy() for name, value in arrays.items()}
        for value in arrays.values():
            value.flags.writeable = False
        self.apply(slab)
        for name, value in arrays.items():
            assert_array_equal(value, before[name], err_msg=name)

    def test_may_write_over_what_nobody_needs(self) -> None:
        slab = self.slab()
        expected = self.apply(slab).data
        ours = replace(slab, data=slab.data.copy(), may_overwrite=True)
        assert_array_equal(self.apply(ours).data, expected)

    def test_gives_finite_values_of_the_promised_type_and_shape(self) -> None:
        slab = self.slab()
        data = self.apply(slab).data
        assert data.dtype == np.dtype(self.dtype())
        assert data.shape == self.shape(slab)
        assert np.isfinite(data).all()

    def test_threads_change_nothing(self) -> None:
        slab = self.slab()
        alone = self.apply(slab).data
        for threads in (2, 5):
            assert_array_equal(self.apply(replace(slab, threads=threads)).data, alone)

    def test_slab_height_changes_nothing(self) -> None:
        slab = self.slab()
        whole = self._by_row(self.apply(slab).data)
        halo = self.step.halo(self._parameters())
        rows = len(slab.rows)
        for height in (1, 2, 3):
            for start in range(0, rows, height):
                stop = min(start + height, rows)
                first, last = max(start - halo, 0), min(stop + halo, rows)
                part = self._by_row(self.apply(self._part(slab, first, last)).data)[start - first :][: stop - start]
                assert_array_equal(part, whole[start:stop], err_msg=f"rows {start} to {stop}")

    def test_memory_is_declared(self) -> None:
        parameters = self._parameters()
        assert self.step.memory_factor(parameters) >= 1
        assert self.step.memory_fixed(parameters, 900, 1024) >= 0

    def dtype(self) -> Any:
        """What type the step's data have."""
        return np.float32

    def shape(self, slab: Slab) -> tuple[int, ...]:
        """What shape the step's data have, given its input."""
        columns = slab.data.shape[-1]
        if self.step.domain != "reconstruction":
            return slab.data.shape
        return (len(slab.rows), *self.step.slice_shape(self._parameters(), (columns, columns)))

    def _parameters(self) -> StepParameters:
        return self.parameters if self.parameters is not None else self.step.Parameters()

    def _by_row(self, data: Any) -> Any:
        """Data with the detector row first."""
        return data if self.step.domain in ("reconstruction", "slice") else np.moveaxis(data, 1, 0)

    def _part(self, slab: Slab, start: int, stop: int) -> Slab:
        if self.step.domain != "slice":
            return rows_of(slab, start, stop)
        return replace(slab, data=slab.data[start:stop], rows=slab.rows[start:stop])
