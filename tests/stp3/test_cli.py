"""The command line as a script sees it: exit codes, a clean stdout, one sentence on stderr."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stp3 import cli, cli_scans
from stp3.testing import FAULTS, write_practice_scan

STP3 = [sys.executable, "-m", "stp3.cli"]


def stp3(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*STP3, *map(str, arguments)], capture_output=True, text=True, env=os.environ | environment, timeout=120
    )


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "scan.h5"
    write_practice_scan(path, columns=64, rows=4, angles=90, faults={"noise"})
    return path


def assert_one_sentence(text: str) -> None:
    assert text.startswith("stp3: ")
    assert text.count("\n") == 1
    assert "Traceback" not in text


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("fly",),
        ("info",),
        ("info", "--jsn", "scan.h5"),
        ("info", "/no/such/scan.h5"),
        ("axis", "/no/such/scan.h5"),
        ("preview", "/no/such/scan.h5", "--row", "0", "-o", "/tmp/slice.tif"),
        ("preview", "SCAN", "--row", "4", "-o", "OUT"),
        ("preview", "SCAN", "--row", "-1", "-o", "OUT"),
        ("preview", "SCAN", "--row", "two", "-o", "OUT"),
        ("preview", "SCAN", "--row", "0", "-o", "/no/such/folder/slice.tif"),
        ("preview", "SCAN", "--row", "0", "-o", "/tmp"),
        ("preview", "SCAN", "--row", "0", "-o", "OUT", "--set", "fbp"),
        ("preview", "SCAN", "--row", "0", "-o", "OUT", "--set", "fbp.filtr=hann"),
        ("preview", "SCAN", "--row", "0", "-o", "OUT", "--set", "fbp.filter=soft"),
        ("preview", "SCAN", "--row", "0", "-o", "OUT", "--set", "magic.level=3"),
        ("preview", "SCAN", "--row", "0", "-o", "OUT", "--set", "rotation_axis.column=900"),
        ("preview", "SCAN", "--row", "0", "-o", "OUT", "--recipe", "/no/such/recipe.yaml"),
        ("run", "SCAN", "-o", "OUT", "--rows", "3"),
        ("run", "SCAN", "-o", "OUT", "--rows", "2:9"),
        ("run", "SCAN", "-o", "OUT", "--profile", "moon"),
        ("run", "SCAN", "-o", "OUT", "--format", "jpeg"),
        ("jobs", "show", "20260101-000000-abcdef"),
        ("jobs", "cancel", "../../etc"),
        ("recipe",),
        ("recipe", "check", "/no/such/recipe.yaml"),
        ("steps", "magic"),
        ("practice", "/no/such/folder/scan.h5"),
        ("practice", "OUT", "--columns", "7"),
        ("practice", "OUT", "--faults", "rings,dust"),
    ],
)
def test_a_call_that_is_off_gives_2_and_one_sentence(
    arguments: tuple[str, ...],
    scan: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STP3_JOBS", str(tmp_path / "jobs"))
    places = {"SCAN": str(scan), "OUT": str(tmp_path / "out")}
    assert cli.main([places.get(word, word) for word in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert_one_sentence(err)
    assert not list(tmp_path.iterdir())


def test_all_faults_of_a_recipe_come_in_one_report(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("steps: [{step: minus_log}, {step: flat_fild}, {step: fbp, filter: soft}]")
    assert cli.main(["recipe", "check", str(recipe)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "flat_fild" in err
    assert "fbp.filter" in err


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89HDF\r\n\x1a\n" + bytes(100)])
@pytest.mark.parametrize("command", [("info",), ("axis",), ("preview", "--row", "0", "-o", "slice.tif")])
def test_a_scan_that_cannot_be_read_gives_1_and_one_sentence(
    content: bytes, command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "scan.h5"
    path.write_bytes(content)
    assert cli.main([*command[:1], str(path), *command[1:], "--json"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert_one_sentence(err)


def test_the_shell_sees_the_same(scan: Path, tmp_path: Path) -> None:
    good = stp3("info", scan, "--json")
    assert (good.returncode, good.stderr) == (0, "")
    assert json.loads(good.stdout)["format"] == "data-exchange"
    wrong_call = stp3("info", tmp_path / "none.h5")
    assert (wrong_call.returncode, wrong_call.stdout) == (2, "")
    assert_one_sentence(wrong_call.stderr)
    (tmp_path / "text.h5").write_text("hello")
    unreadable = stp3("info", tmp_path / "text.h5", "--json")
    assert (unreadable.returncode, unreadable.stdout) == (1, "")
    assert_one_sentence(unreadable.stderr)


def test_what_is_not_ours_is_logged_under_a_reference(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STP3_JOBS", str(tmp_path / "jobs"))
    monkeypatch.setattr("stp3.scan.open_scan", lambda path: 1 / 0)
    assert cli.main(["info", str(scan)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert_one_sentence(err)
    reference = err.split("Internal error ")[1].split(".")[0]
    log = (tmp_path / "stp3-errors.log").read_text()
    assert reference in log
    assert "ZeroDivisionError" in log


def test_a_reader_of_our_output_may_leave_early(scan: Path) -> None:
    process = subprocess.Popen([*STP3, "steps"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr.read() == ""


def test_help_teaches_at_once() -> None:
    start = time.perf_counter()
    done = stp3("--help")
    seconds = time.perf_counter() - start
    assert done.returncode == 0
    assert "stp3 run scan.h5" in done.stdout
    assert seconds < 1.0  # 0.1 s on a quiet machine; heavy imports would take more
    for command in ("info", "axis", "preview", "practice", "run", "jobs", "recipe", "steps"):
        assert command in done.stdout


def test_help_brings_nothing_heavy() -> None:
    code = (
        "import sys; from stp3.cli import build_parser; build_parser().format_help();"
        "print([name for name in ('numpy', 'h5py', 'pydantic', 'yaml', 'dask', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_command_has_help_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (
        ["info"], ["axis"], ["preview"], ["practice"], ["run"], ["jobs"], ["jobs", "list"], ["jobs", "show"],
        ["jobs", "cancel"], ["jobs", "resume"], ["jobs", "log"], ["recipe", "default"], ["recipe", "check"], ["steps"],
    ):  # fmt: skip
        assert cli.main([*command, "--help"]) == 0
        assert "--json" in capsys.readouterr().out, command


def test_help_of_practice_names_every_fault() -> None:
    for name, meaning in FAULTS.items():
        if name != "axis":
            assert f"{name:10s} {meaning}" in cli_scans._PRACTICE
