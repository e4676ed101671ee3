"""A workbench without a page, with real scans; what each does is real."""

import asyncio
import json

import pytest

from stp3.testing import write_practice_scan
from stp3.widgets.workbench import Workbench
from tests.stp3.widgets.user import AXIS, until


@pytest.fixture(scope="module")
def visits(tmp_path_factory):
    top = tmp_path_factory.mktemp("visits")
    for visit, seed in (("one", 1), ("two", 2)):
        (top / visit).mkdir()
        write_practice_scan(
            top / visit / f"{visit}.h5",
            columns=128,
            rows=6,
            angles=180,
            seed=seed,
            rotation_axis=AXIS,
            faults={"rings"},
        )
    (top / "one" / "<b>broken.h5").write_bytes(b"no hdf5")
    (top / "empty").mkdir()
    return top


@pytest.fixture
def environment(monkeypatch, visits, tmp_path):
    roots = [{"id": name, "title": "", "data_root": str(visits / name)} for name in ("one", "two", "empty")]
    monkeypatch.setenv("STP3_VISITS", json.dumps(roots))
    monkeypatch.setenv("STP3_JOBS", str(tmp_path / "jobs"))
    monkeypatch.setenv("STP3_THREADS", "1")
    monkeypatch.delenv("STP3_DATA", raising=False)
    monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX", raising=False)


@pytest.fixture
def drive(environment):
    """Runs a coroutine with a workbench that a page has just connected to."""

    def run(scenario):
        async def with_workbench():
            bench = Workbench()
            bench.viewer._hear(bench.viewer, {"kind": "ready"}, [])
            await until(lambda: bench.scans.scans.options or "No scans" in bench.scans.about.value)
            try:
                await scenario(bench)
            finally:
                bench.close()

        asyncio.run(with_workbench())

    return run
