"""SLURM's commands: what is submitted, how the queue stands (asked once for all), and what that means in words."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from stp3 import config
from stp3.cluster.profiles import SlurmProfile
from stp3.errors import Stp3Error

_ASK_SECONDS = 10.0
_SUBMIT_SECONDS = 20.0
_FRESH_SECONDS = 2.0
_FIELDS = "%i|%T|%r|%S|%Q|%u|%P|%j"
_OVER = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
    "REVOKED", "SPECIAL_EXIT", "TIMEOUT",
}  # fmt: skip
_MAY_PASS = (
    "Socket timed out", "Unable to contact slurm controller", "Connection refused", "temporarily unable", "try again",
    "Zero Bytes were transmitted", "Transport endpoint", "error receiving", "Resource temporarily unavailable",
    "did not answer", "communication failure", "backup controller", "in standby mode",
)  # fmt: skip


class Refused(Stp3Error):
    """SLURM did not take a job, in its own words; `may_pass` when trying again may help."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.may_pass = any(text.lower() in words.lower() for text in _MAY_PASS)


@dataclass(frozen=True)
class Entry:
    """One job of the queue; `start` (ISO 8601, UTC) is when it began or is expected to, "" when SLURM cannot say."""

    id: str
    state: str
    reason: str
    start: str
    priority: int
    user: str
    partition: str
    name: str

    @property
    def is_over(self) -> bool:
        return self.state in _OVER

    @property
    def is_pending(self) -> bool:
        return self.state in ("PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED")


@dataclass(frozen=True)
class Listing:
    """The queue of all users as it stood at `taken` (seconds since 1970)."""

    taken: float
    entries: tuple[Entry, ...]

    def named(self, name: str) -> Entry | None:
        """The newest job of that name."""
        found = [entry for entry in self.entries if entry.name == name]
        return max(found, key=lambda entry: int(entry.id.split("_")[0]), default=None)

    def starting(self, prefix: str) -> list[str]:
        """The ids of those jobs that are not over and whose names begin so."""
        return [entry.id for entry in self.entries if entry.name.startswith(prefix) and not entry.is_over]

    def before(self, entry: Entry) -> int:
        """How many waiting jobs of its partition SLURM looks at before this one."""
        waiting = [other for other in self.entries if other.is_pending and other.partition == entry.partition]
        return sum(other.priority > entry.priority for other in waiting)


def ask_queue(folder: Path, seconds: float = _FRESH_SECONDS) -> Listing:
    """The queue, not older than that; one question serves all processes that keep their jobs in `folder`.

    Raises Stp3Error when SLURM does not answer.
    """
    cache = folder / ".queue.json"
    if (found := _cached(cache, seconds)) is not None:
        return found
    with open(folder / ".queue.lock", "a", opener=_private_opener) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (found := _cached(cache, seconds)) is not None:
            return found
        listing = _ask()
        draft = cache.with_suffix(f".{os.getpid()}.part")
        draft.write_text(json.dumps(asdict(listing)), encoding="utf-8")
        draft.replace(cache)
        return listing


