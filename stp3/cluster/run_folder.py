"""The run directory of a job: what was asked for, how it stands, who works on it."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from stp3.cluster.profiles import AnyProfile
from stp3.durable import write_json
from stp3.errors import Stp3Error, UsageFault
from stp3.provenance import now

ID_PATTERN = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
StateName = Literal["waiting", "running", "done", "failed", "cancelled", "interrupted"]
STEP_TOPIC = "stp3-step"
"""Under which workers tell the driver what step they are at."""
_PATIENCE_SECONDS = 1.0


class Spec(BaseModel):
    """What a job shall do: plain data, checked again by the driver."""

    model_config = ConfigDict(frozen=True)

    stp3_job: Literal[1] = 1
    id: str
    scan: str
    opening: dict[str, Any] = {}
    """How the scan is opened: what `open_scan` takes besides its path."""
    recipe: dict[str, Any]
    rows: tuple[int, int] | None = None
    output: str
    format: str = "tiff"
    profile: AnyProfile
    user: str = ""
    accepted: tuple[dict[str, str], ...] = ()  # what the pre-flight said against the scan, in amber


class Launch(BaseModel):
    """A driver given to SLURM: the name it was submitted under, when (seconds since 1970), and its id once known."""

    model_config = ConfigDict(frozen=True)

    name: str
    submitted: float
    job: str = ""


class JobState(BaseModel):
    """How a job stands; times are ISO 8601 in UTC, `rows_per_second` and `seconds_left` (with the range in which it
    most likely lies) None until they are known."""

    model_config = ConfigDict(frozen=True)

    id: str
    state: StateName
    scan: str
    sample: str = ""
    output: str
    format: str = "tiff"
    user: str = ""
    profile: str = "local"
    rows: tuple[int, int]
    slabs_done: int = 0
    slabs_total: int = 0
    rows_done: int = 0
    rows_total: int = 0
    rows_per_second: float | None = None
    seconds_left: float | None = None
    seconds_left_range: tuple[float, float] | None = None
    stage: str = ""
    created: str
    started: str | None = None
    ended: str | None = None
    updated: str = ""
    pid: int | None = None
    host: str = ""
    error: str | None = None
    bytes_written: int = 0

    @property
    def is_over(self) -> bool:
        """True when nothing more will happen by itself."""
        return self.state not in ("waiting", "running")


class RunFolder:
    """The paths in a run directory and what stands in them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec_file = folder / "spec.json"
        self.state_file = folder / "state.json"
        self.resolved_file = folder / "resolved.json"
        self.measured_file = folder / "measured.npz"
        self.journal_file = folder / "journal.jsonl"
        self.lock_file = folder / "driver.lock"
        self.launch_file = folder / "launch.json"
        self.log_file = folder / "driver.log"
        self.cancel_file = folder / "cancel"
        self.private = folder / "tls"

    @property
    def id(self) -> str:
        return self.folder.name

    def spec(self) -> Spec:
        """Raises Stp3Error when it cannot be read."""
        try:
            return Spec.model_validate_json(self.spec_file.read_bytes())
        except (OSError, ValidationError) as error:
            raise Stp3Error(f"{self.spec_file} cannot be read: {' '.join(str(error).split())}") from error

    def state(self) -> JobState:
        """Raises Stp3Error when it cannot be read."""
        try:
            return JobState.model_validate_json(self.state_file.read_bytes())
        except (OSError, ValidationError) as error:
            raise Stp3Error(f"{self.state_file} cannot be read: {' '.join(str(error).split())}") from error

    def write_state(self, state: JobState) -> None:
        write_json(self.state_file, state.model_copy(update={"updated": now()}).model_dump(mode="json"))

    def launch(self) -> Launch | None:
        """How the driver was given to SLURM; None when it was not."""
        try:
            return Launch.model_validate_json(self.launch_file.read_bytes())
        except (OSError, ValidationError):
            return None

    def write_launch(self, launch: Launch) -> None:
        write_json(self.launch_file, launch.model_dump(mode="json"))

    def resolved(self) -> dict[str, Any] | None:
        """What was measured before the first slab; None until then."""
        if not self.resolved_file.exists():
            return None
        content: dict[str, Any] = json.loads(self.resolved_file.read_text(encoding="utf-8"))
        return content

    def fence(self) -> int | None:
        """The number of the driver that took the lock last; None when it cannot be told."""
        number = self._lock().get("fence")
        return number if isinstance(number, int) else None

    def writer(self) -> int | None:
        """The number of the driver that may write now; None when none may."""
        return None if self._lock().get("ended") else self.fence()

    def _lock(self) -> dict[str, Any]:
        try:
            content = json.loads(self.lock_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    @contextmanager
    def locked(self, least_fence: int = 0, patience: float = _PATIENCE_SECONDS) -> Iterator[int]:
        """Holds the lock that one driver at a time may have; gives its fencing number. Raises UsageFault.

        From its end on, nothing more is written for that number, whatever workers are still at it.
        """
        with open(self.lock_file, "a+", encoding="utf-8") as file:
            _take(file, self.folder, patience)
            fence = max(self.fence() or 0, least_fence) + 1
            holder = {"fence": fence, "pid": os.getpid(), "host": platform.node(), "since": now()}
            _put(file, holder)
            try:
                yield fence
            finally:
                if self.fence() == fence:
                    _put(file, holder | {"ended": now()})


def new_id() -> str:
    """A job's name: the moment and six random digits."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def _put(file: IO[str], content: dict[str, Any]) -> None:
    file.truncate(0)
    json.dump(content, file)
    file.flush()
    os.fsync(file.fileno())


def _take(file: IO[str], folder: Path, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise UsageFault(f"another driver is at work on job {folder.name}. Wait for it or cancel it.") from None
            time.sleep(0.05)
