"""The pages name what exists, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stp3.steps import step_names

CHECKOUT = Path(__file__).resolve().parents[1]
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]


def test_the_catalogue_names_every_step_and_no_other() -> None:
    page = (CHECKOUT / "docs" / "steps.md").read_text(encoding="utf-8")
    first_cells = re.findall(r"^\| (`.*?) \|", page, re.M)
    named = re.findall(r"`(\w+)`", " ".join(first_cells))
    assert sorted(named) == step_names()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert link.startswith("http") or (page.parent / link).exists(), link
