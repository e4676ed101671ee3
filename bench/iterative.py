"""Iterations a second, and error against time, of the iterative methods here, in ASTRA (CPU) and in TomoPy.

python bench/iterative.py [--columns 256] [--angles 200] [--rows 4] [--threads 2] [--iterations 10 30 100]

ASTRA and TomoPy take part when they can be imported: run this with their environment's Python, or set PYTHONPATH to
them. One slice for them; `--rows` slices at once for stp3, its time divided by them. The error is the root mean square
inside the circle, in units of the body's attenuation; that of filtered back-projection is printed beside it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from stp3.kernels.iterative import Settings, back_projected, cgls, em, fista_tv, sirt
from stp3.kernels.projector import Projector
from stp3.testing.phantom import View, attenuation_slice, line_integrals, make_phantom

Run = Callable[[int], Any]  # iterations -> slice


class Case:
    """A practice scan without noise."""

    def __init__(self, columns: int, angles: int, rows: int, threads: int) -> None:
        phantom = make_phantom(np.random.default_rng(1), 0.95 * columns, 1.0, 1.0)
        self.theta = np.pi * np.arange(angles) / angles
        self.axis, self.rows, self.columns = (columns - 1) / 2, rows, columns
        view = View(columns=columns, rotation_axis=self.axis)
        lines = line_integrals(phantom, view, self.theta, np.zeros(1)).astype(np.float32)
        self.sinograms = np.ascontiguousarray(np.repeat(np.moveaxis(lines, 1, 0), rows, axis=0))
        self.projector = Projector(self.theta, columns, self.axis, threads)
        self.truth = attenuation_slice(phantom, 0, columns)
        place = np.arange(columns) - (columns - 1) / 2
        self.inside = np.hypot(place[:, None], place) < 0.475 * columns

    def error(self, slice_: Any) -> float:
        return float(np.sqrt(np.mean((slice_ - self.truth)[self.inside] ** 2)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("columns", 256), ("angles", 200), ("rows", 4), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--iterations", type=int, nargs="+", default=[10, 30, 100])
    options = parser.parse_args()
    case = Case(options.columns, options.angles, options.rows, options.threads)
    print(f"{options.columns} columns x {options.angles} angles, {options.threads} thread(s)")
    print(f"filtered back-projection: error {case.error(back_projected(case.projector, case.sinograms[:1])[0]):.4f}")
    for who, (slices, run) in {**own(case), **astra_methods(case), **tomopy_methods(case)}.items():
        for iterations in options.iterations:
            start = time.perf_counter()
            slice_ = run(iterations)
            seconds = (time.perf_counter() - start) / slices
            speed = f"{iterations / seconds:8.2f} iterations/s"
            print(
                f"{who:16} {iterations:4d} {seconds:9.3f} s/slice {speed}   error {case.error(slice_):.4f}", flush=True
            )


def own(case: Case) -> dict[str, tuple[int, Run]]:
    pair, sinograms = case.projector, case.sinograms
    return {
        "stp3 sirt": (case.rows, lambda count: sirt(pair, sinograms, Settings(count))[0]),
        "stp3 sirt, 1 row": (1, lambda count: sirt(pair, sinograms[:1], Settings(count))[0]),
        "stp3 sart": (case.rows, lambda count: sirt(pair, sinograms, Settings(count), subsets=10)[0]),
        "stp3 cgls": (case.rows, lambda count: cgls(pair, sinograms, Settings(count))[0]),
        "stp3 em": (case.rows, lambda count: em(pair, sinograms, Settings(count))[0]),
        "stp3 fista_tv": (case.rows, lambda count: fista_tv(pair, sinograms, Settings(count), 1e-4, 10)[0]),
    }


def astra_methods(case: Case) -> dict[str, tuple[int, Run]]:
    if not find_spec("astra"):
        return {}
    import astra

    n = case.columns
    beam, picture = astra.create_proj_geom("parallel", 1.0, n, case.theta), astra.create_vol_geom(n, n)
    operator = astra.OpTomo(astra.create_projector("linear", beam, picture))

    def run(name: str) -> Run:
        return lambda count: operator.reconstruct(name, case.sinograms[0], count).reshape(n, n)

    return {f"astra {name.lower()}": (1, run(name)) for name in ("SIRT", "CGLS")}


def tomopy_methods(case: Case) -> dict[str, tuple[int, Run]]:
    if not find_spec("tomopy"):
        return {}
    from stp3.kernels.tomopy_algorithms import reconstruct

    def run(name: Any) -> Run:
        return lambda count: reconstruct(case.sinograms[0], case.theta, case.axis, name, "zero", num_iter=count)

    return {f"tomopy {name}": (1, run(name)) for name in ("sirt", "mlem")}


if __name__ == "__main__":
    main()
