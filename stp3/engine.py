"""The engine: runs a plan on one slab. Previews and jobs both go through `run_slab` and nothing else runs steps."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from stp3.kernels import memory
from stp3.plan import Plan
from stp3.recipe import StepUse, fingerprint
from stp3.scan import Frames
from stp3.steps.base import Domain, Slab

Stages = MutableMapping[str, Slab]


def run_slab(
    plan: Plan,
    rows: range,
    *,
    threads: int = 1,
    loaded: Slab | None = None,
    stages: Stages | None = None,
    on_step: Callable[[str], None] | None = None,
) -> NDArray[np.generic]:
    """The slices of those detector rows, shape (rows, y, x), in the plan's dtype.

    `loaded` is what `load_slab` gave for these rows, which the engine may write over; without it the rows are read.
    `stages` keeps what each pass returned, by fingerprint of all that led to it: a second call starts from the last
    stage that still holds. `on_step` hears the name of each step before it runs, and of one that iterates before each
    iteration; it may raise to stop.
    """
    return reach(plan, rows, threads=threads, loaded=loaded, stages=stages, on_step=on_step).data


def reach(
    plan: Plan,
    rows: range,
    *,
    threads: int = 1,
    loaded: Slab | None = None,
    stages: Stages | None = None,
    on_step: Callable[[str], None] | None = None,
) -> Slab:
    """The slab of those rows after all steps of the plan; see `run_slab`."""
    keys = _stage_keys(plan, rows)
    done, slab = _latest(stages, keys)
    if slab is None:
        slab = loaded or load_slab(plan, rows, threads)
        _keep(stages, keys[0], slab)
    slab = replace(slab, threads=threads, may_overwrite=stages is None, on_iteration=None)
    del loaded  # the last reference to a stage frees it while the next one runs
    halo = sum(use.step.halo(use.parameters) for uses in plan.passes[done:] for use in uses)
    for uses, key in zip(plan.passes[done:], keys[done + 1 :], strict=True):
        slab = _telling(slab, uses, on_step)
        halo -= sum(use.step.halo(use.parameters) for use in uses)
        slab = _keeping(held_rows(plan, rows, halo), _apply(plan, uses, slab), uses[-1].step.domain)
        _keep(stages, key, slab)
    return slab


def go_on(plan: Plan, slab: Slab, on_step: Callable[[str], None] | None = None) -> Slab:
    """The slab, with all of its rows, after the plan's steps; it is not written over. `on_step` as in `run_slab`."""
    slab = replace(slab, may_overwrite=False)
    for uses in plan.passes:
        slab = _apply(plan, uses, _telling(slab, uses, on_step))
    return slab


def _telling(slab: Slab, uses: tuple[StepUse, ...], on_step: Callable[[str], None] | None) -> Slab:
    """The slab whose next pass tells of its iterations; the names of its steps are told now."""
    if on_step is None:
        return slab
    for use in uses:
        on_step(use.name)
    return replace(slab, on_iteration=partial(_again, on_step, uses[-1].name))


def _again(on_step: Callable[[str], None], name: str, iteration: int, residual: float) -> None:
    on_step(name)


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


def _apply(plan: Plan, uses: tuple[StepUse, ...], slab: Slab) -> Slab:
    """The slab after one pass."""
    step = uses[0].step
    slab = replace(slab, measured=plan.measured.get(fingerprint(uses[:1]), {}))
    if slab.data.dtype != np.float32 and not step.takes_counts:
        slab = slab.with_data(_as_float(slab.data))
    if len(uses) == 1:
        return step.apply(slab, uses[0].parameters)
    return step.apply_joined(slab, [(use.name, use.parameters) for use in uses])


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
