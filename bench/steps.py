"""Times each step of the default recipe, and what a user would pick instead, in one run on one machine.

python bench/steps.py [--columns 1024] [--angles 900] [--rows 1] [--threads 2] [--rounds 5]

The others (algotom, scikit-image, astra-toolbox) take part when they can be imported; run this with their
environment's Python and PYTHONPATH set to this checkout. Printed are medians over the rounds; all methods take turns
in each round, so that what else the machine does meets all of them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median
from typing import Any

import numpy as np

from stp3.steps.base import Slab
from stp3.steps.circle_mask import CircleMask
from stp3.steps.fbp import FilteredBackProjection
from stp3.steps.flat_field import FlatField
from stp3.steps.minus_log import MinusLog
from stp3.steps.output import Output
from stp3.steps.stripes import StripesAll
from stp3.steps.zingers import Zingers

Contestant = Callable[[], Any]


def main() -> None:
    options = parse()
    slabs = stages(options)
    contests = {name: {"stp3": contestant} for name, contestant in own(slabs).items()}
    for name, others in (("stripes_all", stripe_removers(slabs)), ("fbp", reconstructors(slabs))):
        contests[name].update(others)
    print(f"{options.columns} columns x {options.angles} angles, {options.rows} row(s), {options.threads} thread(s)")
    for name, contestants in contests.items():
        report(name, contestants, options.rounds)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("columns", 1024), ("angles", 900), ("rows", 1), ("threads", 2), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


def stages(options: argparse.Namespace) -> dict[str, Slab]:
    """What each step is given: counts with two bodies, noise and stripes, taken through the recipe."""
    rng = np.random.default_rng(1)
    held = options.rows + 2 * Zingers.halo(Zingers.Parameters())
    theta = np.pi * np.arange(options.angles) / options.angles
    column = (np.arange(options.columns) - options.columns / 2) / options.columns
    lines = sum(
        level * np.sqrt(np.maximum(radius**2 - (column - (x * np.cos(theta) + y * np.sin(theta))[:, None]) ** 2, 0))
        for x, y, radius, level in ((0.0, 0.0, 0.4, 1.5), (0.15, 0.1, 0.08, 4.0), (-0.2, 0.05, 0.05, 6.0))
    )
    beam = 20_000 * (1 + 0.05 * rng.normal(size=(1, held, options.columns)))
    flats = rng.poisson(np.repeat(beam, 20, axis=0)).astype(np.float32)
    counts = rng.poisson(beam * (1 + 0.02 * rng.normal(size=beam.shape)) * np.exp(-lines)[:, None]).astype(np.float32)
    times = np.concatenate([np.arange(-10, 0), options.angles + np.arange(10)]).astype(float)
    axis = (options.columns - 1) / 2
    slab = Slab(counts, range(held), theta, axis, 5.0, flats, np.zeros_like(flats), times, options.threads)
    out = {}
    for step in (FlatField, Zingers, MinusLog, StripesAll, FilteredBackProjection, CircleMask, Output):
        if step is StripesAll:
            slab = slab.with_data(slab.data[:, 1 : 1 + options.rows], rows=range(options.rows))
        out[step.name] = slab
        slab = step.apply(slab, step.Parameters())
    return out


def own(slabs: dict[str, Slab]) -> dict[str, Contestant]:
    steps = (FlatField, Zingers, MinusLog, StripesAll, FilteredBackProjection, CircleMask)
    runs: dict[str, Contestant] = {
        step.name: lambda step=step: step.apply(slabs[step.name], step.Parameters()) for step in steps
    }
    to_bytes = Output.Parameters(dtype="uint16", low=-1.0, high=5.0)
    return {**runs, "output": lambda: Output.apply(slabs["output"], to_bytes)}


def stripe_removers(slabs: dict[str, Slab]) -> dict[str, Contestant]:
    sinograms = np.moveaxis(slabs["stripes_all"].data, 1, 0)
    out: dict[str, Contestant] = {}
    if find_spec("algotom"):
        from algotom.prep.removal import remove_all_stripe

        out["algotom"] = lambda: [remove_all_stripe(one.copy(), snr=3.0, la_size=51, sm_size=21) for one in sinograms]
    return out


def reconstructors(slabs: dict[str, Slab]) -> dict[str, Contestant]:
    slab = slabs["fbp"]
    sinograms, columns = np.ascontiguousarray(np.moveaxis(slab.data, 1, 0)), slab.data.shape[2]
    degrees = np.rad2deg(slab.theta)
    out: dict[str, Contestant] = {}
    if find_spec("algotom"):
        from algotom.rec.reconstruction import dfi_reconstruction

        out["algotom dfi"] = lambda: [
            dfi_reconstruction(one, slab.rotation_axis, angles=slab.theta, apply_log=False) for one in sinograms
        ]
    if find_spec("skimage"):
        from skimage.transform import iradon

        out["scikit-image"] = lambda: [iradon(one.T, theta=degrees, circle=True) for one in sinograms]
    if find_spec("astra"):
        out["astra CPU"] = lambda: [astra_fbp(one, slab.theta, columns) for one in sinograms]
    return out


def astra_fbp(sinogram: Any, theta: Any, columns: int) -> Any:
    import astra

    volume = astra.create_vol_geom(columns, columns)
    projector = astra.create_projector("linear", astra.create_proj_geom("parallel", 1.0, columns, theta), volume)
    try:
        return astra.create_reconstruction("FBP", projector, sinogram)
    finally:
        astra.clear()


def report(name: str, contestants: dict[str, Contestant], rounds: int) -> None:
    """Prints the medians, and how many times the others take."""
    times: dict[str, list[float]] = {who: [] for who in contestants}
    for run in contestants.values():
        run()
    for _ in range(rounds):
        for who, run in contestants.items():
            start = time.perf_counter()
            run()
            times[who].append(time.perf_counter() - start)
    for who, seconds in times.items():
        ratio = median(other / mine for other, mine in zip(seconds, times["stp3"], strict=True))
        print(f"{name:12} {who:14} {median(seconds):8.4f} s" + ("" if who == "stp3" else f"   x{ratio:.1f}"))


if __name__ == "__main__":
    main()
