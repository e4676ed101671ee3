"""Times the stripe removals of Vo and others against algotom's and TomoPy's, with what each leaves of practice rings.

python bench/sorting.py [--columns 1024] [--angles 900] [--rows 1] [--threads 2] [--rounds 5]

algotom and TomoPy take part when they can be imported; run this with their environment's Python and PYTHONPATH set to
this checkout. All take turns in each round; printed are the median of seconds and of processor seconds a row, and how
many times as long the others take. "left" is the root mean square error of the rows against the practice scan without
faults, "clean" that of what the method makes of the same scan with noise but no rings; both start from the first line.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from stp3.steps.base import Slab
from stp3.steps.flat_field import FlatField
from stp3.steps.minus_log import MinusLog
from stp3.steps.stripes import StripesAll, StripesDead, StripesLarge, StripesSorting, StripeStep
from stp3.steps.stripes_trends import StripesFiltering, StripesFitting
from stp3.testing.practice import practice_scan, transmission

Method = Callable[[Any], Any]  # of sinograms (rows, angles, columns)
OWN: dict[str, type[StripeStep]] = {
    "all": StripesAll,
    "sorting": StripesSorting,
    "filtering": StripesFiltering,
    "fitting": StripesFitting,
    "large": StripesLarge,
    "dead": StripesDead,
}


def main() -> None:
    options = parse()
    truth, noisy, ringed = (sinograms(options, faults) for faults in (None, {"noise"}, {"noise", "rings"}))
    print(f"{options.columns} columns x {options.angles} angles, {options.rows} row(s), {options.threads} thread(s)")
    print(f"{'nothing':30} {'':25} left {error(ringed, truth):.4f}, clean {error(noisy, truth):.4f}")
    for name, step in OWN.items():
        methods = {"stp3": own(step, options.threads)} | algotom(name) | tomopy(name, options.threads)
        for who, line in timed(methods, ringed, options.rounds).items():
            left, clean = error(methods[who](ringed), truth), error(methods[who](noisy), truth)
            print(f"{name:10} {who:19} {line:25} left {left:.4f}, clean {clean:.4f}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("columns", 1024), ("angles", 900), ("rows", 1), ("threads", 2), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


def sinograms(options: argparse.Namespace, faults: set[str] | None) -> Any:
    """Line integrals (rows, angles, columns) as measured with those faults; None: as they are."""
    scan = practice_scan(
        columns=options.columns, angles=options.angles, rows=options.rows, faults=frozenset(faults or ()), seed=3
    )
    truth, detector, rng = scan.truth(Path("practice")), scan.detector(), np.random.default_rng(4)
    arrived = transmission(truth, truth.theta)
    if faults is None:
        return np.ascontiguousarray(-np.log(np.moveaxis(arrived, 1, 0)))
    times = np.linspace(0, 1, options.angles)
    open_beam = np.ones((20, *arrived.shape[1:]), np.float32)
    before = np.linspace(-0.02, -0.01, 20)
    flats, darks = detector.expose(rng, open_beam, before), detector.expose(rng, 0 * open_beam, before)
    slab = Slab(
        detector.expose(rng, arrived, times).astype(np.float32), range(options.rows), truth.theta, 0.0, 5.0,
        flats.astype(np.float32), darks.astype(np.float32), before * options.angles, options.threads,
    )  # fmt: skip
    for step in (FlatField, MinusLog):
        slab = step.apply(slab, step.Parameters())
    return np.ascontiguousarray(np.moveaxis(slab.data, 1, 0))


def own(step: type[StripeStep], threads: int) -> Method:
    def run(data: Any) -> Any:
        slab = Slab(data.swapaxes(0, 1), range(len(data)), np.zeros(data.shape[1]), 0.0, threads=threads)
        return step.apply(slab, step.Parameters()).data.swapaxes(0, 1)

    return run


def algotom(name: str) -> dict[str, Method]:
    if not find_spec("algotom"):
        return {}
    from algotom.prep import removal

    method = {
        "all": removal.remove_all_stripe,
        "sorting": removal.remove_stripe_based_sorting,
        "filtering": removal.remove_stripe_based_filtering,
        "fitting": lambda one: -np.log(removal.remove_stripe_based_fitting(np.exp(-one))),  # it divides transmissions
        "large": removal.remove_large_stripe,
        "dead": lambda one: removal.remove_dead_stripe(one, residual=False),
    }[name]
    return {"algotom": lambda data: np.stack([method(one.copy()) for one in data])}


def tomopy(name: str, threads: int) -> dict[str, Method]:
    if not find_spec("tomopy"):
        return {}
    from tomopy.prep import stripe

    method = {
        "all": stripe.remove_all_stripe,
        "sorting": stripe.remove_stripe_based_sorting,
        "filtering": stripe.remove_stripe_based_filtering,
        "fitting": stripe.remove_stripe_based_fitting,
        "large": stripe.remove_large_stripe,
        "dead": stripe.remove_dead_stripe,
    }[name]
    return {"tomopy": lambda data: method(data.swapaxes(0, 1), ncore=threads).swapaxes(0, 1)}


def error(found: Any, truth: Any) -> float:
    return float(np.sqrt(np.mean((found - truth) ** 2)))


def timed(methods: dict[str, Method], data: Any, rounds: int) -> dict[str, str]:
    """For each method its times a row, in words."""
    wall: dict[str, list[float]] = {who: [] for who in methods}
    busy: dict[str, list[float]] = {who: [] for who in methods}
    for number in range(rounds + 1):
        for who, run in methods.items():
            start, used = time.perf_counter(), time.process_time()
            run(data)
            if number:  # the first one compiles and allocates
                wall[who].append((time.perf_counter() - start) / len(data))
                busy[who].append((time.process_time() - used) / len(data))
    ratio = {who: median(other / mine for other, mine in zip(wall[who], wall["stp3"], strict=True)) for who in methods}
    return {who: f"{median(wall[who]):7.4f} s {median(busy[who]):7.4f} s x{ratio[who]:<6.1f}" for who in methods}


if __name__ == "__main__":
    main()
