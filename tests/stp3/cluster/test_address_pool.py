"""A Dask cluster that somebody else runs: joined, used, and left as it was."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Security

from stp3.cluster.profiles import AddressProfile


@pytest.fixture
def there(tmp_path: Path) -> Iterator[AddressProfile]:
    """A scheduler and a worker over TLS, and the profile that finds them."""
    made = Security.temporary()
    for name, text in (("ca", made.tls_ca_file), ("cert", made.tls_worker_cert), ("key", made.tls_worker_key)):
        (tmp_path / f"{name}.pem").write_text(text)
    keys = [f"--tls-{name.replace('ca', 'ca-file')}={tmp_path}/{name}.pem" for name in ("ca", "key")]
    keys.append(f"--tls-cert={tmp_path}/cert.pem")
    found = tmp_path / "scheduler.json"
    dask = [sys.executable, "-m"]
    scheduler = ["distributed.cli.dask_scheduler", "--protocol=tls", "--host=127.0.0.1", "--port=0", "--no-dashboard"]
    worker = ["distributed.cli.dask_worker", "--protocol=tls", "--host=127.0.0.1", "--nthreads=2", "--no-dashboard"]
    started = []
    try:
        for command in (scheduler, [*worker, "--memory-limit=1GiB", f"--local-directory={tmp_path}"]):
            with open(tmp_path / "cluster.log", "ab") as log:
                arguments = [*dask, *command, *keys, f"--scheduler-file={found}"]
                started.append(subprocess.Popen(arguments, stdout=log, stderr=log))
        deadline = time.monotonic() + 60
        while "Registered to" not in (tmp_path / "cluster.log").read_text():
            assert time.monotonic() < deadline, (tmp_path / "cluster.log").read_text()
            time.sleep(0.1)
        address = json.loads(found.read_text())["address"]
        paths = {"ca_file": tmp_path / "ca.pem", "cert": tmp_path / "cert.pem", "key": tmp_path / "key.pem"}
        yield AddressProfile(name="there", kind="address", address=address, **paths)
        assert [process.poll() for process in started] == [None, None]
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(10)


def test_a_job_on_a_cluster_that_runs_already(
    jobs: Any, scan_file: Path, small_volume: np.ndarray, there: AddressProfile
) -> None:
    job = jobs.start(scan_file, profile=there)
    np.testing.assert_array_equal(jobs.done(job), small_volume, strict=True)
    assert set(jobs.journalled(job).values()) == {1}


def test_no_cluster_at_the_address_is_told(jobs: Any, scan_file: Path, there: AddressProfile) -> None:
    job = jobs.start(scan_file, profile=there.model_copy(update={"address": "tls://127.0.0.1:9"}))
    state = job.wait(60)
    assert state.state == "failed"
    assert "no Dask scheduler answers at tls://127.0.0.1:9" in str(state.error)
