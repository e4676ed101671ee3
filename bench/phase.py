"""Times phase retrieval of whole projections and of slabs against what a user would pick instead, in one run.

python bench/phase.py [--columns 2048] [--rows 2048] [--angles 32] [--threads 1] [--rounds 3]

The others (algotom, TomoPy, and SciPy's transform of the padded projection) take part when they can be imported; run
this with their environment's Python and PYTHONPATH set to this checkout. Printed are medians of processor milliseconds
a projection; all methods take turns in each round, so that what else the machine does meets all of them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2

from stp3.kernels import memory
from stp3.kernels.phase import Paganin
from stp3.kernels.projection_filter import filtered, kernels_of, reach_of

Contestant = Callable[[], Any]
_PIXEL_CM, _DISTANCE_CM, _ENERGY_KEV = 1e-4, 10.0, 20.0
_SLAB_ROWS = 32


def main() -> None:
    options = parse()
    data = memory.empty((options.angles, options.rows, options.columns))
    data[:] = np.random.default_rng(1).uniform(0.2, 1, data.shape)
    for strength in (30.0, 500.0):
        response = Paganin(strength)
        reach = reach_of(response)
        kernels_of(response, options.columns, reach)
        print(f"strength {strength:g} pixel^2, {reach} rows of halo, {options.threads} thread(s)")
        report("whole", whole(data, response, options.threads), options.rounds)
        report(f"{_SLAB_ROWS} rows", slab(data, response, options.threads), options.rounds)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("columns", 2048), ("rows", 2048), ("angles", 32), ("threads", 1), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


def whole(data: NDArray[np.float32], response: Paganin, threads: int) -> dict[str, tuple[Contestant, int]]:
    """Contestants and how many projections each does in a call."""
    out = memory.empty(data.shape)
    few = data[:2]
    contest: dict[str, tuple[Contestant, int]] = {
        "stp3": (lambda: filtered(data, response, out, threads), len(data)),
        "scipy rfft2": (lambda: [scipy_filtered(one, response, threads) for one in few], len(few)),
    }
    if find_spec("algotom"):
        from algotom.prep.filtering import fresnel_filter

        contest["algotom"] = (lambda: fresnel_filter(data[0], 100.0), 1)
    if find_spec("tomopy"):
        from tomopy import retrieve_phase

        contest["tomopy"] = (lambda: retrieve_phase(few, _PIXEL_CM, _DISTANCE_CM, _ENERGY_KEV, ncore=threads), len(few))
    return contest


def slab(data: NDArray[np.float32], response: Paganin, threads: int) -> dict[str, tuple[Contestant, int]]:
    """32 rows of the result in the middle of the detector, from as many more as they need."""
    reach = reach_of(response)
    first, last = max(data.shape[1] // 2 - reach, 0), min(data.shape[1] // 2 + reach + _SLAB_ROWS, data.shape[1])
    held = np.ascontiguousarray(data[:, first:last])
    out = memory.empty((len(held), _SLAB_ROWS, held.shape[2]))
    return {
        "stp3": (lambda: filtered(held, response, out, threads, reach), len(held)),
        "scipy rfft2": (lambda: [scipy_filtered(one, response, threads) for one in held[:4]], 4),
    }


def scipy_filtered(projection: NDArray[np.float32], response: Paganin, threads: int) -> NDArray[np.float32]:
    """The same by a transform of the padded projection, in single precision."""
    from scipy.fft import next_fast_len

    beyond = reach_of(response)
    sides = [next_fast_len(n + beyond, real=True) - n for n in projection.shape]
    wide = np.pad(projection, [(side // 2, side - side // 2) for side in sides], mode="edge")
    factor = _factor(wide.shape, response)
    done = irfft2(rfft2(wide, workers=threads) * factor, s=wide.shape, workers=threads)
    return np.asarray(done[sides[0] // 2 :][: len(projection), sides[1] // 2 :][:, : projection.shape[1]])


_factors: dict[Any, NDArray[np.float32]] = {}


def _factor(shape: tuple[int, ...], response: Paganin) -> NDArray[np.float32]:
    if (shape, response) not in _factors:
        along, across = 2 * np.pi * np.fft.fftfreq(shape[0]), 2 * np.pi * np.fft.rfftfreq(shape[1])
        _factors[shape, response] = response(across[None], along[:, None]).astype(np.float32)
    return _factors[shape, response]


def report(name: str, contestants: dict[str, tuple[Contestant, int]], rounds: int) -> None:
    """Prints medians, and how many times the others take."""
    times: dict[str, list[float]] = {who: [] for who in contestants}
    for _ in range(rounds):
        for who, (run, count) in contestants.items():
            start = time.process_time()
            run()
            times[who].append((time.process_time() - start) / count * 1e3)
    for who, each in times.items():
        ratio = median(other / mine for other, mine in zip(each, times["stp3"], strict=True))
        print(f"  {name:8} {who:12} {median(each):9.2f} core-ms" + ("" if who == "stp3" else f"   x{ratio:.1f}"))


if __name__ == "__main__":
    main()
