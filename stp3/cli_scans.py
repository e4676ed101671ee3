"""Commands on scans: info, check, axis, stripes, preview, practice."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stp3.cli_arguments import Commands, add_command, add_recipe, add_scan, opening_of, recipe_of, show, table
from stp3.errors import UsageFault

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stp3.preview import Preview
    from stp3.recipe import Recipe
    from stp3.scan import Scan
    from stp3.stripe_methods import StripeTrial

_PRACTICE = """\
  stp3 practice scan.h5 --columns 1024 --rows 64 --angles 900 --faults rings,drift --seed 1
  stp3 practice scan.nxs --format nxtomo --faults noise,phase,tilt

faults (the rotation axis is always somewhat off the middle):
  noise      photon (Poisson) and read-out noise
  rings      columns that make rings: dead, stuck, drifting, non-linear, partial and wide stripes
  drift      the beam fades and moves between the flats before and those after
  zingers    spots of scattered rays that hit the camera
  axis       the rotation axis far off the middle
  tilt       the camera is tilted against the rotation axis
  phase      edge phase contrast of a propagation distance
  truncated  the sample leaves the field of view
  half       360 degrees with the axis near one side of the detector

The truth (axis, phantom, faults) is written beside the scan, to scan.truth.json.
"""
_CHECK = """\
  stp3 check scan.h5
  stp3 check scan.h5 --json
  stp3 check scan.h5 --wait 600       while it is being measured

