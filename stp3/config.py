"""What the environment says; nothing else in stp3 reads it.

STP3_VISITS  JSON list of {"id", "title", "data_root"}: the visits whose scans may be opened (set by the hub)
STP3_DATA    a folder of scans, for work without a hub
STP3_JOBS    where run directories are kept (default ~/.local/share/stp3/jobs)
STP3_THREADS threads for previews (default: the processors this process may use)
STP3_ENGINE  what reconstructs unless a recipe says otherwise: "cpu" (default), "gpu", "astra" or "tomopy"
STP3_PROFILES a YAML file of the site's own cluster profiles, beside the shipped ones
STP3_LAYOUTS a YAML file of the site's own layouts of HDF5 files (stp3/readers/by_layout.py)
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from stp3.errors import UsageFault
from stp3.kernels.reconstruction import Engine

JOB_ENVIRONMENT = (
    "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "PYTHONPATH", "SLURM_CONF", "TZ",
    "USER", "VIRTUAL_ENV", "STP3_DATA", "STP3_ENGINE", "STP3_LAYOUTS", "STP3_PROFILES", "STP3_VISITS",
)  # fmt: skip


@dataclass(frozen=True)
class DataRoot:
    """A folder of scans under the name of its visit."""

    id: str
    title: str
    folder: Path


def data_roots() -> tuple[DataRoot, ...]:
    """The folders in which scans may be opened."""
    visits = json.loads(os.environ.get("STP3_VISITS", "[]"))
    roots = [DataRoot(visit["id"], visit.get("title", ""), Path(visit["data_root"])) for visit in visits]
    if folder := os.environ.get("STP3_DATA"):
        roots.append(DataRoot("data", "Data folder", Path(folder)))
    return tuple(roots)


def visit_of(scan: Path) -> str | None:
    """The visit in whose folder a scan lies; None for a scan of no visit."""
    path = scan.resolve()
    return next((root.id for root in data_roots() if path.is_relative_to(root.folder.resolve())), None)


def root_of(scan: Path) -> Path:
    """The folder that a scan's links must not leave: the data root it lies in, else its own. All links followed."""
    real = scan.resolve()
    own = real if real.is_dir() else real.parent
    roots = [root.folder.resolve() for root in data_roots()]
    return max((root for root in roots if own.is_relative_to(root)), key=lambda root: len(root.parts), default=own)


def jobs_folder() -> Path:
    """Where run directories are kept; made when a job needs it."""
    return Path(os.environ.get("STP3_JOBS") or "~/.local/share/stp3/jobs").expanduser()


def threads() -> int:
    """Threads for previews and work in this process."""
    return int(os.environ.get("STP3_THREADS") or len(os.sched_getaffinity(0)))


def engine() -> Engine:
    """What reconstructs where a recipe leaves it open. Raises UsageFault."""
    chosen = os.environ.get("STP3_ENGINE") or "cpu"
    for known in get_args(Engine):
        if chosen == known:
            return cast(Engine, known)
    raise UsageFault(f'STP3_ENGINE must be one of {", ".join(get_args(Engine))}, got "{chosen}".')


def download_url(job_id: str) -> str:
    """Where this user's server hands out the volume of a job; empty without a hub."""
    prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "")
    return f"{prefix}download/{job_id}" if prefix else ""


def profiles_file() -> Path | None:
    """The site's own cluster profiles, if it has any."""
    return Path(name) if (name := os.environ.get("STP3_PROFILES")) else None


def layouts_file() -> Path | None:
    """The site's own layouts of HDF5 files, if it has any."""
    return Path(name) if (name := os.environ.get("STP3_LAYOUTS")) else None


def slurm_job() -> str:
    """The SLURM job that this process runs in; empty outside of one."""
    return os.environ.get("SLURM_JOB_ID", "")


def job_environment() -> dict[str, str]:
    """What of this environment a job's processes get: a list, so that no token of the hub comes along."""
    return {name: os.environ[name] for name in JOB_ENVIRONMENT if name in os.environ}
