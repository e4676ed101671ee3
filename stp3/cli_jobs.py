"""Commands on jobs: run; jobs list, show, cancel, resume, clone, watch, log; and the profiles on which they run."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from stp3.cli_arguments import (
    Commands,
    add_changes,
    add_command,
    add_recipe,
    add_scan,
    changed,
    opening_of,
    recipe_of,
    row_range,
    show,
    table,
)
from stp3.errors import Stp3Error

if TYPE_CHECKING:
    from stp3.cluster.client import Job
    from stp3.cluster.run_folder import JobState

_LOOK_SECONDS = 0.25
_RUN = """\
  stp3 run scan.h5 -o volume
  stp3 run scan.h5 -o volume --rows 100:200 --format hdf5 --set rotation_axis.column=511.5
  stp3 run scan.h5 -o volume --detach        prints the job's id and returns; `stp3 jobs show ID` tells how it stands

Ctrl-C cancels the job; `stp3 jobs resume ID` goes on with it. With --detach it outlives this terminal.
"""
_JOBS = """\
  stp3 jobs                    all jobs, the newest first
  stp3 jobs show ID            one job
  stp3 jobs log ID             what its driver wrote
  stp3 jobs cancel ID          stop it; finished slices stay
  stp3 jobs resume ID          go on with a stopped job
  stp3 jobs clone ID --set fbp.filter=hann -o other    the same again with a changed recipe
  stp3 jobs watch              go on with jobs whose driver was lost, until Ctrl-C
"""


def add_commands(commands: Commands) -> None:
    run = add_command(commands, "run", _run, "reconstruct all slices of a scan into a volume", _RUN)
    add_scan(run)
    run.add_argument("-o", "--output", metavar="FOLDER", type=Path, required=True, help="a new or empty folder")
    add_recipe(run)
    run.add_argument("--rows", metavar="A:B", type=row_range, help="detector rows A to B - 1 (default: all)")
    run.add_argument("--profile", metavar="NAME", default="local", help="on what the job runs (default: local)")
    run.add_argument("--format", default="tiff", choices=("tiff", "hdf5", "zarr"), help="of the volume (default: tiff)")
    run.add_argument("--detach", action="store_true", help="print the job's id and return")
    _add_jobs(commands)
    profiles = add_command(commands, "profiles", _profiles, "on what jobs can run")
    kinds = profiles.add_subparsers(title="commands", metavar="COMMAND", parser_class=type(profiles))
    add_command(kinds, "list", _profiles, "all profiles")
    one = add_command(kinds, "show", _profile, "one profile, and exactly what it submits to SLURM")
    one.add_argument("name", metavar="NAME", help="as `stp3 profiles` shows it")
    one.add_argument("--visit", metavar="ID", help="whose account and reservation are filled in")


def _add_jobs(commands: Commands) -> None:
    jobs = add_command(commands, "jobs", _list, "list jobs, look at one, stop it, go on with it", _JOBS)
    kinds = jobs.add_subparsers(title="commands", metavar="COMMAND", parser_class=type(jobs))
    add_command(kinds, "list", _list, "all jobs, the newest first")
    add_command(kinds, "show", _show, "how a job stands")
    add_command(kinds, "cancel", _cancel, "stop a job; its finished slices stay")
    resume = add_command(kinds, "resume", _resume, "go on with a job that was stopped or failed")
    resume.add_argument("--detach", action="store_true", help="return at once")
    clone = add_command(kinds, "clone", _clone, "the same scan again with a changed recipe")
    clone.add_argument("-o", "--output", metavar="FOLDER", type=Path, help="a new or empty folder (default: the job's)")
    clone.add_argument("--detach", action="store_true", help="print the new job's id and return")
    add_changes(clone)
    watch = add_command(kinds, "watch", _watch, "go on with jobs whose driver was lost, until Ctrl-C")
    watch.add_argument(
        "folders", metavar="FOLDER", type=Path, nargs="*", help="of jobs, or of people's folders of jobs"
    )
    watch.add_argument("--once", action="store_true", help="look once and return")
    add_command(kinds, "log", _log, "what the driver of a job wrote")
    for kind in ("show", "cancel", "resume", "clone", "log"):
        kinds.choices[kind].add_argument("id", metavar="ID", help="the job's id, as `stp3 jobs` shows it")


def _run(arguments: argparse.Namespace) -> int:
    from stp3.cluster.client import submit

    recipe = recipe_of(arguments)
    job = submit(
        arguments.scan, recipe, output=arguments.output, rows=arguments.rows,
        profile=arguments.profile, format=arguments.format, opening=opening_of(arguments),
    )  # fmt: skip
    for text in job.accepted:
        print(f"amber: {text}", file=sys.stderr)
    return _finish(arguments, job)


def _finish(arguments: argparse.Namespace, job: Job) -> int:
    """Follows the job to its end, or prints its id for --detach."""
    if arguments.detach:
        return show(arguments, job.state().model_dump(mode="json"), [job.id])
    state = follow(job, sys.stderr)
    if state.state != "done":
        raise Stp3Error(f"job {job.id} {_ENDS[state.state]}{f': {state.error}' if state.error else '.'}")
    line = f"{state.output}: {state.rows_done} slices ({state.bytes_written / 2**20:.0f} MiB)"
    return show(arguments, state.model_dump(mode="json"), [line])


_ENDS = {
    "failed": "failed",
    "cancelled": "was cancelled; `stp3 jobs resume` goes on with it",
    "interrupted": "was interrupted; `stp3 jobs resume` goes on with it",
}


def follow(job: Job, stream: TextIO) -> JobState:
    """The job's last state; shows its progress meanwhile. Ctrl-C cancels the job."""
    line = ProgressLine(stream)
    try:
        while not (state := job.state()).is_over:
            line.show(progress(state))
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        line.end()
        print("cancelling the job ...", file=stream)
        job.cancel()
        state = job.wait(30)
    line.end(progress(state) if state.state == "done" else "")
    return state


