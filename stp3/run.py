"""Runs a plan on all rows: in this process here, on a cluster in `stp3.cluster`; both write slabs by `write_slab`."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event, Lock
from typing import Any

from stp3 import config
from stp3.durable import remove_unfinished
from stp3.engine import load_slab, reach
from stp3.errors import Stp3Error
from stp3.kernels import memory
from stp3.plan import Plan, resolve
from stp3.provenance import provenance
from stp3.recipe import Recipe
from stp3.scan import Scan
from stp3.volume import Volume, check_free, check_space, claim, complete, describe, open_volume, store
from stp3.writers import Layout, SlabRecord, Writer, find_writer

Progress = Callable[[int, int], None]
IN_FLIGHT = 3
"""Slabs that a process works on at a time: one is read, one computed, one written."""

# One at a time each: all threads compute the same slab, and the disk goes through its files in order.
_reading, _computing, _writing = Lock(), Lock(), Lock()


def reconstruct(
    scan: Scan,
    recipe: Recipe,
    folder: str | os.PathLike[str],
    *,
    rows: range | None = None,
    format: str = "tiff",
    memory_bytes: int | None = None,
    threads: int | None = None,
    on_progress: Progress | None = None,
) -> Volume:
    """The volume of a scan, reconstructed in this process into a new or empty folder.

    `on_progress(rows_done, rows_total)` is called after each slab; it may raise to stop. Raises Stp3Error.
    """
    root, owner = Path(folder), uuid.uuid4().hex
    find_writer(format)
    check_free(root, owner)
    workers = threads or config.threads()
    plan = resolve(recipe, scan, rows=rows, memory_bytes=memory_bytes, threads=workers)
    writer = begin(plan, root, format, owner, provenance(plan, recipe))
    records = []
    pool, stop = ThreadPoolExecutor(IN_FLIGHT), Event()

    def check(_: str) -> None:
        if stop.is_set():
            raise Stp3Error("the reconstruction was stopped.")

    try:
        for record in pool.map(lambda slab: write_slab(plan, writer, slab, workers, on_step=check), plan.slabs()):
            records.append(record)
            if on_progress:
                on_progress(record.rows.stop - plan.rows.start, len(plan.rows))
        complete(writer, records, owner)
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
        remove_unfinished(root)
        memory.release()
    return open_volume(root)


def begin(
    plan: Plan, folder: Path, format: str, owner: str, provenance: Mapping[str, Any], *, bytes_there: int = 0
) -> Writer:
    """The writer of a volume whose folder is claimed and described; the same owner may begin it again.

    Raises UsageFault when the folder is taken, Stp3Error when the disk has no room for it.
    """
    writer = find_writer(format)(
        Layout(
            folder=folder,
            format=format,
            rows=plan.rows,
            slab_rows=plan.slab_rows,
            slice_shape=plan.slice_shape,
            dtype=plan.dtype,
            voxel_size_um=plan.scan.pixel_size_um,
            grey_range=grey_range(plan),
            fingerprint=plan.recipe.fingerprint,
            recipe=plan.recipe.to_yaml(),
            provenance=provenance,
            unit=unit(plan),
        )
    )
    claim(folder, owner)
    check_space(writer, bytes_there)
    describe(writer.layout, owner)
    writer.prepare()
    return writer


def write_slab(
    plan: Plan,
    writer: Writer,
    rows: range,
    threads: int,
    *,
    before_write: Callable[[], None] | None = None,
    on_step: Callable[[str], None] | None = None,
) -> SlabRecord:
    """Reconstructs the slab of those rows and stores it; its bytes are on disk when this returns.

    Called from IN_FLIGHT threads, it reads one slab and writes another while a third is computed.
    `before_write` may raise to keep the slab from being stored, `on_step` to stop it between steps and iterations.
    Raises ScanFault when the scan changed meanwhile (nothing is stored then), Stp3Error when the disk refuses.
    """
    start = time.perf_counter()
    plan.scan.check_unchanged()
    try:
        with _reading:
            loaded = [load_slab(plan, rows, threads)]
        with _computing:
            slab = reach(plan, rows, threads=threads, loaded=loaded.pop(), on_step=on_step)  # it frees what it can
    finally:
        plan.scan.check_unchanged()  # a failure, too, is told by its cause
    slices, residual = slab.data, slab.residuals[-1] if slab.residuals else None
    del slab  # and the flats with it
    layout = writer.layout
    if slices.shape[1:] != layout.slice_shape or slices.dtype != layout.dtype:
        raise Stp3Error(
            f"slices came out as {slices.shape[1:]} {slices.dtype}, not {layout.slice_shape} {layout.dtype}."
        )
    if before_write:
        before_write()
    with _writing:
        record = store(writer, rows, slices, start)
    return replace(record, residual=residual)


def unit(plan: Plan) -> str:
    """The unit of what slices show."""
    what = "rad" if any(use.step.shows_phase for use in plan.steps) else "1"
    return f"{what}/{'cm' if plan.scan.pixel_size_um else 'pixel'}"


def grey_range(plan: Plan) -> tuple[float, float] | None:
    """The values that the ends of integer slices stand for; None for floats."""
    if plan.dtype.kind == "f":
        return None
    output = plan.recipe.use("output").parameters.model_dump()
    return float(output["low"]), float(output["high"])
