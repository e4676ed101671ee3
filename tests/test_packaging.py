"""pyproject, the lock, the conda environment and the tree say the same."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).resolve().parents[1]

PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
CONDA_NAMES = {"dask": "dask-core", "uvicorn": "uvicorn-standard", "xxhash": "python-xxhash"}
CONDA_ONLY = {"python", "pip", "astra-toolbox", "tomopy", "configurable-http-proxy", "cmake", "ninja", "cxx-compiler"}
EXTRAS = ("cluster", "dashboards", "hub", "practice")


def requirements(lines: list[str]) -> dict[str, str]:
    return {re.split(r"[<>=[]", line)[0]: re.sub("^[^<>=]*", "", line) for line in lines}


def wanted() -> dict[str, str]:
    project = PROJECT["project"]
    lines = [*project["dependencies"], *PROJECT["build-system"]["requires"]]
    return requirements(lines + [line for extra in EXTRAS for line in project["optional-dependencies"][extra]])


def test_conda_environment_agrees_with_pyproject() -> None:
    entries = yaml.safe_load((CHECKOUT / "environment.yml").read_text())["dependencies"]
    conda = requirements([entry for entry in entries if isinstance(entry, str)])
    named = {CONDA_NAMES.get(name, name): version for name, version in wanted().items()}
    different = {name: conda.get(name) for name, version in named.items() if _low(conda.get(name)) != _low(version)}
    assert not different, "environment.yml asks for other versions than pyproject.toml"
    assert set(conda) - set(named) == CONDA_ONLY
    assert conda["python"] == PROJECT["project"]["requires-python"]


def _low(version: str | None) -> tuple[int, ...] | None:
    return None if version is None else tuple(int(part) for part in re.findall(r"\d+", version))


def test_lock_has_every_requirement_with_a_hash_and_names_no_registry() -> None:
    lock = (CHECKOUT / "requirements.lock").read_text()
    pinned = {match[1]: match[2] for match in re.finditer(r"^([a-z0-9-]+)==\S+(.*?\\\n\s+--hash=)?", lock, re.M | re.S)}
    extras = [line for lines in PROJECT["project"]["optional-dependencies"].values() for line in lines]
    needed = set(wanted()) | set(requirements(extras)) - {"cupy-cuda12x"}
    assert needed <= set(pinned)
    assert all(pinned.values())
    assert "://" not in lock


def test_every_package_folder_is_installed() -> None:
    names = {"stp3": "stp3", "hub": "stp3_hub", "extensions": "stp3_extensions"}
    folders = {init.parent.relative_to(CHECKOUT) for top in names for init in (CHECKOUT / top).rglob("__init__.py")}
    found = {".".join([names[folder.parts[0]], *folder.parts[1:]]) for folder in folders}
    assert found == set(PROJECT["tool"]["setuptools"]["packages"])


def test_names_lead_to_the_checkout_from_anywhere(tmp_path: Path) -> None:
    code = """
import stp3, stp3_extensions, stp3_hub
from importlib.metadata import entry_points
from importlib.resources import files
print(stp3.__file__, stp3_hub.__file__, files("stp3_extensions") / "slice-viewer" / "viewer.js", sep="\\n")
for group in ("stp3.steps", "stp3.readers", "stp3.writers"):
    assert [entry.load() for entry in entry_points(group=group)], group
"""
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    for line in found.stdout.split():
        assert Path(line).is_file(), line


def test_notebooks_hold_no_output() -> None:
    import nbformat

    for path in (CHECKOUT / "notebooks").rglob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells), path
