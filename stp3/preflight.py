"""Pre-flight: what is wrong with a scan, in a short report, before anything is computed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from stp3 import config
from stp3.errors import ScanFault, Stp3Error
from stp3.recipe import Recipe
from stp3.scan import Problem, Scan, open_scan

Light = Literal["green", "amber", "red"]
_LIGHTS: tuple[Light, ...] = ("green", "amber", "red")
_FRESH_SECONDS = 10.0  # a file changed so lately may still be written: it is looked at for a while
_LOOK_SECONDS = 1.0
_SECONDS = 120  # for the sample, on slow storage
_WHILE_WRITTEN = {"file.growing", "file.opens", "frames.unwritten", "frames.zeros", "frames.count", "angles.count"}
_CHOSEN_AWAY = ("frames.count", "angles.count")


@dataclass(frozen=True)
class Finding:
    """One line of the report; `code` is the same for all of its kind."""

    level: Light
    code: str
    text: str


@dataclass(frozen=True)
class Report:
    """What was looked at and what it showed, the worst first. `seconds`: how long it took."""

    findings: tuple[Finding, ...]
    seconds: float = 0.0

    @property
    def verdict(self) -> Light:
        """The worst colour."""
        return max((finding.level for finding in self.findings), key=_LIGHTS.index, default="green")

    def of(self, level: Light) -> tuple[Finding, ...]:
        """The lines of that colour."""
        return tuple(finding for finding in self.findings if finding.level == level)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "verdict": self.verdict,
            "findings": [asdict(finding) for finding in self.findings],
            "seconds": round(self.seconds, 3),
        }

    def refuse_red(self) -> tuple[Finding, ...]:
        """What is accepted by going on: the amber lines. Raises ScanFault when there are red ones."""
        if red := self.of("red"):
            raise ScanFault(" ".join(finding.text for finding in red))
        return self.of("amber")


def preflight_file(
    path: str | os.PathLike[str],
    recipe: Recipe | None = None,
    folder: Path | None = None,
    opening: Mapping[str, Any] | None = None,
) -> Report:
    """The report on the scan in a file or folder; a scan that cannot be opened is a red line. Raises UsageFault.

    `opening` is what `open_scan` takes besides the path.
    """
    began = time.perf_counter()
    try:
        scan = open_scan(path, **(opening or {}))
    except ScanFault as fault:
        return Report((Finding("red", "file.opens", str(fault)),), time.perf_counter() - began)
    return preflight(scan, recipe, folder)


def preflight_when_written(
    path: str | os.PathLike[str],
    recipe: Recipe | None = None,
    folder: Path | None = None,
    seconds: float = 0.0,
    opening: Mapping[str, Any] | None = None,
) -> Report:
    """The report once the scan is complete: a scan that is being written is looked at again for so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        report = preflight_file(path, recipe, folder, opening)
        incomplete = _WHILE_WRITTEN & {finding.code for finding in report.of("red")}
        if not incomplete or time.monotonic() >= deadline:
            return report
        time.sleep(min(_LOOK_SECONDS, max(deadline - time.monotonic(), 0)))


def preflight(
    scan: Scan,
    recipe: Recipe | None = None,
    folder: Path | None = None,
    *,
    rows: range | None = None,
    memory: bool = True,
) -> Report:
    """The report on the part of a scan that the recipe takes (all of it without one).

    Some frames are sampled: a large scan takes a few seconds. `folder` is where the volume of those `rows` of the
    detector would go; `memory` False leaves out this machine's memory, for a job that runs elsewhere.
    Raises UsageFault when the recipe does not suit the scan.
    """
    from stp3.plan import check_rows, part_of, rows_of_part

    began = time.perf_counter()
    recipe = (recipe or Recipe.default()).settled(scan)
    part = part_of(scan, recipe)
    chosen = rows_of_part(part, check_rows(scan, rows))
    findings = [finding for finding in _found(part, recipe, chosen, folder) if memory or finding.code != "memory"]
    codes = {finding.code for finding in findings}
    findings += [_told(problem, recipe) for problem in scan.problems if problem.code not in codes]
    worst_first = sorted(findings, key=lambda finding: -_LIGHTS.index(finding.level))
    return Report(tuple(worst_first), time.perf_counter() - began)


def _found(scan: Scan, recipe: Recipe, rows: range, folder: Path | None) -> Iterator[Finding]:
    from stp3 import limited, preflight_angles, preflight_frames, preflight_space

    parts: tuple[Callable[[], Iterable[Finding]], ...] = (
        lambda: limited.call(
            preflight_frames.findings, scan, about=scan.path, readable=[config.root_of(scan.path)], seconds=_SECONDS
        ),
        lambda: preflight_angles.findings(scan.theta),
        lambda: preflight_space.findings(scan, recipe, rows, folder),
        lambda: _is_growing(scan),
    )
    for part in parts:
        try:
            yield from part()
        except ScanFault as fault:
            yield Finding("red", "file.reads", str(fault))


def _told(problem: Problem, recipe: Recipe) -> Finding:
    """What the reader said. Who chooses projections has decided about those that the scan lacks."""
    level: Light = "green" if problem.level == "info" else problem.level
    if level == "red" and problem.code in _CHOSEN_AWAY:
        if any(use.name == "angles" for use in recipe.running):
            level = "amber"
        else:
            words = "To use what is there, choose those projections with the step angles."
            problem = replace(problem, text=f"{problem.text} {words}")
    return Finding(level, problem.code, problem.text)


def _is_growing(scan: Scan) -> Iterator[Finding]:
    """Whether the file changes while it is looked at, which takes a moment only if it changed lately."""
    deadline = time.monotonic() + _LOOK_SECONDS
    age = time.time() - scan.identity.mtime_ns / 1e9
    try:
        while True:
            scan.check_unchanged()
            if not -_FRESH_SECONDS < age < _FRESH_SECONDS or time.monotonic() > deadline:
                break
            time.sleep(0.1)
    except Stp3Error:
        text = f"{scan.path.name} is still being written: it changed while it was looked at. Wait until it is complete."
        yield Finding("red", "file.growing", text)
        return
    if "file.growing" not in {problem.code for problem in scan.problems}:
        yield Finding("green", "file.growing", "The file is not being written any more.")