Exit code 1 when a line is red: no job is started on such a scan. Starting a job accepts the amber lines; they are
recorded with the volume.
"""
_SIZES = (("columns", 256, "detector columns"), ("rows", 8, "detector rows"), ("angles", 360, "projections"))
_SET_UP = (
    ("pixel-size-um", 5.0, "micrometres"),
    ("energy-kev", 25.0, "keV"),
    ("distance-mm", 100.0, "from the sample to the detector"),
    ("photons", 5000.0, "photons a pixel, with the fault noise"),
)


def add_commands(commands: Commands) -> None:
    info = add_command(
        commands, "info", _info, "what is in a scan and what is wrong with it", "  stp3 info scan.h5 --json"
    )
    add_scan(info)
    _add_check(commands)
    axis = add_command(
        commands, "axis", _axis, "find the rotation axis (a column, counted from 0)",
        "  stp3 axis scan.h5\n  stp3 preview scan.h5 --row 10 --set rotation_axis.column=511.5 -o slice.tif",
    )  # fmt: skip
    add_scan(axis)
    _add_stripes(commands)
    _add_preview(commands)
    _add_practice(commands)


def _add_check(commands: Commands) -> None:
    check = add_command(
        commands, "check", _check, "look over a scan before anything is computed: green, amber and red lines",
        _CHECK,
    )  # fmt: skip
    add_scan(check)
    add_recipe(check)
    check.add_argument("-o", "--output", metavar="FOLDER", type=Path, help="where the volume would go")
    check.add_argument(
        "--wait", metavar="SECONDS", type=float, default=0.0, help="look again as long while the scan is written"
    )


def _add_stripes(commands: Commands) -> None:
    stripes = add_command(
        commands, "stripes", _stripes, "try the methods against rings on one slice, the best first",
        "  stp3 stripes scan.h5 --row 10\n  stp3 stripes scan.h5 --row 10 --recipe recipe.yaml --json",
    )  # fmt: skip
    add_scan(stripes)
    stripes.add_argument("--row", type=int, required=True, help="the detector row, counted from 0")
    add_recipe(stripes)


def _add_preview(commands: Commands) -> None:
    preview = add_command(
        commands, "preview", _preview, "reconstruct one slice as a float32 TIFF",
        "  stp3 preview scan.h5 --row 10 -o slice.tif\n"
        "  stp3 preview scan.h5 --row 10 --recipe recipe.yaml --set stripes_all.on=false -o slice.tif",
    )  # fmt: skip
    add_scan(preview)
    preview.add_argument("--row", type=int, required=True, help="the detector row, counted from 0")
    add_recipe(preview)
    preview.add_argument("-o", "--output", metavar="SLICE.tif", type=Path, required=True, help="the file to write")


def _add_practice(commands: Commands) -> None:
    practice = add_command(commands, "practice", _practice, "write a simulated scan whose truth is known", _PRACTICE)
    practice.add_argument("output", metavar="OUT", type=Path, help="the file or folder to write")
    for name, many, meaning in _SIZES:
        practice.add_argument(f"--{name}", type=int, default=many, help=f"{meaning} (default {many})")
    practice.add_argument(
        "--angle-range", type=int, default=180, choices=(180, 360), help="degrees; the end is left out"
    )
    practice.add_argument("--faults", default="", metavar="A,B,...", help="any of those below")
    practice.add_argument("--seed", type=int, default=1, help="another number gives another sample (default 1)")
    formats = ("data-exchange", "edf", "his", "nxtomo", "tdf", "tiff")
    practice.add_argument("--format", default="data-exchange", choices=formats)
    practice.add_argument(
        "--layout", default="contiguous", choices=("contiguous", "frames"), help="frames: in chunks or many-page files"
    )
    for name, value, meaning in _SET_UP:
        practice.add_argument(f"--{name}", type=float, default=value, help=f"{meaning} (default {value:g})")
    practice.add_argument("--rotation-axis", type=float, metavar="COLUMN", help="(default: chosen from the seed)")


def _info(arguments: argparse.Namespace) -> int:
    from stp3.scan import open_scan

    content = about(open_scan(arguments.scan, **opening_of(arguments)))
    angles, rows, columns = content["shape"]
    first, last = content["theta_deg"]
    known = [f"{content[key]:g} {unit}" for key, unit in _QUANTITIES if content[key] is not None]
    lines = table([
        ("format", content["format"]),
        ("shape", f"{angles} angles x {rows} rows x {columns} columns, {content['dtype']}"),
        ("references", f"{content['flats']} flats, {content['darks']} darks"),
        ("angles", f"{first:g} to {last:g} degrees"),
        ("set-up", ", ".join(known) or "not stated"),
    ])  # fmt: skip
    problems = [f"{problem['level']}: {problem['text']}" for problem in content["problems"]]
    return show(arguments, content, [*lines, *problems])


def _check(arguments: argparse.Namespace) -> int:
    from stp3.preflight import preflight_when_written

    recipe, opening = recipe_of(arguments), opening_of(arguments)
    report = preflight_when_written(arguments.scan, recipe, arguments.output, arguments.wait, opening)
    lines = [f"{finding.level:<5}  {finding.text} [{finding.code}]" for finding in report.findings]
    show(arguments, report.as_dict(), [*lines, f"{report.verdict} ({report.seconds:.1f} s)"])
    return 1 if report.verdict == "red" else 0


_QUANTITIES = (
    ("pixel_size_um", "um pixels"),
    ("energy_kev", "keV"),
    ("distance_mm", "mm distance"),
    ("exposure_s", "s exposure"),
)


def about(scan: Scan) -> dict[str, Any]:
    """What `stp3 info --json` prints."""
    import numpy as np

    from stp3.metadata import corrections

    return {
        "format": scan.format,
        "shape": list(scan.projections.shape),
        "dtype": str(scan.projections.dtype),
        "flats": scan.flats.shape[0] if scan.flats else 0,
        "darks": scan.darks.shape[0] if scan.darks else 0,
        "theta_deg": [round(float(angle), 9) for angle in np.rad2deg(scan.theta[[0, -1]])],
        "pixel_size_um": scan.pixel_size_um,
        "energy_kev": scan.energy_kev,
        "distance_mm": scan.distance_mm,
        "exposure_s": scan.exposure_s,
        "ring_current": scan.currents is not None,
        "sample": scan.sample,
        "corrected": corrections(scan),
        "problems": [{"level": problem.level, "text": problem.text} for problem in scan.problems],
    }


def _axis(arguments: argparse.Namespace) -> int:
    from dataclasses import asdict

    from stp3 import config
    from stp3.axis import find_rotation_axis
    from stp3.scan import open_scan

    report = find_rotation_axis(open_scan(arguments.scan, **opening_of(arguments)), threads=config.threads())
    content = asdict(report)
    tilt = "not measured" if report.tilt_deg is None else f"{report.tilt_deg:.3f} degrees"
    lines = table([
        ("rotation axis", f"{report.rotation_axis:.2f}"),
        ("verdict", f"{report.verdict} (the methods differ by {report.spread:.2f} columns)"),
        ("tilt", tilt),
        *([("overlap", f"{report.overlap:.0f} columns at the {report.side}")] if report.overlap else []),
        *((name, f"{value:.2f}") for name, value in report.methods.items()),
    ])  # fmt: skip
    return show(arguments, content, lines)


def _stripes(arguments: argparse.Namespace) -> int:
    from stp3.scan import open_scan
    from stp3.stripe_methods import suggest_stripe_method, with_stripe_steps

    recipe = recipe_of(arguments)
    report = suggest_stripe_method(
        open_scan(arguments.scan, **opening_of(arguments)), recipe, [arguments.row], threads=_threads()
    )
    content = {
        "rows": list(report.rows),
        "rings_share": report.rings_share,
        "trials": [_about_trial(trial) for trial in report.trials],
        "recipe": with_stripe_steps(recipe, report.best.uses).as_dict(),
    }
    rows = [
        (f"{100 * trial.rings_left:.0f} %", f"{100 * trial.loss.detail:.1f} %", f"{100 * trial.loss.shades:.1f} %",
         f"{trial.seconds:.1f} s", _in_words(trial))
        for trial in report.trials
    ]  # fmt: skip
    heads = ("rings left", "detail lost", "shades changed", "took", "steps")
    said = f"rings are {100 * report.rings_share:.1f} % as strong as the sample's detail; the best removal comes first"
    return show(arguments, content, [said, *table([heads, *rows])])


def _about_trial(trial: StripeTrial) -> dict[str, Any]:
    return {
        "steps": [use.as_dict() for use in trial.uses],
        "rings_left": trial.rings_left,
        "detail_lost": trial.loss.detail,
        "shades_changed": trial.loss.shades,
        "disturbance": trial.disturbance,
        "seconds": round(trial.seconds, 3),
    }


def _in_words(trial: StripeTrial) -> str:
    """The steps as --set and recipes name them, with what differs from their defaults."""
    named = [
        " ".join([use.name, *(f"{name}={value}" for name, value in use.as_dict().items() if name != "step")])
        for use in trial.uses
    ]
    return " + ".join(named) or trial.title


def _preview(arguments: argparse.Namespace) -> int:
    from stp3 import config
    from stp3.preview import Preview
    from stp3.scan import open_scan

    check_parent(arguments.output)
    recipe = recipe_of(arguments)
    scan = open_scan(arguments.scan, **opening_of(arguments))
    preview, start = Preview(scan, threads=config.threads()), time.perf_counter()
    resolved = preview.resolve(recipe, arguments.row).recipe
    image = preview.slice(recipe, arguments.row)
    write_slice(arguments.output, image, arguments.row, scan.pixel_size_um)
    content = {
        "slice": str(arguments.output),
        "row": arguments.row,
        "shape": list(image.shape),
        "rotation_axis": resolved.use("rotation_axis").parameters.model_dump()["column"],
        "pixel_size_um": scan.pixel_size_um,
        "seconds": round(time.perf_counter() - start, 3),
    }
    if arguments.json:
        content["rings"] = _rings(preview, recipe, arguments.row)
    line = f"row {arguments.row}, rotation axis {content['rotation_axis']:.2f}, {content['seconds']:.1f} s"
    return show(arguments, content, [f"{arguments.output}: {line}"])


def _rings(preview: Preview, recipe: Recipe, row: int) -> dict[str, Any] | None:
    """What the recipe's removal of stripes does to that slice; None where that cannot be told."""
    import math
    from dataclasses import asdict

    from stp3.ring_meter import ring_effect

    try:
        effect = ring_effect(preview, recipe, row)
    except UsageFault:  # too small a slice
        return None
    return asdict(effect) if math.isfinite(effect.share + (effect.left or 0)) else None


