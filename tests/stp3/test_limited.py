"""The limited child: what it does for us, and that nothing it does to itself reaches us."""

from __future__ import annotations

import ctypes
import logging
import operator
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from stp3 import limited
from stp3.errors import ScanFault, UsageFault
from stp3.scan import ScanIdentity, open_scan
from stp3.steps import find_step
from stp3.testing import write_practice_scan


def call(function: object, *arguments: object, about: Path = Path("scan.h5"), **options: object) -> object:
    return limited.call(function, *arguments, about=about, readable=options.pop("readable", []), **options)  # type: ignore[arg-type]


def test_it_gives_what_the_function_gives(tmp_path: Path) -> None:
    np.testing.assert_array_equal(call(np.arange, 1_000_000), np.arange(1_000_000))
    path = tmp_path / "scan.h5"
    path.write_bytes(b"frames")
    assert call(ScanIdentity.of, path, about=path) == ScanIdentity.of(path)


def test_faults_are_told_as_they_were(tmp_path: Path) -> None:
    with pytest.raises(ScanFault, match="not a regular file"):
        call(ScanIdentity.of, tmp_path, readable=[tmp_path])
    with pytest.raises(UsageFault, match="nonsense"):
        call(find_step, "nonsense")


def test_a_crash_is_a_fault_of_the_scan() -> None:
    for crash in (os.abort, ctypes.string_at):
        arguments = (1,) if crash is ctypes.string_at else ()
        with pytest.raises(ScanFault, match="crashes the program that reads it"):
            call(crash, *arguments)
    assert call(abs, -1) == 1


def test_a_hang_ends_in_time() -> None:
    began = time.monotonic()
    with pytest.raises(ScanFault, match="could not be read within 1 s"):
        call(time.sleep, 60, seconds=1)
    assert time.monotonic() - began < 20


def test_a_hang_keeps_nobody_waiting() -> None:
    def hang() -> None:
        with pytest.raises(ScanFault):
            call(time.sleep, 60, seconds=5)

    waiting = threading.Thread(target=hang)
    waiting.start()
    assert call(abs, -1) == 1
    assert waiting.is_alive()
    waiting.join()


def test_memory_is_limited() -> None:
    with pytest.raises(ScanFault, match="more memory than any scan needs"):
        call(bytearray, 20 << 30)


def test_what_is_unexpected_is_a_fault_of_the_scan_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(ScanFault, match=r"cannot be read \(ZeroDivisionError"):
        call(divmod, 1, 0)
    assert "Traceback" in caplog.text


def landlock() -> bool:
    return ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1) > 0


def test_nothing_else_can_be_read_or_written(tmp_path: Path) -> None:
    visit, other = tmp_path / "visit", tmp_path / "other"
    for folder in (visit, other):
        folder.mkdir()
        (folder / "frames").write_bytes(b"counts")
    (visit / "link").symlink_to(other / "frames")
    assert call(Path.read_bytes, visit / "frames", readable=[visit]) == b"counts"
    if landlock():
        for path in (other / "frames", visit / "link", Path.home() / ".bashrc"):
            with pytest.raises(ScanFault, match=r"PermissionError|FileNotFoundError"):
                call(Path.read_bytes, path, readable=[visit])
        with pytest.raises(ScanFault, match="PermissionError"):
            call(subprocess.check_output, ["/bin/true"], readable=[visit])
    with pytest.raises(ScanFault):
        call(Path.write_bytes, visit / "new", b"x", readable=[visit])
    assert not (visit / "new").exists() or not (visit / "new").stat().st_size
    with pytest.raises(ScanFault, match="PermissionError"):
        call(socket.create_connection, ("127.0.0.1", 1))


def test_what_a_taken_over_child_sends_is_not_run() -> None:
    with pytest.raises(ScanFault, match="gives what no scan holds"):
        call(operator.methodcaller, "unlink")
    with pytest.raises(ScanFault, match="gives what no scan holds"):
        call(operator.attrgetter, "system")


def test_the_token_of_the_hub_does_not_come_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "secret")
    helper = subprocess.run(
        [
            sys.executable, "-c",
            "from stp3 import limited; import os; limited.warm(); pid = limited._helper[1].pid;"
            "limited.call(abs, 1, about=__import__('pathlib').Path('x'), readable=[]);"
            "print('secret' in open(f'/proc/{pid}/environ').read())",
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert helper.stdout == "False\n"


def test_a_helper_that_was_killed_is_started_again() -> None:
    assert call(abs, -1) == 1
    assert limited._helper is not None
    os.kill(limited._helper[1].pid, signal.SIGKILL)
    limited._helper[1].wait()
    assert call(abs, -2) == 2


def test_the_helper_goes_with_its_parent() -> None:
    code = (
        "from stp3 import limited; from pathlib import Path; limited.call(abs, 1, about=Path('x'), readable=[]);"
        "print(limited._helper[1].pid)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not Path(f"/proc/{int(done.stdout)}").exists():
            return
        time.sleep(0.05)
    raise AssertionError("the helper is still there")


def test_a_pipe_called_scan_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "scan.h5")
    began = time.monotonic()
    with pytest.raises(ScanFault):
        open_scan(tmp_path / "scan.h5")
    assert time.monotonic() - began < 10


def test_calls_from_many_threads_at_once(tmp_path: Path) -> None:
    write_practice_scan(tmp_path / "scan.h5", columns=32, rows=2, angles=12)
    shapes = []
    threads = [
        threading.Thread(target=lambda: shapes.append(open_scan(tmp_path / "scan.h5").projections.shape))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shapes == [(12, 2, 32)] * 8


def test_links_may_go_anywhere_in_the_data_root_but_not_out_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit = tmp_path / "visit"
    for folder in ("visit/raw", "visit/nexus", "visit-of-others"):
        (tmp_path / folder).mkdir(parents=True)
    for folder in ("visit/raw", "visit-of-others"):
        with h5py.File(tmp_path / folder / "frames.h5", "w") as file:
            file["frames"] = np.ones((6, 2, 4), np.uint16)
    for name, target in (("in.h5", "../raw/frames.h5"), ("out.h5", "../../visit-of-others/frames.h5")):
        with h5py.File(visit / "nexus" / name, "w") as file:
            file["exchange/theta"] = np.arange(6.0)
            file["exchange/data"] = h5py.ExternalLink(target, "frames")
    with pytest.raises(ScanFault, match="outside its folder"):
        open_scan(visit / "nexus" / "in.h5")
    monkeypatch.setenv("STP3_VISITS", f'[{{"id": "one", "data_root": "{visit}"}}]')
    assert open_scan(visit / "nexus" / "in.h5").projections.shape == (6, 2, 4)
    with pytest.raises(ScanFault, match="outside its folder"):
        open_scan(visit / "nexus" / "out.h5")
