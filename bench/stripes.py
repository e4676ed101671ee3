"""The cost of each removal of stripes and of what a user would pick instead, with the error left, in one run.

python bench/stripes.py [--columns 1024] [--angles 900] [--threads 2] [--rounds 5]

algotom and TomoPy take part when they can be imported (see steps.py). The sinogram is a practice scan's with stripes
of its detector; the error is that of the clean one (RMS), 1 being what the stripes make of it.
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

from stp3.steps import find_step, step_names
from stp3.steps.base import Slab
from stp3.testing.practice import practice_scan

Remover = Callable[[Any], Any]
OWN: tuple[tuple[str, dict[str, Any]], ...] = (
    ("stripes_wavelet_fft", {}),
    ("stripes_titarenko", {}),
    ("stripes_raven", {}),
    ("stripes_rivers", {"width": 11}),
    ("stripes_boin_haibel", {"width": 15}),
    ("stripes_oimoen", {"across": 11, "along": 201}),
    ("stripes_sijbers_postnov", {"window": 21}),
)
ALGOTOM: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("stripes_wavelet_fft", "remove_stripe_based_wavelet_fft", {"level": 4, "size": 1, "wavelet_name": "db5"}),
    ("stripes_titarenko", "remove_stripe_based_regularization", {"alpha": 0.1, "apply_log": False, "sort": False}),
    ("stripes_raven", "remove_stripe_based_fft", {}),
    ("stripes_rivers", "remove_stripe_based_normalization", {"sort": False}),
)
TOMOPY: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("stripes_wavelet_fft", "remove_stripe_fw", {"level": 4, "wname": "db5", "sigma": 1}),
    ("stripes_titarenko", "remove_stripe_ti", {}),
    ("stripes_rivers", "remove_stripe_sf", {"size": 11}),
)


def main() -> None:
    options = parse()
    clean, faulty = sinograms(options.columns, options.angles)
    print(f"{options.columns} columns x {options.angles} angles, {options.threads} thread(s)")
    for name, values in OWN:
        if name in step_names():
            removers = {"stp3": own(name, values, options.threads), **others(name)}
            report(name, removers, clean, faulty, options.rounds)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("columns", 1024), ("angles", 900), ("threads", 2), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


def sinograms(columns: int, angles: int) -> tuple[Any, Any]:
    """A practice scan's middle row, with noise and without stripes, and with stripes that do not change."""
    truth = practice_scan(columns=columns, rows=3, angles=angles).truth(Path("scan.h5"))
    rng = np.random.default_rng(1)
    clean = (truth.sinogram(1) + rng.normal(0, 0.01, (angles, columns))).astype(np.float32)
    wrong = np.zeros(columns)
    wrong[rng.choice(columns, columns // 12, replace=False)] = rng.normal(0, 0.05, columns // 12)
    return clean, (clean + wrong).astype(np.float32)


def own(name: str, values: dict[str, Any], threads: int) -> Remover:
    step = find_step(name)
    parameters = step.Parameters(**values)

    def remove(sinogram: Any) -> Any:
        theta = np.linspace(0, np.pi, len(sinogram))
        slab = Slab(sinogram[:, None], range(1), theta, sinogram.shape[1] / 2, threads=threads)
        return step.apply(slab, parameters).data[:, 0]

    return remove


def others(name: str) -> dict[str, Remover]:
    out: dict[str, Remover] = {}
    if find_spec("algotom"):
        import algotom.prep.removal as algotom

        out |= {f"algotom {call}": wrap(getattr(algotom, call), values) for own, call, values in ALGOTOM if own == name}
    if find_spec("tomopy") and find_spec("tomopy.prep"):
        import tomopy.prep.stripe as tomopy

        for own_name, call, values in TOMOPY:
            if own_name == name:
                there = wrap(getattr(tomopy, call), values)
                out[f"tomopy {call}"] = lambda sinogram, there=there: there(sinogram[:, None])[:, 0]
    return out


def wrap(call: Callable[..., Any], values: dict[str, Any]) -> Remover:
    return lambda sinogram: call(sinogram.copy(), **values)


def report(name: str, removers: dict[str, Remover], clean: Any, faulty: Any, rounds: int) -> None:
    """Medians of the processor time of each, which other work disturbs least, and ratios to ours; all take turns."""
    times: dict[str, list[float]] = {who: [] for who in removers}
    error = {who: rms(remove(faulty) - clean) / rms(faulty - clean) for who, remove in removers.items()}
    for _ in range(rounds):
        for who, remove in removers.items():
            start = time.process_time()
            remove(faulty)
            times[who].append(time.process_time() - start)
    ours = median(times["stp3"])
    for who, taken in times.items():
        spent = f"{1e3 * median(taken):8.1f} core-ms  x{median(taken) / ours:5.1f}"
        print(f"{name:26s} {who:45s} {spent}  error {error[who]:.3f}")


def rms(values: Any) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


if __name__ == "__main__":
    main()
