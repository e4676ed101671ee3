"""Operators' keys: where they come from, and what is refused."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError
from stp3_hub import settings as module
from stp3_hub.admission import AccessRules
from stp3_hub.models import Role
from stp3_hub.settings import LONGEST_RUN_FOLDER, Settings

HUB = Path(module.__file__).parent


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "hub.toml"
    file.write_text('facility = "From the file"\nport = 8100\n[office]\nkind = "oidc"\n')
    monkeypatch.setattr(module, "OPERATORS_FILE", file)
    monkeypatch.setenv("STP3_HUB_PORT", "8200")
    settings = Settings()
    assert (settings.facility, settings.port, settings.office) == ("From the file", 8200, {"kind": "oidc"})
    assert Settings(port=8300).port == 8300


def test_a_misspelt_key_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "hub.toml"
    file.write_text("prot = 8100\n")
    monkeypatch.setattr(module, "OPERATORS_FILE", file)
    with pytest.raises(ValidationError, match="prot"):
        Settings()


def test_another_file_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.toml").write_text("port = 8300\n")
    monkeypatch.setenv("STP3_HUB_SETTINGS", str(tmp_path / "other.toml"))
    assert Settings().port == 8300


@pytest.mark.parametrize(
    ("named", "folder"),
    [
        ("/srv/data/online/A", "/srv/data/online/A"),
        ("/srv/data", "/usual/A"),
        ("/srv/database/A", "/usual/A"),
        ("/srv/data/../../etc", "/usual/A"),
        ("data/A", "/usual/A"),
        ("", "/usual/A"),
    ],
)
def test_a_folder_that_the_office_names_lies_where_it_may(named: str, folder: str) -> None:
    settings = Settings(data_root="/usual/{visit}", data_base=Path("/srv/data"))
    assert settings.visit_folder("A", named) == Path(folder)
    assert Settings(data_root="/usual/{visit}").visit_folder("A", named) == Path("/usual/A")


@pytest.mark.parametrize("key", [{"port": 0}, {"port": 70000}, {"kernels_per_user": 0}, {"data_root": "{var}/data"}])
def test_values_out_of_bounds_are_refused(key: dict) -> None:
    with pytest.raises(ValidationError):
        Settings(**key)


def test_the_data_folder_has_its_short_name_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STP3_DATA", str(tmp_path))
    assert Settings().data == tmp_path


def test_settings_survive_the_way_through_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    office = {"kind": "oidc", "scopes": ["openid"], "name": 'A "quoted" name'}
    rules = AccessRules(days_after=3, roles={Role.ADMIN: ("it",)})
    more = {"data": tmp_path, "practice": True, "threads": 3, "port": 8123}
    settings = Settings(var=tmp_path, facility='A "quoted" name', office=office, access=rules, **more)
    for key, value in settings.environment().items():
        monkeypatch.setenv(key, value)
    assert Settings() == settings


def test_secrets_are_made_once_and_kept_private(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path)
    first = settings.secret("cookie")
    assert len(first) == 32
    assert settings.secret("cookie") == first
    assert settings.secret("other") != first
    assert (tmp_path / "secrets" / "cookie").stat().st_mode & 0o777 == 0o600


def test_sockets_fit_the_systems_limit() -> None:
    assert len(str(Settings(var=Path("/long") / ("x" * 90)).run_folder)) <= LONGEST_RUN_FOLDER
    assert Settings(var=Path("/Upper")).run_folder.parent == Path("/tmp")
    assert Settings(var=Path("/srv/var")).run_folder == Path("/srv/var/run")


def test_nothing_else_reads_the_environment() -> None:
    readers = [path.name for path in HUB.rglob("*.py") if _reads_environment(ast.parse(path.read_text()))]
    assert readers == ["settings.py"]


def test_hub_and_stp3_never_import_each_other() -> None:
    code = (
        "import sys, stp3_hub.configure, stp3_hub.practice; print(any(m.split('.')[0] == 'stp3' for m in sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def _reads_environment(tree: ast.AST) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"} for node in ast.walk(tree))