def check_parent(path: Path) -> None:
    """Raises UsageFault when a file cannot be made there."""
    if not path.parent.is_dir():
        raise UsageFault(f"the folder {path.parent} does not exist. Make it first, or write elsewhere.")
    if path.is_dir():
        raise UsageFault(f"{path} is a folder. Give the name of a file.")


def write_slice(path: Path, image: NDArray[Any], row: int, pixel_size_um: float | None) -> None:
    """A float32 TIFF with its pixel size, there complete or not at all. Raises Stp3Error when the disk refuses."""
    import io
    import json

    import tifffile

    from stp3.durable import write_unit

    size: dict[str, Any] = {}
    if pixel_size_um:
        size = {"resolution": (1e4 / pixel_size_um, 1e4 / pixel_size_um), "resolutionunit": "CENTIMETER"}
    about_slice = json.dumps({"row": row, "voxel_size_um": pixel_size_um})
    file = io.BytesIO()
    tifffile.imwrite(
        file, image.astype("float32", copy=False), photometric="minisblack", software="STP3",
        description=about_slice, metadata=None, **size,
    )  # fmt: skip
    write_unit(path.parent, path.name, [file.getbuffer()])


def _practice(arguments: argparse.Namespace) -> int:
    from stp3.testing import truth_path, write_practice_scan

    check_parent(arguments.output)
    names = (
        "columns",
        "rows",
        "angles",
        "seed",
        "format",
        "layout",
        "pixel_size_um",
        "energy_kev",
        "distance_mm",
        "photons",
    )
    truth = write_practice_scan(
        arguments.output,
        threads=_threads(),
        faults={name.strip() for name in arguments.faults.split(",") if name.strip()},
        angle_range_deg=arguments.angle_range,
        rotation_axis=arguments.rotation_axis,
        **{name: getattr(arguments, name) for name in names},
    )
    content = {
        "scan": str(arguments.output),
        "truth": str(truth_path(arguments.output)),
        "format": truth.format,
        "shape": [truth.angles, truth.rows, truth.columns],
        "rotation_axis": truth.rotation_axis,
        "tilt_deg": truth.view.tilt_deg,
        "faults": list(truth.faults),
    }
    line = f"{arguments.output}: rotation axis {truth.rotation_axis:g}, faults {', '.join(truth.faults) or 'none'}"
    return show(arguments, content, [line, f"{content['truth']}: the truth"])


def _threads() -> int:
    from stp3 import config

    return config.threads()
