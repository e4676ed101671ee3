"""What all tests share: the measured scans, and the rule that a skip needs a reason that is allowed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
ALLOWED_SKIPS = ("GPU", "TomoPy")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-skips", action="store_true", help=f"count a skip as a failure, save for {', '.join(ALLOWED_SKIPS)}"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    if report.skipped and item.config.getoption("--no-skips") and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(word in reason for word in ALLOWED_SKIPS):
            report.outcome = "failed"
            report.longrepr = f"skipped, which is not allowed here: {reason}"
    return report


@pytest.fixture(scope="session")
def measured() -> Path:
    """The folder of measured scans; a test that needs it skips where it is absent."""
    folder = Path(os.environ.get("STP3_TEST_DATA") or CHECKOUT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"the measured scans are not at {folder}; set STP3_TEST_DATA")
    return folder
