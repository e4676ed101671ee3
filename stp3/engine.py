"""The engine: runs a plan on one slab. Previews and jobs both go through `run_slab` and nothing else runs steps."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping

import numpy as np
from numpy.typing import NDArray

from stp3.plan import Plan
from stp3.recipe import fingerprint
from stp3.scan import Frames
from stp3.steps.base import Slab

Stages = MutableMapping[str, Slab]


def run_slab(
    plan: Plan,
    rows: range,
    *,
    threads: int = 1,
    stages: Stages | None = None,
    on_step: Callable[[str], None] | None = None,
) -> NDArray[np.generic]:
    """The slices of those detector rows, shape (rows, y, x), in the plan's dtype.

    `stages` keeps what each step returned, by fingerprint of all that led to it: a second call starts from the
    last stage that still holds. `on_step` hears the name of each step before it runs; it may raise to stop.
    """
    keys = [_stage_key(plan, rows, count) for count in range(len(plan.steps) + 1)]
    done, slab = _latest(stages, keys)
    if slab is None:
        slab = load_slab(plan, rows, threads)
        _keep(stages, keys[0], slab)
    for count, use in enumerate(plan.steps[done:], start=done + 1):
        if on_step:
            on_step(use.name)
        if use.step.domain == "reconstruction":
            slab = _trim(slab, rows)
        slab = use.step.apply(slab, use.parameters)
        _keep(stages, keys[count], slab)
    return slab.data


def load_slab(plan: Plan, rows: range, threads: int = 1) -> Slab:
    """All angles of those rows and their halo, as measured, in float32."""
    scan = plan.scan
    held = range(max(rows.start - plan.halo, 0), min(rows.stop + plan.halo, scan.rows))

    def read(frames: Frames | None) -> NDArray[np.float32] | None:
        return None if frames is None else np.asarray(frames.read(held), np.float32)

    return Slab(
        data=np.asarray(scan.projections.read(held), np.float32),
        rows=held,
        theta=scan.theta,
        rotation_axis=(scan.columns - 1) / 2,
        pixel_size_um=scan.pixel_size_um,
        flats=read(scan.flats),
        darks=read(scan.darks),
        flat_times=scan.flat_times,
        threads=threads,
    )


def _trim(slab: Slab, rows: range) -> Slab:
    if slab.rows == rows:
        return slab
    start = rows.start - slab.rows.start
    return slab.with_data(slab.data[:, start : start + len(rows)], rows=rows)


def _stage_key(plan: Plan, rows: range, count: int) -> str:
    identity = plan.scan.identity
    prefix = f"{identity.path}:{identity.mtime_ns}:{identity.head_sha256[:16]}:{rows.start}:{rows.stop}:{plan.halo}"
    return f"{prefix}:{fingerprint(plan.steps[:count])}"


def _latest(stages: Stages | None, keys: list[str]) -> tuple[int, Slab | None]:
    for count in range(len(keys) - 1, -1, -1):
        if stages is not None and keys[count] in stages:
            return count, stages[keys[count]]
    return 0, None


def _keep(stages: Stages | None, key: str, slab: Slab) -> None:
    if stages is not None:
        stages[key] = slab
