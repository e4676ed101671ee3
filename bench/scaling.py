"""How the compiled reconstruction's time grows with columns, angles, rows, threads and the part of the slice.

python bench/scaling.py [--columns 1024] [--angles 900] [--rows 32] [--rounds 3] [--instructions avx512]

One of them changes at a time; the others stay as given. All sizes of a table take turns in each round; printed are
medians: wall time and processor time a slice, and the wall time beside that of the table's first line.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass, field, replace
from statistics import median

import numpy as np

from stp3.kernels import compiled_gridding, memory
from stp3.kernels.window import Window


@dataclass
class Size:
    columns: int
    angles: int
    rows: int
    threads: int = 1
    window: int = 0  # side of a window in the middle; 0 is the whole slice
    instructions: str = ""
    walls: list[float] = field(default_factory=list)
    cores: list[float] = field(default_factory=list)

    def take_turn(self) -> None:
        projections = memory.empty((self.angles, self.rows, self.columns))
        projections[:] = np.random.default_rng(1).random((self.angles, 1, self.columns), np.float32)
        first = (self.columns - self.window) // 2
        left, right = (first, first + self.window) if self.window else (0, self.columns)
        window = Window(left, right, left, right, self.columns)
        out, theta = memory.empty((self.rows, *window.shape)), np.pi * np.arange(self.angles) / self.angles
        for warm in (True, False):  # plans, and pages never used before, are paid for once
            wall, core = time.perf_counter(), time.process_time()
            compiled_gridding.reconstruct(projections, theta, self.columns / 2, window=window, threads=self.threads,
                                          out=out, instructions=self.instructions)  # fmt: skip
            if not warm:
                self.walls.append((time.perf_counter() - wall) / self.rows)
                self.cores.append((time.process_time() - core) / self.rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("columns", 1024), ("angles", 900), ("rows", 32), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--instructions", default="")
    options = parser.parse_args()
    n, base = options.columns, Size(options.columns, options.angles, options.rows, 1, 0, options.instructions)
    threads = sorted({1, 2, len(os.sched_getaffinity(0))})
    report("columns", [fresh(base, columns=count) for count in (n // 2, n, 2 * n)], options.rounds)
    report(
        "angles",
        [fresh(base, angles=count) for count in (base.angles // 2, base.angles, 2 * base.angles)],
        options.rounds,
    )
    report("rows", [fresh(base, rows=count) for count in (1, 4, 16, base.rows)], options.rounds)
    report("threads", [fresh(base, threads=count) for count in threads], options.rounds)
    report("window", [fresh(base, window=side) for side in (0, n // 2, n // 4, n // 8)], options.rounds)


def fresh(base: Size, **changes: int) -> Size:
    return replace(base, **changes, walls=[], cores=[])


def report(name: str, sizes: list[Size], rounds: int) -> None:
    for _ in range(rounds):
        for size in sizes:
            size.take_turn()
    first = median(sizes[0].walls)
    print(f"| {name} | ms a slice | core-ms a slice | times the first |\n|---|---|---|---|")
    for size in sizes:
        wall, core = median(size.walls), median(size.cores)
        print(f"| {getattr(size, name) or 'all'} | {wall * 1e3:.3g} | {core * 1e3:.3g} | {wall / first:.3g} |")
    print()


if __name__ == "__main__":
    main()
