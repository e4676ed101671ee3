"""The service keeps what its own description promises, whatever it is sent."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

SECONDS = 4.0  # beyond one example of each operation
HEADERS = {"Authorization": "Bearer ada-token"}
# a recipe's name is one line and its content has a size: more than JSON Schema can say
STRICTER = [positive_data_acceptance]
CALM = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def tries(operation: Any, examples: int) -> None:
    """Sends what the description allows, and what it does not; raises where an answer is not as described."""

    @settings(CALM, max_examples=examples)
    @given(case=operation.as_strategy())
    def holds(case: Any) -> None:
        case.call_and_validate(headers=HEADERS, excluded_checks=STRICTER)

    holds()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
def test_the_description_holds_for_whatever_is_sent(api: Any, run: Callable[..., Path]) -> None:
    run("vera", "one", state="failed")
    schema = schemathesis.openapi.from_url(f"{api.url}/openapi.json", headers=HEADERS)
    # a stream has no end; another test reads it
    operations = [found.ok() for found in schema.get_all_operations() if not found.ok().path.endswith("/api/events")]
    assert len(operations) > 20
    began = time.monotonic()
    for examples in (1, 4, 16, 64):
        for operation in operations:
            if examples == 1 or time.monotonic() - began < SECONDS:
                tries(operation, examples)
