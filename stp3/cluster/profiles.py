"""Named profiles: on what a job runs. Shipped in profiles.yaml, replaced or added to by the site's own file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stp3 import config
from stp3.errors import UsageFault
from stp3.plan import free_memory_bytes

_SHIPPED = Path(__file__).with_name("profiles.yaml")
_MOST_THREADS = 16
_MEMORY_SHARE = 0.7  # of what is free; the rest is for the page cache, other users and this driver
_SMALLEST_WORKER_BYTES = 1 << 30
Auto = Literal["auto"]


class Profile(BaseModel):
    """How many workers on which kind of cluster."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")
    kind: Literal["local"] = "local"
    title: str = ""
    workers: Annotated[int, Field(ge=1, le=1024)] | Auto = "auto"
    threads: Annotated[int, Field(ge=1, le=256)] | Auto = "auto"
    memory_gib: Annotated[float, Field(ge=0.5)] | Auto = "auto"
    slab_rows: Annotated[int, Field(ge=1)] | None = Field(None, description="most rows in a slab")


@dataclass(frozen=True)
class Size:
    """A profile in numbers: workers, the threads and the memory of each."""

    workers: int
    threads: int
    memory_bytes: int


def size(profile: Profile) -> Size:
    """The profile sized from this machine's processors and free memory."""
    processors = len(os.sched_getaffinity(0))
    threads = min(_MOST_THREADS, processors) if profile.threads == "auto" else profile.threads
    memory = int(free_memory_bytes() * _MEMORY_SHARE)
    fitting = max(1, min(processors // threads, memory // _SMALLEST_WORKER_BYTES))
    workers = fitting if profile.workers == "auto" else profile.workers
    each = memory // workers if profile.memory_gib == "auto" else int(profile.memory_gib * 2**30)
    return Size(workers, threads, each)


def find_profile(name: str) -> Profile:
    """The profile of that name. Raises UsageFault."""
    known = profiles()
    if name not in known:
        raise UsageFault(f'there is no profile "{name}". Known: {", ".join(known)}.')
    return known[name]


def profiles() -> dict[str, Profile]:
    """All profiles by name: the shipped ones and the site's (STP3_PROFILES). Raises UsageFault."""
    found = _read(_SHIPPED)
    if site := config.profiles_file():
        found |= _read(site)
    return found


def describe(profile: Profile) -> str:
    """What a job of this profile gets on this machine, in one line."""
    sized = size(profile)
    return f"{sized.workers} worker(s) with {sized.threads} thread(s) and {sized.memory_bytes / 2**30:.1f} GiB each"


def _read(path: Path) -> dict[str, Profile]:
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return {str(name): Profile(name=str(name), **values) for name, values in content.items()}
    except (OSError, yaml.YAMLError, AttributeError, TypeError, ValidationError) as error:
        raise UsageFault(f"the profiles in {path} cannot be used: {' '.join(str(error).split())}") from error
