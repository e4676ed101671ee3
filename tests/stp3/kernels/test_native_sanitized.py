"""The kernel under the compiler's sanitizers: no load or store outside its arrays, no undefined arithmetic."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import stp3

SOURCES = Path(stp3.__file__).parent / "kernels" / "native"
COMPILER = os.environ.get("CXX") or shutil.which("g++") or ""
SETTINGS = [
    *("-std=c++17", "-O1", "-g1", "-ffp-contract=off", "-Wall", "-Wextra", "-Wno-psabi"),
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=all", f"-I{SOURCES}"),
]
BASELINE = ["-DSTP3_INSTRUCTIONS=baseline", "-DSTP3_LANES=4"]


@pytest.mark.skipif(not COMPILER, reason="no C++ compiler")
def test_nothing_is_touched_outside_its_bounds(tmp_path: Path) -> None:
    stripes = ("stripe_removal.cpp", "stripe_detection.cpp")
    shared = ("plan.cpp", "gridder.cpp", "instructions.cpp", "counts_pass.cpp", *stripes)
    families = (
        "counts.cpp",
        "grey.cpp",
        "kernel.cpp",
        "profiles.cpp",
        "projection_filter.cpp",
        "stripes.cpp",
        "warp.cpp",
    )
    files = [*(SOURCES / name for name in shared + families), Path(__file__).parent / "native_check.cpp"]

    def build(source: Path) -> str:
        made = tmp_path / f"{source.stem}.o"
        done = subprocess.run(
            [COMPILER, *SETTINGS, *BASELINE, "-c", source, "-o", made], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "warning" not in done.stderr, done.stderr
        return str(made)

    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(build, files))
    program = tmp_path / "check"
    linked = subprocess.run(
        [COMPILER, *SETTINGS, *made, "-pthread", "-o", program], capture_output=True, text=True, check=False
    )
    if "cannot find" in linked.stderr:
        pytest.skip("the compiler has no sanitizers")
    assert linked.returncode == 0, linked.stderr
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.skipif(not COMPILER or not shutil.which("nm"), reason="no C++ compiler")
@pytest.mark.parametrize(
    "family",
    ["counts.cpp", "grey.cpp", "kernel.cpp", "profiles.cpp", "projection_filter.cpp", "stripes.cpp", "warp.cpp"],
)
def test_an_instruction_set_lends_no_code_to_others(tmp_path: Path, family: str) -> None:
    """The linker keeps one copy of a shared inline function: compiled for AVX-512, it would crash other machines."""
    made = tmp_path / "kernel.o"
    subprocess.run(
        [COMPILER, "-std=c++17", "-O2", "-ffp-contract=off", "-Wno-psabi", f"-I{SOURCES}",
         "-DSTP3_INSTRUCTIONS=only_here", "-DSTP3_LANES=4", "-c", SOURCES / family, "-o", made],
        check=True,
    )  # fmt: skip
    listed = subprocess.run(["nm", "-C", "--defined-only", made], capture_output=True, text=True, check=True)
    assert "only_here" in listed.stdout
    weak = [line.split(" ", 2)[2] for line in listed.stdout.splitlines() if line.split(" ", 2)[1] == "W"]
    assert not [name for name in weak if "only_here" not in name]
