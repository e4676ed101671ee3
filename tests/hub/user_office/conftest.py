"""Offices of every kind, on ports of their own."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_spec = importlib.util.spec_from_file_location("office_server", Path(__file__).with_name("office_server.py"))
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
sys.modules["office_server"] = _module
_spec.loader.exec_module(_module)


@pytest.fixture
def secret(tmp_path: Path) -> Callable[[str], Path]:
    """The function that writes a secret down, for its owner's eyes."""

    def write(text: str) -> Path:
        path = tmp_path / "secret"
        path.touch(0o600)
        path.write_text(text)
        return path

    return write


@pytest.fixture
def bring_down() -> Callable[[Any, str, Any], None]:
    """The function that has an office fail in one of the ways of `office_server.DOWN`."""

    def bring(office: Any, fault: str, asker: Any) -> None:
        office.fault = fault
        if fault == "slow":
            object.__setattr__(asker.options, "seconds", 0.3)
        if fault == "down":  # a port where nobody listens
            for name, value in vars(asker.options).items():
                if isinstance(value, str) and value.startswith(office.url):
                    object.__setattr__(asker.options, name, value.replace(office.url, "http://127.0.0.1:9"))

    return bring
