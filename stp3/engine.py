"""The engine: runs a plan on one slab. Previews and jobs both go through `run_slab` and nothing else runs steps."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stp3.kernels import memory
from stp3.plan import Plan
from stp3.recipe import StepUse, fingerprint
from stp3.scan import Frames
from stp3.steps.base import Domain, Slab

Stages = MutableMapping[str, Slab]
OnIteration = Callable[[int, float], None]


def run_slab(
    plan: Plan,
    rows: range,
    *,
    threads: int = 1,
    loaded: Slab | None = None,
    stages: Stages | None = None,
    on_step: Callable[[str], None] | None = None,
    on_iteration: OnIteration | None = None,
) -> NDArray[np.generic]:
    """The slices of those detector rows, shape (rows, y, x), in the plan's dtype.

    `loaded` is what `load_slab` gave for these rows, which the engine may write over; without it the rows are read.
    `stages` keeps what each pass returned, by fingerprint of all that led to it: a second call starts from the last
    stage that still holds. `on_step` hears the name of each step before it runs, and of one that iterates before each
    iteration; `on_iteration` that iteration's number and its relative residual. Both may raise to stop.
    """
    return reach(
        plan, rows, threads=threads, loaded=loaded, stages=stages, on_step=on_step, on_iteration=on_iteration
    ).data


def reach(
    plan: Plan,
    rows: range,
    *,
    threads: int = 1,
    loaded: Slab | None = None,
    stages: Stages | None = None,
    on_step: Callable[[str], None] | None = None,
    on_iteration: OnIteration | None = None,
) -> Slab:
    """The slab of those rows after all steps of the plan; see `run_slab`."""
    keys = _stage_keys(plan, rows)
    done, slab = _latest(stages, keys)
    if slab is None:
        slab = loaded or load_slab(plan, rows, threads)
        _keep(stages, keys[0], slab)
    slab = replace(slab, threads=threads, may_overwrite=stages is None)
    del loaded  # the last reference to a stage frees it while the next one runs
    halo = sum(use.step.halo(use.parameters) for uses in plan.passes[done:] for use in uses)
    for uses, key in zip(plan.passes[done:], keys[done + 1 :], strict=True):
        halo -= sum(use.step.halo(use.parameters) for use in uses)
        slab = _keeping(
            held_rows(plan, rows, halo), _apply(plan, uses, slab, on_step, on_iteration), uses[-1].step.domain
        )
        _keep(stages, key, slab)
    return slab


def go_on(plan: Plan, slab: Slab, on_step: Callable[[str], None] | None = None) -> Slab:
    """The slab, with all of its rows, after the plan's steps; it is not written over. `on_step` as in `run_slab`."""
    slab = replace(slab, may_overwrite=False)
    for uses in plan.passes:
        slab = _apply(plan, uses, slab, on_step)
    return slab


class _Iterations:
    """Hears the iterations of a pass; rows that are solved one after the other count as one, the worst."""

    def __init__(self, name: str, on_step: Callable[[str], None] | None, on_iteration: OnIteration | None) -> None:
        self.residuals: list[float] = []
        self._name, self._on_step, self._on_iteration = name, on_step, on_iteration

    def __call__(self, iteration: int, residual: float) -> None:
        if iteration < len(self.residuals):
            self.residuals[iteration] = max(residual, self.residuals[iteration])
        else:
            self.residuals.append(residual)
        if self._on_step:
            self._on_step(self._name)
        if self._on_iteration:
            self._on_iteration(iteration, residual)


def load_slab(plan: Plan, rows: range, threads: int = 1) -> Slab:
    """All angles of those rows and their halo, as measured; flats and darks in float32."""
    scan, held = plan.scan, held_rows(plan, rows, plan.halo)

    def read(frames: Frames | None) -> NDArray[np.float32] | None:
        return None if frames is None else np.asarray(frames.read(held), np.float32)

    return Slab(
        data=scan.projections.read(held),
        rows=held,
        theta=scan.theta,
        rotation_axis=(scan.columns - 1) / 2,
        pixel_size_um=scan.pixel_size_um,
        column_start=scan.column_start,
        row_start=scan.row_start,
        binning=scan.binning,
        scan_rows=scan.rows,
        flats=read(scan.flats),
        darks=read(scan.darks),
        flat_times=scan.flat_times,
        currents=scan.currents,
        flat_currents=scan.flat_currents,
        threads=threads,
    )


def held_rows(plan: Plan, rows: range, halo: int) -> range:
    """Those rows with so many more above and below, as far as the scan has them."""
    return range(max(rows.start - halo, 0), min(rows.stop + halo, plan.scan.rows))


def _apply(
    plan: Plan,
    uses: tuple[StepUse, ...],
    slab: Slab,
    on_step: Callable[[str], None] | None = None,
    on_iteration: OnIteration | None = None,
) -> Slab:
    """The slab after one pass."""
    step, heard = uses[0].step, _Iterations(uses[-1].name, on_step, on_iteration)
    for use in uses if on_step else ():
        on_step(use.name)  # type: ignore[misc]
    slab = replace(slab, measured=plan.measured.get(fingerprint(uses[:1]), {}), on_iteration=heard)
    if slab.data.dtype != np.float32 and not step.takes_counts:
        slab = slab.with_data(_as_float(slab.data))
    if len(uses) == 1:
        after = step.apply(slab, uses[0].parameters)
    else:
        after = step.apply_joined(slab, [(use.name, use.parameters) for use in uses])
    return replace(after, on_iteration=None, residuals=tuple(heard.residuals) or slab.residuals)


def _as_float(counts: NDArray[np.generic]) -> NDArray[np.float32]:
    data = memory.empty(counts.shape)
    np.copyto(data, counts, casting="unsafe")
    return data


def _keeping(rows: range, slab: Slab, domain: Domain) -> Slab:
    """The slab with those of its rows only; its memory is not copied. `domain` tells on which axis they lie."""
    if slab.rows == rows:
        return slab
    start = rows.start - slab.rows.start
    kept = np.s_[start : start + len(rows)]
    if domain in ("reconstruction", "slice"):
        return slab.with_data(slab.data[kept], rows=rows)

    return slab.with_rows(rows, slab.data[:, kept])


def _stage_keys(plan: Plan, rows: range) -> list[str]:
    """What tells apart the slab as measured, after the first pass, after the second, ..."""
    identity, so_far = plan.scan.identity, list(plan.parts)
    prefix = f"{identity.path}:{identity.mtime_ns}:{identity.head_sha256[:16]}:{rows.start}:{rows.stop}:{plan.halo}"
    keys = [f"{prefix}:{fingerprint(so_far)}"]
    for uses in plan.passes:
        so_far += uses
        keys.append(f"{prefix}:{fingerprint(so_far)}")
    return keys


def _latest(stages: Stages | None, keys: list[str]) -> tuple[int, Slab | None]:
    for count in range(len(keys) - 1, -1, -1):
        if stages is not None and (slab := stages.get(keys[count])):
            return count, slab
    return 0, None


def _keep(stages: Stages | None, key: str, slab: Slab) -> None:
    if stages is not None:
        stages[key] = slab
