"""Stopping jobs and trying them again, through their run directories."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

from fastapi import HTTPException

from ..settings import server_path
from .callers import Caller
from .decisions import Decision
from .run_directory import open_inside
from .service import Service

RETRY_SECONDS = 90
SAID = 300


class Refused(Exception):
    """It cannot be done; the text says why and what to do."""


Action = Literal["cancel", "retry"]


def act(service: Service, caller: Caller, job: Any, action: Action) -> str:
    """What was set going, in words; raises Refused, and 403 where the job is not this caller's to act on."""
    if not caller.may_act_on(job):
        raise HTTPException(403, "You may stop and retry your own jobs; those of others is for local contacts.")
    return cancel(service, caller, job) if action == "cancel" else retry(service, caller, job)


def cancel(service: Service, caller: Caller, job: Any) -> str:
    """What was set going, in words; raises Refused where nothing runs."""
    if job.state not in {"waiting", "running"}:
        raise Refused(f"Job {job.id} is {job.state}: there is nothing to stop.")
    _note(service, caller, job, "job.cancel")
    path = _folder(service, job) / "cancel"
    try:
        os.close(open_inside(path, os.O_CREAT | os.O_WRONLY))
    except OSError as fault:
        raise Refused(f"Job {job.id} cannot be stopped from here: {fault.strerror}.") from None
    return f"Job {job.id} will stop within seconds; its finished slices stay."


def retry(service: Service, caller: Caller, job: Any) -> str:
    """What was set going, in words; raises Refused where the job is not stopped, or does not start."""
    if job.state not in {"failed", "cancelled", "interrupted"}:
        raise Refused(f"Job {job.id} is {job.state}: only a stopped job can be tried again.")
    if _folder(service, job).parent.stat().st_uid != os.getuid():
        raise Refused(f"Job {job.id} runs under its owner's account: only they can go on with it, in the workbench.")
    _note(service, caller, job, "job.retry")
    command = [sys.executable, "-m", "stp3.cli", "jobs", "resume", job.id, "--detach"]
    try:
        done = subprocess.run(
            command,
            env=_environment(service, job),
            cwd=_folder(service, job),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RETRY_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        raise Refused(f"Job {job.id} did not start within {RETRY_SECONDS} s; look at its log.") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
        raise Refused(f"Job {job.id} did not start: {last[:SAID]}")
    return f"Job {job.id} goes on; its finished slices are kept."


def _note(service: Service, caller: Caller, job: Any, action: str) -> None:
    detail = {"owner": job.owner, "visit": job.visit, "state": job.state}
    service.decisions.record(Decision(caller.name, action, f"{job.owner}/{job.id}", detail))


def _folder(service: Service, job: Any) -> Path:
    return service.settings.jobs_folder(job.owner) / str(job.id)


def _environment(service: Service, job: Any) -> dict[str, str]:
    """What the owner's own server would tell the driver, for this one job; no token of the hub is in it."""
    settings = service.settings
    visits = [{"id": job.visit, "data_root": str(settings.visit_folder(job.visit))}] if job.visit else []
    told = {
        "PATH": server_path(),
        "HOME": str(settings.home_folder(job.owner)),
        "STP3_JOBS": str(settings.jobs_folder(job.owner)),
        "STP3_VISITS": json.dumps(visits),
    }
    return told | ({"STP3_DATA": str(settings.data)} if settings.data else {})