def progress(state: JobState) -> str:
    """`40 %  slab 2 of 5  16.0 rows/s  1:05 left`, as far as it is known."""
    if not state.slabs_total:
        return state.stage or state.state
    parts = [
        f"{100 * state.rows_done // max(state.rows_total, 1)} %",
        f"slab {state.slabs_done} of {state.slabs_total}",
    ]
    if state.rows_per_second:
        parts.append(f"{state.rows_per_second:.1f} rows/s")
    if state.seconds_left is not None and not state.is_over:
        parts.append(f"{clock(state.seconds_left)} left")
    return "  ".join(parts)


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class ProgressLine:
    """One line that changes on a terminal; elsewhere a new line whenever something changed, at most every 5 s."""

    _EVERY_SECONDS = 5.0

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._shown = ""
        self._at = float("-inf")

    def show(self, text: str) -> None:
        if text == self._shown:
            return
        if self._terminal:
            self._stream.write(f"\r\x1b[K{text}")
        elif time.monotonic() - self._at >= self._EVERY_SECONDS:
            self._stream.write(f"{text}\n")
            self._at = time.monotonic()
        else:
            return
        self._shown = text
        self._stream.flush()

    def end(self, text: str = "") -> None:
        """Shows a last text, whenever the one before was shown, and ends the line."""
        self._at = float("-inf")
        if text:
            self.show(text)
        if self._terminal and self._shown:
            self._stream.write("\n")
            self._stream.flush()


def _list(arguments: argparse.Namespace) -> int:
    from stp3.cluster.client import list_jobs

    states = []
    for job in list_jobs():
        try:
            states.append(job.state())
        except Stp3Error as fault:  # one damaged record does not hide the others
            print(f"stp3: {fault}", file=sys.stderr)
    rows = [(state.id, state.state, progress(state), state.sample, state.output) for state in states]
    lines = table([("id", "state", "progress", "sample", "volume"), *rows]) if rows else ["There are no jobs."]
    return show(arguments, [state.model_dump(mode="json") for state in states], lines)


def _show(arguments: argparse.Namespace) -> int:
    from stp3.cluster.client import find_job

    content = find_job(arguments.id).state().model_dump(mode="json")
    return show(arguments, content, table([(key, value) for key, value in content.items() if value not in (None, "")]))


def _cancel(arguments: argparse.Namespace) -> int:
    from stp3.cluster.client import find_job

    job = find_job(arguments.id)
    job.cancel()
    state = job.wait(30)
    return show(arguments, state.model_dump(mode="json"), [f"job {job.id} is {state.state}."])


def _resume(arguments: argparse.Namespace) -> int:
    from stp3.cluster.client import find_job

    job = find_job(arguments.id)
    job.resume()
    return _finish(arguments, job)


def _log(arguments: argparse.Namespace) -> int:
    from stp3.cluster.client import find_job

    text = find_job(arguments.id).log()
    return show(arguments, {"id": arguments.id, "log": text}, [text.rstrip()])


def _clone(arguments: argparse.Namespace) -> int:
    from stp3.cluster.client import find_job

    job = find_job(arguments.id)
    return _finish(arguments, job.clone(changed(job.recipe(), arguments), output=arguments.output))


def _watch(arguments: argparse.Namespace) -> int:
    import logging

    from stp3 import config
    from stp3.cluster.watch import look_after, watch

    folders = arguments.folders or [config.jobs_folder()]
    if arguments.once:
        resumed = [job.id for job in look_after(folders)]
        return show(arguments, resumed, [f"job {name} goes on." for name in resumed])
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    watch(folders)
    return 0


def _profiles(arguments: argparse.Namespace) -> int:
    from stp3.cluster.profiles import describe, profiles

    known = profiles().values()
    rows = [(profile.name, profile.kind, profile.title, describe(profile)) for profile in known]
    content = [profile.model_dump(mode="json") for profile in known]
    return show(arguments, content, table([("name", "kind", "title", "what a job gets"), *rows]))


def _profile(arguments: argparse.Namespace) -> int:
    from stp3 import config
    from stp3.cluster.profiles import SlurmProfile, find_profile, for_visit

    profile = for_visit(find_profile(arguments.name), arguments.visit)
    content = profile.model_dump(mode="json")
    lines = table([(key, str(value)) for key, value in content.items() if value not in (None, "", [])])
    if isinstance(profile, SlurmProfile):
        from stp3.cluster.slurm_pool import describe_submission

        content["submits"] = describe_submission(profile, config.jobs_folder() / "<job>")
        lines = [*lines, "", content["submits"]]
    return show(arguments, content, lines)
