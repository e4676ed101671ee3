"""Starts the driver of a job: as a detached process of this machine, or as a small job of SLURM."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

from stp3 import config
from stp3.cluster import slurm
from stp3.cluster.profiles import SlurmProfile
from stp3.cluster.run_folder import Launch, RunFolder
from stp3.errors import Stp3Error

_QUIET = {"PYTHONWARNINGS": "ignore:resource_tracker:UserWarning"}  # its word on a killed driver helps nobody
START_SECONDS = 60.0  # a busy machine and a slow network file system together
_PATIENCE_SECONDS = 10.0


def start_driver(run: RunFolder) -> None:
    """Starts the driver where the job's profile says. Raises Stp3Error when it cannot."""
    profile = run.spec().profile
    if isinstance(profile, SlurmProfile) and profile.driver == "slurm":
        submit_driver(run, profile)
    else:
        run.launch_file.unlink(missing_ok=True)
        _start_here(run)


def submit_driver(run: RunFolder, profile: SlurmProfile) -> None:
    """Gives the driver to SLURM; returns once SLURM has it. A submission whose answer is lost is found by its name.

    Raises Stp3Error when SLURM does not take it within some seconds.
    """
    if any(mark in str(run.folder) for mark in "%\n\\"):
        raise Stp3Error(f"SLURM would misread the path {run.folder}. Keep jobs in another folder (STP3_JOBS).")
    before = run.state()
    waiting = {"state": "waiting", "stage": "waiting for the cluster", "ended": None, "error": None, "pid": None}
    run.write_state(before.model_copy(update=waiting))
    launch = Launch(name=f"stp3-{run.id}-{secrets.token_hex(2)}", submitted=time.time())
    run.write_launch(launch)
    arguments, script = (
        slurm.driver_arguments(profile, run.folder, launch.name),
        slurm.driver_script(profile, run.folder),
    )
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            job = slurm.submit(arguments, script)
            break
        except slurm.Refused as refusal:
            if found := _taken_all_the_same(run, launch, refusal):
                job = found
                break
            if not refusal.may_pass or time.monotonic() > deadline:
                run.launch_file.unlink(missing_ok=True)
                run.write_state(before)
                raise Stp3Error(f"SLURM does not take the job: {refusal}. Job {run.id} can be resumed.") from refusal
        time.sleep(1)
    run.write_launch(launch.model_copy(update={"job": job}))


def _taken_all_the_same(run: RunFolder, launch: Launch, refusal: slurm.Refused) -> str:
    """The id of the job where only the answer was lost."""
    if not refusal.may_pass:
        return ""
    try:
        entry = slurm.ask_queue(run.folder.parent, 0).named(launch.name)
    except Stp3Error:
        return ""
    return entry.id if entry else ""


def _start_here(run: RunFolder) -> None:
    """Starts the driver; returns once it holds the lock and says so. Raises Stp3Error when it fails at once."""
    with open(run.log_file, "ab", opener=partial(os.open, mode=0o600)) as log:
        driver = subprocess.Popen(
            [sys.executable, "-m", "stp3.cluster.driver", str(run.folder)],
            cwd=run.folder,
            env=config.job_environment() | {"TMPDIR": str(run.private)} | _QUIET,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            umask=0o077,
        )
    threading.Thread(target=driver.wait, daemon=True).start()  # so that no zombie stays
    deadline = time.monotonic() + START_SECONDS
    while run.state().pid != driver.pid:
        if driver.poll() is not None and run.state().pid != driver.pid:
            raise Stp3Error(f"the job's driver ended at once: {_last_line(run.log_file)}")
        if time.monotonic() > deadline:
            raise Stp3Error(f"the job's driver did not start within {START_SECONDS:.0f} s. See {run.log_file}.")
        time.sleep(0.02)


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else f"it said nothing (see {path})."
