"""What workers do. Scans are read here and nowhere else: a file that crashes its reader costs a worker, not a job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from stp3.cluster.profiles import Size
from stp3.cluster.run_folder import STEP_TOPIC, RunFolder, Spec
from stp3.errors import ScanFault, Stp3Error
from stp3.measured import Measured
from stp3.plan import Plan, part_of, resolve
from stp3.provenance import provenance
from stp3.recipe import Recipe
from stp3.run import IN_FLIGHT, write_slab
from stp3.scan import open_unguarded
from stp3.volume import complete, is_owner, open_volume
from stp3.writers import SlabRecord, Writer

_SLAB_SHARE = 0.8  # of a worker's memory; the rest is Python and the libraries
_SLABS_A_WORKER = 4 * IN_FLIGHT
_WHOLE_ROWS = 8  # slabs of a multiple bring three levels of a multiscale volume with them


def resolve_job(spec: Spec, sized: Size) -> tuple[Plan, dict[str, Any]]:
    """The plan of a new job, and as plain data all that was measured for it. Raises UsageFault or ScanFault."""
    scan = open_unguarded(spec.scan, **spec.opening)
    recipe = Recipe.from_dict(spec.recipe)
    rows = range(*spec.rows) if spec.rows else None
    budget = int(sized.memory_bytes * _SLAB_SHARE)
    plan = resolve(recipe, scan, rows=rows, memory_bytes=budget, threads=sized.threads)
    plan = replace(plan, slab_rows=_slab_rows(plan, spec, sized))
    return plan, {
        "identity": asdict(scan.identity),
        "recipe": plan.recipe.as_dict(),
        "rows": [plan.rows.start, plan.rows.stop],
        "slab_rows": plan.slab_rows,
        "provenance": provenance(plan, recipe, user=spec.user, job=spec.id, accepted=spec.accepted),
    }


def reopen_job(spec: Spec, resolved: dict[str, Any], measured: Measured) -> Plan:
    """The plan of a job that was begun before; measures nothing. Raises ScanFault when the scan is another one."""
    scan = open_unguarded(spec.scan, **spec.opening)
    if asdict(scan.identity) != resolved["identity"]:
        raise ScanFault(f"{spec.scan} is no longer the file that this job began with. Start a new job for it.")
    recipe = Recipe.from_dict(resolved["recipe"])
    return Plan(part_of(scan, recipe), recipe, range(*resolved["rows"]), resolved["slab_rows"], measured)


def reconstruct(folder: Path, fence: int, plan: Plan, writer: Writer, rows: range, threads: int) -> SlabRecord:
    """Reconstructs and stores one slab for the driver with that fencing number. Raises Stp3Error."""
    return write_slab(
        plan, writer, rows, threads, before_write=lambda: check_fence(folder, fence), on_step=_tell_steps(plan)
    )


def _tell_steps(plan: Plan) -> Callable[[str], None]:
    """Tells the driver the title of each step that begins; where a step iterates, once."""
    from distributed import get_worker

    worker, titles, told = get_worker(), {use.name: use.step.title for use in plan.steps}, [""]

    def tell(name: str) -> None:
        if name != told[0]:
            told[0] = name
            worker.log_event(STEP_TOPIC, titles[name])

    return tell


def is_intact(output: Path, record: SlabRecord) -> bool:
    """True when the slab's files are there with the bytes that were journalled."""
    return all(unit.is_intact(output) for unit in record.units)


def is_complete(output: Path, owner: str) -> bool:
    """True when this owner's volume is finished and its files are what they were."""
    if not is_owner(output, owner):
        return False
    volume = open_volume(output)
    if not volume.is_complete or volume.check_files():
        return False
    volume.tidy()
    return True


def complete_job(folder: Path, fence: int, writer: Writer, records: list[SlabRecord], owner: str) -> None:
    """Makes the finished volume. Raises Stp3Error."""
    check_fence(folder, fence)
    complete(writer, records, owner)


def check_fence(folder: Path, fence: int) -> None:
    """Raises Stp3Error when the driver of that number is over, or another one has taken the job over."""
    if RunFolder(folder).writer() != fence:
        raise Stp3Error("another driver has taken this job over; nothing more is written for the old one.")


def _slab_rows(plan: Plan, spec: Spec, sized: Size) -> int:
    """Rows of a slab: within memory, and low enough that all workers have something to do and progress shows."""
    share = -(-len(plan.rows) // (_SLABS_A_WORKER * sized.workers))
    least = max(share, 2 * plan.halo, 1)
    if least > _WHOLE_ROWS:
        least += -least % _WHOLE_ROWS
    return min(plan.slab_rows, spec.profile.slab_rows or least)
