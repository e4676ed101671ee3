"""Times the steps on projections, their one pass, and what a user would pick instead, in one run on one machine.

python bench/projections.py [--columns 2048] [--angles 600] [--rows 8] [--threads 2] [--rounds 7]

algotom takes part when it can be imported; run this with its environment's Python and PYTHONPATH set to this checkout.
Printed are medians over the rounds, in which all take turns; bytes read and written a second; how many times as long
the others take; and how far their result is from ours.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from statistics import median
from typing import Any

import numpy as np

from stp3.kernels import memory
from stp3.steps.base import Slab
from stp3.steps.dead_pixels import DeadPixels
from stp3.steps.detector_shape import Distortion
from stp3.steps.double_flat import DoubleFlat
from stp3.steps.flat_field import FlatField
from stp3.steps.minus_log import MinusLog
from stp3.steps.zingers import Zingers

Contestant = Callable[[], Any]
LENS = (1.0, 1e-6, -2e-9)


def main() -> None:
    options = parse()
    print(f"{options.columns} columns x {options.angles} angles x {options.rows} rows, {options.threads} thread(s)")
    for name, contestants in contests(measured(options)).items():
        report(name, contestants, options.rounds)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("columns", 2048), ("angles", 600), ("rows", 8), ("threads", 2), ("rounds", 7)):
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


def measured(options: argparse.Namespace) -> Slab:
    """Counts as a camera writes them, with zingers, and flats before and after."""
    rng = np.random.default_rng(1)
    shape = (options.angles, options.rows, options.columns)
    beam = 20_000 * (1 + 0.05 * rng.normal(size=shape[1:]))
    counts = beam * rng.uniform(0.2, 1, shape[-1]) + rng.normal(0, 140, shape)
    counts[rng.random(shape) < 1e-4] = 60_000
    flats = rng.poisson(np.repeat(beam[None], 20, axis=0)).astype(np.float32)
    times = np.concatenate([np.arange(-10, 0), options.angles + np.arange(10)]).astype(float)
    return Slab(
        data=counts.astype(np.uint16),  # type: ignore[arg-type]
        rows=range(options.rows), theta=np.linspace(0, np.pi, options.angles), rotation_axis=options.columns / 2,
        flats=flats, darks=np.full_like(flats, 100), flat_times=times, threads=options.threads,
    )  # fmt: skip


def contests(counts: Slab) -> dict[str, dict[str, Contestant]]:
    use = {step.name: (step.name, step.Parameters()) for step in (FlatField, Zingers, MinusLog)}
    light = FlatField.apply(counts, use["flat_field"][1])
    steady = FlatField.Parameters(flats="all")
    lens = Distortion.Parameters(**{f"k{i}": k for i, k in enumerate(LENS)}, centre_row=0.0, reach=2)
    room = memory.empty(light.data.shape)
    joined = [list(use.values()), [use["flat_field"], use["minus_log"]]]
    out: dict[str, dict[str, Contestant]] = {
        "copy, uint16 to float32": {"numpy": lambda: np.copyto(room, counts.data)},
        "flat_field": {"stp3": lambda: FlatField.apply(counts, steady).data},
        "flat_field, drifting": {"stp3": lambda: FlatField.apply(counts, use["flat_field"][1]).data},
        "zingers": {"stp3": lambda: Zingers.apply(light, use["zingers"][1]).data},
        "minus_log": {
            "stp3": lambda: MinusLog.apply(light, use["minus_log"][1]).data,
            "numpy": lambda: -np.log(light.data),
        },
        "flat, log in one pass": {"stp3": lambda: FlatField.apply_joined(counts, joined[1]).data},
        "flat, zingers, log in one": {"stp3": lambda: FlatField.apply_joined(counts, joined[0]).data},
        "dead_pixels": {"stp3": lambda: DeadPixels.apply(counts, DeadPixels.Parameters()).data},
        "double_flat": {"stp3": lambda: DoubleFlat.apply(light, DoubleFlat.Parameters()).data},
        "distortion": {"stp3": lambda: Distortion.apply(replace(light, flats=None), lens).data},
    }  # fmt: skip
    if find_spec("algotom"):
        add_algotom(out, counts, light)
    return out


def add_algotom(contests: dict[str, dict[str, Contestant]], counts: Slab, light: Slab) -> None:
    from algotom.prep.correction import flat_field_correction, unwarp_projection
    from algotom.prep.removal import remove_zinger

    assert counts.flats is not None
    assert counts.darks is not None
    flat, dark = counts.flats.mean(axis=0), counts.darks.mean(axis=0)
    middle = (light.data.shape[2] - 1) / 2

    def zingers(data: Any) -> Any:
        return np.stack([remove_zinger(frame, 0.2, size=1) for frame in data])

    contests["flat_field"]["algotom"] = lambda: flat_field_correction(counts.data, flat, dark)
    contests["zingers"]["algotom"] = lambda: zingers(light.data)
    contests["flat, log in one pass"]["algotom"] = lambda: -np.log(flat_field_correction(counts.data, flat, dark))
    contests["flat, zingers, log in one"]["algotom"] = lambda: (
        -np.log(zingers(flat_field_correction(counts.data, flat, dark)))
    )
    contests["distortion"]["algotom"] = lambda: np.stack(
        [unwarp_projection(frame, middle, 0.0, LENS) for frame in light.data]
    )


def report(name: str, contestants: dict[str, Contestant], rounds: int) -> None:
    """Prints the medians, and how many times the others take."""
    times: dict[str, list[float]] = {who: [] for who in contestants}
    results = {who: run() for who, run in contestants.items()}
    for _ in range(rounds):
        for who, run in contestants.items():
            start = time.perf_counter()
            run()
            times[who].append(time.perf_counter() - start)
    first = next(iter(contestants))
    for who, seconds in times.items():
        line = f"{name:26} {who:8} {median(seconds):8.4f} s, best {min(seconds):7.4f} s"
        if who != first:
            ratio = median(other / mine for other, mine in zip(seconds, times[first], strict=True))
            apart = np.quantile(np.abs(np.asarray(results[who]) - results[first]), (0.5, 0.99))
            line += f"   x{ratio:.1f}, apart {apart[0]:.1e} (median), {apart[1]:.1e} (of 99 %)"
        print(line)


if __name__ == "__main__":
    main()
