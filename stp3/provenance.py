"""Provenance: who made a volume, when, where, with what, from what."""

from __future__ import annotations

import os
import platform
import pwd
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from stp3.kernels.reconstruction import compiled_for
from stp3.measured import digest
from stp3.metadata import corrections
from stp3.plan import Plan
from stp3.recipe import Recipe

_PACKAGES = ("stp3", "numpy", "scipy", "h5py")


def provenance(
    plan: Plan, asked: Recipe, *, user: str = "", job: str = "", accepted: Sequence[Mapping[str, str]] = ()
) -> dict[str, Any]:
    """Plain data that let somebody else make the same volume: scan, recipe asked for and as resolved, versions."""
    scan = plan.scan
    return {
        "user": user or user_name(),
        "job": job,
        "host": platform.node(),
        "started": now(),
        "versions": versions(),
        "scan": {
            **asdict(scan.identity),
            "format": scan.format,
            "shape": [scan.angles, scan.rows, scan.columns],
            "sample": scan.sample,
            "pixel_size_um": scan.pixel_size_um,
            "energy_kev": scan.energy_kev,
            "distance_mm": scan.distance_mm,
            "exposure_s": scan.exposure_s,
            "corrected": corrections(scan),
        },
        "recipe_asked": asked.as_dict(),
        "recipe": plan.recipe.as_dict(),
        "measured_sha256": digest(plan.measured),
        "problems": [asdict(problem) for problem in scan.problems],
        "accepted": [dict(finding) for finding in accepted],
    }


def versions() -> dict[str, str]:
    """The versions of all that has a hand in the numbers."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    found["reconstruction"] = compiled_for()
    return found


def user_name() -> str:
    """The account that this process runs under."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def now() -> str:
    """This moment, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
