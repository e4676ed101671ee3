"""`import stp3` brings the core and nothing else, at once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

HEAVY = {
    "IPython", "anywidget", "bokeh", "cupy", "dask", "distributed", "dask_jobqueue", "ipykernel", "ipywidgets",
    "jupyter_client", "jupyter_core", "jupyterhub", "matplotlib", "numba", "stp3_hub", "torch", "voila",
}  # fmt: skip


def modules_after(code: str) -> set[str]:
    script = f"{code}\nimport sys, json; print(json.dumps([name.partition('.')[0] for name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_brings_no_heavy_module() -> None:
    assert not modules_after("import stp3") & HEAVY


def test_the_whole_core_brings_no_heavy_module() -> None:
    core = "import stp3; [getattr(stp3, name) for name in stp3.__all__]; stp3.Recipe.default()"
    assert not modules_after(core) & HEAVY


def test_a_recipe_can_be_read_without_scipy() -> None:
    assert "scipy" not in modules_after("import stp3; stp3.Recipe.default(); stp3.Preview")


def test_import_is_quick() -> None:
    script = "import time; start = time.perf_counter(); import stp3; print(time.perf_counter() - start)"
    times = []
    for _ in range(5):
        times.append(float(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout))
        if times[-1] < 0.3:
            return
        time.sleep(1)  # a busy machine is not a slow import: the best of five counts
    raise AssertionError(f"import stp3 took {min(times):.2f} s at best, 0.3 s are allowed")


def test_no_public_name_is_hidden_by_a_module_of_the_same_name() -> None:
    import stp3

    modules = {path.stem for path in Path(stp3.__file__).parent.iterdir()}
    assert not modules & set(stp3.__all__)