def submit(arguments: Iterable[str], script: str) -> str:
    """The id of the job that SLURM took. Raises Refused."""
    try:
        done = subprocess.run(
            ["sbatch", *arguments], input=script, capture_output=True, text=True, timeout=_SUBMIT_SECONDS,
            env=config.job_environment(), umask=0o077, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Refused(f"sbatch did not answer within {_SUBMIT_SECONDS:.0f} s") from None
    except OSError as error:
        raise Refused(f"sbatch cannot be run here: {error.strerror}") from error
    return _job_id(done.returncode, done.stdout, done.stderr)


async def submit_async(arguments: Iterable[str], script: str) -> str:
    """As `submit`, for the driver; it may be cancelled."""
    try:
        process = await asyncio.create_subprocess_exec(
            "sbatch", *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, env=config.job_environment(), umask=0o077,
        )  # fmt: skip
    except OSError as error:
        raise Refused(f"sbatch cannot be run here: {error.strerror}") from error
    try:
        out, err = await asyncio.wait_for(process.communicate(script.encode()), _SUBMIT_SECONDS)
    except TimeoutError:
        raise Refused(f"sbatch did not answer within {_SUBMIT_SECONDS:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
    return _job_id(process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace"))


def cancel(ids: Iterable[str]) -> None:
    """Ends those jobs: what runs at once, what waits before it begins."""
    chosen = list(ids)
    if chosen:
        _tell("scancel", "--signal=KILL", "--full", "--state=RUNNING", *chosen)
        _tell("scancel", *chosen)


def signal_driver(job: str, name: str) -> None:
    """Sends a signal to the driver that runs as that job."""
    _tell("scancel", f"--signal={name}", "--batch", job)


def sweep(folder: Path, job_id: str) -> None:
    """Ends the workers that an earlier driver of this job left in the queue."""
    with suppress(Stp3Error):
        cancel(ask_queue(folder, 0).starting(workers_name(job_id)))


def workers_name(job_id: str) -> str:
    return f"stp3w-{job_id}-"


def common_arguments(profile: SlurmProfile, folder: Path) -> list[str]:
    """What all jobs of a profile are submitted with: whose account, where, and which environment they see."""
    chosen = {
        "account": profile.account, "qos": profile.qos, "reservation": profile.reservation, "time": profile.walltime,
        "chdir": str(folder), "export": ",".join(config.JOB_ENVIRONMENT), "ntasks": "1",
    }  # fmt: skip
    return [f"--{key}={value}" for key, value in chosen.items() if value]


def driver_arguments(profile: SlurmProfile, folder: Path, name: str) -> list[str]:
    """How the driver's own job is submitted: a small one that SLURM starts again when its node is lost."""
    partition = profile.driver_partition or profile.partition
    return [
        "--parsable", f"--job-name={name}", *common_arguments(profile, folder),
        *([f"--partition={partition}"] if partition else []),
        "--cpus-per-task=1", f"--mem={int(profile.driver_memory_gib * 1024)}M",
        "--requeue", "--open-mode=append", "--output=driver.log", "--signal=B:USR1@60",
    ]  # fmt: skip


def driver_script(profile: SlurmProfile, folder: Path) -> str:
    """The script of the driver's job."""
    python = shlex.quote(profile.python or sys.executable)
    lines = [
        "#!/bin/sh", "umask 077", *profile.prologue, "export PYTHONWARNINGS=ignore:resource_tracker:UserWarning",
        f"export TMPDIR={shlex.quote(str(folder / 'tls'))}",
        f"exec {python} -m stp3.cluster.driver {shlex.quote(str(folder))}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def worker_arguments(profile: SlurmProfile, folder: Path) -> list[str]:
    """How a worker's job is submitted, beside what stands in its script."""
    chosen = {"partition": profile.partition, "constraint": profile.constraint, "gres": profile.gres}
    return [
        "--parsable", *common_arguments(profile, folder),
        *(f"--{key}={value}" for key, value in chosen.items() if value),
        f"--cpus-per-task={profile.threads}", f"--mem={int(profile.memory_gib * 1024)}M",
        "--no-requeue", "--open-mode=append", "--output=workers/%j.log",
    ]  # fmt: skip


def _job_id(code: int, out: str, err: str) -> str:
    if code:
        raise Refused(_plain(err) or f"sbatch ended with code {code}")
    return out.strip().split(";")[0].split()[-1]


def _plain(said: str) -> str:
    """A command's complaint without its own name."""
    lines = [re.sub(r"^\w+: (error|fatal): ", "", line.strip()) for line in said.splitlines() if line.strip()]
    return "; ".join(lines[-2:])


def _ask() -> Listing:
    taken = time.time()
    try:
        done = subprocess.run(
            ["squeue", "--noheader", "--states=all", f"--format={_FIELDS}"], capture_output=True, text=True,
            timeout=_ASK_SECONDS, env={**config.job_environment(), "TZ": "UTC"}, check=False,
        )  # fmt: skip
    except (subprocess.TimeoutExpired, OSError) as error:
        raise Stp3Error(f"SLURM does not say how the queue stands ({error}).") from error
    if done.returncode:
        raise Stp3Error(f"SLURM does not say how the queue stands: {_plain(done.stderr)}")
    return Listing(taken, tuple(_entry(line) for line in done.stdout.splitlines() if line.count("|") >= 7))


def _entry(line: str) -> Entry:
    job, state, reason, start, priority, user, partition, name = line.split("|", 7)
    known = "" if start == "N/A" else start
    return Entry(job, state, reason, known, int(priority) if priority.isdigit() else 0, user, partition, name)


def _cached(cache: Path, seconds: float) -> Listing | None:
    try:
        content = json.loads(cache.read_text(encoding="utf-8"))
        listing = Listing(content["taken"], tuple(Entry(**entry) for entry in content["entries"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return listing if 0 <= time.time() - listing.taken < seconds else None


def _tell(*command: str) -> None:
    """Runs a command whose failure changes nothing for us: the job may be over already."""
    with suppress(subprocess.TimeoutExpired, OSError):
        subprocess.run(command, capture_output=True, timeout=_ASK_SECONDS, env=config.job_environment(), check=False)


def _private_opener(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
