"""A whole reconstruction, from the scan's file to slices on disk: STP3 against the same made of other libraries.

python bench/pipeline.py SCAN.h5 [--stripes none|sorting|all] [--dtype uint16|float32] [--rows 64] [--rounds 3]
                         [--threads 2] [--axis COLUMN] [--with tomopy,tomopy-padded,algotom,nabu] [--chunk 64]
                         [--output FOLDER]

Each contestant runs in a process of its own, in turns; wall and processor time are of the whole process, interpreter
and imports included, and memory is its peak. The steps: flat field (mean of all flats), minus logarithm, stripes,
reconstruction with a Shepp-Logan filter, TIFF. The others take `--chunk` rows at a time. `--python NAME=PATH` names
the interpreter that has a library (PYTHONPATH is passed on). STP3 also makes each file durable and records its
checksum; the others only write.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

_GREY = (-0.5, 2.0)


def main() -> None:
    options = parse()
    if options.contestant:
        CONTESTANTS[options.contestant](options)
        return
    results: dict[str, list[tuple[float, float, float]]] = {"stp3": []}
    results.update({name: [] for name in options.others.split(",") if name})
    for _ in range(options.rounds):
        for name in results:
            shutil.rmtree(options.output, ignore_errors=True)
            results[name].append(run(name, options))
    shutil.rmtree(options.output, ignore_errors=True)
    print(f"{options.scan.name}, {options.rows} rows, stripes {options.stripes}, {options.dtype}")
    ours = median(wall for wall, _, _ in results["stp3"])
    for name, rounds in results.items():
        wall, cpu, peak = (median(column) for column in zip(*rounds, strict=True))
        spread = f"{min(r[0] for r in rounds):.1f}-{max(r[0] for r in rounds):.1f}"
        print(
            f"{name:15s} {wall:7.1f} s ({spread}) {1e3 * wall / options.rows:8.1f} ms a slice"
            f" {1e3 * cpu / options.rows:8.1f} core-ms a slice  {peak / 2**20:5.2f} GiB  x {wall / ours:.1f}"
        )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scan", type=Path)
    parser.add_argument("--stripes", choices=("none", "sorting", "all"), default="none")
    parser.add_argument("--dtype", choices=("uint16", "float32"), default="float32")
    parser.add_argument("--axis", type=float)
    parser.add_argument("--with", dest="others", default="tomopy-padded,tomopy,algotom")
    parser.add_argument("--python", action="append", default=[])
    parser.add_argument("--output", type=Path, default=Path("bench-output"))
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    for name, default in (("rows", 64), ("rounds", 3), ("threads", 2), ("memory-gib", 4), ("chunk", 64)):
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


def run(name: str, options: argparse.Namespace) -> tuple[float, float, float]:
    """Wall and processor seconds, and the peak memory in KiB, of a contestant's process."""
    pythons = dict(pair.split("=", 1) for pair in options.python)
    python = pythons.get(name.split("-")[0], sys.executable)
    threads = {f"{library}_NUM_THREADS": str(options.threads) for library in ("OMP", "MKL", "NUMBA", "OPENBLAS")}
    start = time.perf_counter()
    process = subprocess.Popen(
        [python, __file__, *sys.argv[1:], "--contestant", name],
        env={**os.environ, **threads, "NUMEXPR_MAX_THREADS": "2"},
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{name} failed")
    return time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss


def stp3(options: argparse.Namespace) -> None:
    from stp3 import Recipe, open_scan, reconstruct

    recipe = Recipe.default().without("zingers", "circle_mask", "stripes_all")
    recipe = recipe.with_values({"flat_field.flats": "all", "rotation_axis.column": axis(options)})
    recipe = recipe.with_values({"output.dtype": options.dtype, "output.low": _GREY[0], "output.high": _GREY[1]})
    if options.stripes != "none":
        recipe = recipe.with_step(f"stripes_{options.stripes}")
    reconstruct(
        open_scan(options.scan), recipe, options.output, rows=range(options.rows), threads=options.threads,
        memory_bytes=options.memory_gib << 30,
    )  # fmt: skip


def tomopy(options: argparse.Namespace, padded: bool = False) -> None:
    for rows in chunks(options):
        tomopy_chunk(options, rows, padded)


def tomopy_chunk(options: argparse.Namespace, rows: range, padded: bool) -> None:
    import tomopy

    data, flats, darks, theta = load(options, rows)
    data = tomopy.normalize(data, flats, darks, ncore=options.threads)
    data = tomopy.minus_log(np.maximum(data, 1e-3, out=data), ncore=options.threads)
    if options.stripes == "sorting":
        data = tomopy.remove_stripe_based_sorting(data, ncore=options.threads)
    elif options.stripes == "all":
        data = tomopy.remove_all_stripe(data, ncore=options.threads)
    centre, columns = axis(options), data.shape[2]
    if padded:  # to the next power of two, as tomopy-cli does by default
        pad = columns // 2
        data = tomopy.misc.morph.pad(data, axis=2, npad=pad, mode="edge", ncore=options.threads)
        centre += pad
    slices = tomopy.recon(data, theta, center=centre, algorithm="gridrec", filter_name="shepp", ncore=options.threads)
    if padded:
        slices = slices[:, pad:-pad, pad:-pad]
    store(options, rows, slices)


def algotom(options: argparse.Namespace) -> None:
    for rows in chunks(options):
        algotom_chunk(options, rows)


def algotom_chunk(options: argparse.Namespace, rows: range) -> None:
    from algotom.prep.correction import flat_field_correction
    from algotom.prep.removal import remove_all_stripe, remove_stripe_based_sorting
    from algotom.rec.reconstruction import dfi_reconstruction

    data, flats, darks, theta = load(options, rows)
    flat, dark = flats.mean(axis=0), darks.mean(axis=0)
    slices = []
    for row in range(len(rows)):
        sinogram = np.maximum(flat_field_correction(data[:, row], flat[row], dark[row]), 1e-3)
        sinogram = -np.log(sinogram)
        if options.stripes == "sorting":
            sinogram = remove_stripe_based_sorting(sinogram, 21)
        elif options.stripes == "all":
            sinogram = remove_all_stripe(sinogram)
        slices.append(dfi_reconstruction(sinogram, axis(options), angles=theta, apply_log=False, ncore=options.threads))
    store(options, rows, np.asarray(slices, np.float32))


def nabu(options: argparse.Namespace) -> None:
    """nabu's path for processors: filters of SciPy, back-projection in OpenCL (pocl). It has no sorting there."""
    from nabu.reconstruction.fbp_opencl import OpenCLBackprojector
    from nabu.reconstruction.filtering import SinoFilter

    data, flats, darks, theta = load(options, range(options.rows))
    flat, dark = flats.mean(axis=0), darks.mean(axis=0)
    shape = data.shape[0], data.shape[2]
    ramp = SinoFilter(shape, filter_name="shepp-logan", padding_mode="edges")
    settings = {"pixel_size_cm": 1.0, "centered_axis": True}
    back = OpenCLBackprojector(
        shape, angles=theta, rot_center=axis(options), filter_name="none", extra_options=settings
    )
    slices = []
    for row in range(options.rows):
        counts = np.maximum((data[:, row] - dark[row]) / (flat[row] - dark[row]), 1e-3)
        slices.append(np.array(back.backproj(ramp.filter_sino(-np.log(counts).astype(np.float32)))))
    store(options, range(options.rows), np.asarray(slices, np.float32))


def chunks(options: argparse.Namespace) -> list[range]:
    return [range(row, min(row + options.chunk, options.rows)) for row in range(0, options.rows, options.chunk)]


def load(options: argparse.Namespace, chunk: range) -> tuple[Any, Any, Any, Any]:
    """Counts, flats and darks of the rows and the angles, as a script would read them."""
    import h5py

    with h5py.File(options.scan, "r") as file:
        group, rows = file["exchange"], np.s_[:, chunk.start : chunk.stop]
        return group["data"][rows], group["data_white"][rows], group["data_dark"][rows], np.deg2rad(group["theta"][:])


def store(options: argparse.Namespace, rows: range, slices: Any) -> None:
    import tifffile

    options.output.mkdir(parents=True, exist_ok=True)
    if options.dtype == "uint16":
        low, high = _GREY
        slices = np.clip((slices - low) * (65535 / (high - low)), 0, 65535).astype(np.uint16)
    for row, image in zip(rows, slices, strict=True):
        tifffile.imwrite(options.output / f"slice_{row:05d}.tif", image)


def axis(options: argparse.Namespace) -> float:
    import h5py

    with h5py.File(options.scan, "r") as file:
        columns = file["exchange/data"].shape[2]
    return (columns - 1) / 2 if options.axis is None else float(options.axis)


CONTESTANTS = {
    "stp3": stp3,
    "tomopy": tomopy,
    "tomopy-padded": lambda options: tomopy(options, padded=True),
    "algotom": algotom,
    "nabu": nabu,
}

if __name__ == "__main__":
    main()
