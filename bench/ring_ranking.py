"""Whether the removal of rings that is proposed is the right one: against the same scans without stripes.

python bench/ring_ranking.py [--scans 16] [--first 0] [--whole-turn] [--folder /tmp/ring-scans] [--threads 2]

Practice scans with all kinds of stripes, with and without noise, drift, zingers, fringes and truncation. The error of
a removal is the RMS of its slice against that of the scan without stripes, 1 being none. Printed for each scan are the
proposed removal, the best and `stripes_all` with their errors, and at which place the proposed one is by its error.
Scan k is the same on every machine.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stp3.preview import Preview
from stp3.recipe import Recipe
from stp3.scan import Scan, open_scan
from stp3.stripe_methods import StripeTrial, suggest_stripe_method, with_stripe_steps
from stp3.testing import Truth, truth_path, write_practice_scan

_CHANCES = {"noise": 0.8, "drift": 0.3, "zingers": 0.3, "phase": 0.3, "truncated": 0.3}
_ROW, _WITHIN = 1, 0.45  # the row looked at, and how much of the slice's width around the axis


def main() -> None:
    options = parse()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        found = np.array(
            [judged(number, folder, options) for number in range(options.first, options.first + options.scans)]
        )
    proposed, best, usual, place = found.mean(axis=0)
    print(
        f"{len(found)} scans: proposed {proposed:.2f} (worst {found[:, 0].max():.2f}), best {best:.2f}, "
        f"stripes_all {usual:.2f}; the proposed one is number {place:.1f} on average"
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("scans", 16), ("first", 0), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--whole-turn", action="store_true", help="scans of 360 degrees")
    parser.add_argument("--folder", help="where the scans are kept (default: nowhere)")
    return parser.parse_args()


def judged(number: int, folder: Path, options: argparse.Namespace) -> tuple[float, float, float, int]:
    """The errors of the proposed removal, the best and `stripes_all`, and the place of the proposed one."""
    (scan, truth), (clean, _) = (written(number, folder, options, rings=rings) for rings in (True, False))
    recipe = Recipe.default().with_values({"rotation_axis.column": truth.rotation_axis})
    report = suggest_stripe_method(scan, recipe, [_ROW], threads=options.threads)
    right = Preview(clean, options.threads).slice(with_stripe_steps(recipe, ()), _ROW)
    errors = {trial.uses: rms(trial.slices[0] - right) for trial in report.trials}
    ranked = sorted(report.trials, key=lambda trial: errors[trial.uses])
    usual = next(trial for trial in report.trials if [use.name for use in trial.uses] == ["stripes_all"])
    own, best, all_kinds = (errors[trial.uses] / errors[()] for trial in (report.best, ranked[0], usual))
    place = ranked.index(report.best) + 1
    print(
        f"{number:3} {scan.angles}x{scan.columns} {','.join(truth.faults):36} proposed {named(report.best)} {own:.2f}, "
        f"best {named(ranked[0])} {best:.2f}, stripes_all {all_kinds:.2f}, place {place} of {len(ranked)}",
        flush=True,
    )
    return own, best, all_kinds, place


def written(number: int, folder: Path, options: argparse.Namespace, *, rings: bool) -> tuple[Scan, Truth]:
    rng = np.random.default_rng([313, number])
    columns = int(rng.integers(256, 720))
    angles = int(columns * rng.uniform(0.5, 1.2)) * (2 if options.whole_turn else 1)
    faults = {name for name, chance in _CHANCES.items() if rng.random() < chance}
    photons = float(np.exp(rng.uniform(np.log(1000), np.log(50_000))))
    turn = 360 if options.whole_turn else 180
    path = folder / f"{number:03}-{turn}-{'rings' if rings else 'clean'}.h5"
    if not truth_path(path).exists():
        write_practice_scan(
            path, threads=options.threads, columns=columns, rows=3, angles=angles, angle_range_deg=turn,
            faults=faults | ({"rings"} if rings else set()), photons=photons, seed=81_000 + number,
        )  # fmt: skip
    return open_scan(path), Truth.load(path)


def rms(image: NDArray[np.float32]) -> float:
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] - (np.array(image.shape)[:, None, None] - 1) / 2
    return float(np.sqrt(np.mean(np.square(image[np.hypot(x, y) < _WITHIN * len(image)], dtype=np.float64))))


def named(trial: StripeTrial) -> str:
    return " + ".join(use.name for use in trial.uses) or "none"


if __name__ == "__main__":
    main()
