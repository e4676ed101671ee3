"""Named profiles: on what a job runs. Shipped in profiles.yaml, replaced or added to by the site's own file."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from stp3 import config
from stp3.errors import UsageFault
from stp3.plan import free_memory_bytes

_SHIPPED = Path(__file__).with_name("profiles.yaml")
_MOST_THREADS = 16
_MEMORY_SHARE = 0.7  # of what is free; the rest is for the page cache, other users and this driver
_SLURM_MEMORY_SHARE = 0.85  # of what SLURM gives: its limit counts the files and the parent process of a worker too
_SMALLEST_WORKER_BYTES = 1 << 30
_VISIT = "{visit}"
Auto = Literal["auto"]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")]
Template = Annotated[str, Field(pattern=r"^([A-Za-z0-9_.+-]|\{visit\})+$", description="may hold {visit}")]
Line = Annotated[str, Field(pattern=r"^[^\r\n\x00]*$")]


class _Common(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")
    title: str = ""
    slab_rows: Annotated[int, Field(ge=1)] | None = Field(None, description="most rows in a slab")


class Profile(_Common):
    """How many workers on this machine."""

    kind: Literal["local"] = "local"
    workers: Annotated[int, Field(ge=1, le=1024)] | Auto = "auto"
    threads: Annotated[int, Field(ge=1, le=256)] | Auto = "auto"
    memory_gib: Annotated[float, Field(ge=0.5)] | Auto = "auto"


class SlurmProfile(_Common):
    """Workers that are jobs of a SLURM cluster; what is left out is left to SLURM."""

    kind: Literal["slurm"]
    workers: int = Field(4, ge=1, le=1024, description="jobs, each with one worker")
    threads: int = Field(8, ge=1, le=256, description="processors of each")
    memory_gib: float = Field(32, ge=0.5, description="memory of each")
    walltime: str = Field(
        "04:00:00", pattern=r"^(\d+-)?\d{1,2}:\d{2}:\d{2}$", description="[days-]hours:minutes:seconds"
    )
    partition: Word | None = None
    account: Template | None = None
    qos: Word | None = None
    reservation: Template | None = None
    constraint: str | None = Field(None, pattern=r"^[A-Za-z0-9_.+|&*()\[\]-]+$", description="features of the nodes")
    gres: str | None = Field(None, pattern=r"^[A-Za-z0-9_:.,-]+$", description="such as gpu:1")
    prologue: tuple[Line, ...] = Field((), description="lines of shell before the worker and the driver start")
    python: str = Field("", pattern=r"^[^\r\n\x00]*$", description="the interpreter on the nodes (default: this one)")
    interface: Word | None = Field(None, description="the network of the workers, such as ib0")
    driver: Literal["slurm", "here"] = Field("slurm", description="where the job's driver runs")
    driver_memory_gib: float = Field(2, ge=0.5)
    driver_partition: Word | None = Field(None, description="default: the workers'")


class AddressProfile(_Common):
    """A Dask cluster that runs already, with STP3 and the same files on its workers; it is never stopped."""

    kind: Literal["address"]
    address: str = Field(pattern=r"^tls://[A-Za-z0-9_.:\[\]-]+$", description="tls://host:port")
    ca_file: Path
    cert: Path
    key: Path


AnyProfile = Annotated[Profile | SlurmProfile | AddressProfile, Field(discriminator="kind")]
_adapter: TypeAdapter[Profile | SlurmProfile | AddressProfile] = TypeAdapter(AnyProfile)


@dataclass(frozen=True)
class Size:
    """A profile in numbers: workers, the threads and the memory of each."""

    workers: int
    threads: int
    memory_bytes: int


def size(profile: Profile | SlurmProfile) -> Size:
    """The profile in numbers; what is "auto" is sized from this machine's processors and free memory."""
    if isinstance(profile, SlurmProfile):
        return Size(profile.workers, profile.threads, int(profile.memory_gib * _SLURM_MEMORY_SHARE * 2**30))
    processors = len(os.sched_getaffinity(0))
    threads = min(_MOST_THREADS, processors) if profile.threads == "auto" else profile.threads
    memory = int(free_memory_bytes() * _MEMORY_SHARE)
    fitting = max(1, min(processors // threads, memory // _SMALLEST_WORKER_BYTES))
    workers = fitting if profile.workers == "auto" else profile.workers
    each = memory // workers if profile.memory_gib == "auto" else int(profile.memory_gib * 2**30)
    return Size(workers, threads, each)


def for_visit(profile: AnyProfile, visit: str | None) -> AnyProfile:
    """The profile with {visit} filled in. Raises UsageFault where the visit is not known, or its name would not do."""
    if not isinstance(profile, SlurmProfile):
        return profile
    changes = {}
    for key in ("account", "reservation"):
        text = getattr(profile, key)
        if text and _VISIT in text:
            if not visit or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]*", visit):
                whose = f"the visit {visit!r}" if visit else "no visit"
                raise UsageFault(
                    f'profile "{profile.name}" has the {key} "{text}", and the scan belongs to {whose}. '
                    "Choose a scan of a visit or another profile."
                )
            changes[key] = text.replace(_VISIT, visit)
    return profile.model_copy(update=changes)


def find_profile(name: str) -> AnyProfile:
    """The profile of that name. Raises UsageFault."""
    known = profiles()
    if name not in known:
        raise UsageFault(f'there is no profile "{name}". Known: {", ".join(known)}.')
    return known[name]


def profiles() -> dict[str, AnyProfile]:
    """All profiles by name: the shipped ones and the site's (STP3_PROFILES). Raises UsageFault."""
    found = _read(_SHIPPED)
    if site := config.profiles_file():
        found |= _read(site)
    return found


def describe(profile: AnyProfile) -> str:
    """What a job of this profile gets, in one line."""
    if isinstance(profile, AddressProfile):
        return f"the workers of {profile.address}"
    sized = size(profile)
    where = f" on SLURM for {profile.walltime}" if isinstance(profile, SlurmProfile) else ""
    return (
        f"{sized.workers} worker(s) with {sized.threads} thread(s) and {sized.memory_bytes / 2**30:.1f} GiB each{where}"
    )


def _read(path: Path) -> dict[str, AnyProfile]:
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return {
            str(name): _adapter.validate_python({"kind": "local", **values, "name": str(name)})
            for name, values in content.items()
        }
    except (OSError, yaml.YAMLError, AttributeError, TypeError, ValidationError) as error:
        raise UsageFault(f"the profiles in {path} cannot be used: {' '.join(str(error).split())}") from error
