"""recipe and steps: what they print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stp3 import cli
from stp3.cli_recipes import about, allowed
from stp3.recipe import DEFAULT_STEPS, Recipe
from stp3.steps import find_step, step_names
from stp3.testing import write_practice_scan


def test_the_default_recipe_is_printed_as_yaml(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["recipe", "default"]) == 0
    assert Recipe.from_yaml(capsys.readouterr().out) == Recipe.default()
    assert cli.main(["recipe", "default", "--json"]) == 0
    assert Recipe.from_dict(json.loads(capsys.readouterr().out)) == Recipe.default()


def test_a_right_recipe_is_called_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(Recipe.default().to_yaml())
    assert cli.main(["recipe", "check", str(path), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content == {"valid": True, "fingerprint": Recipe.default().fingerprint, "steps": list(DEFAULT_STEPS)}


def test_a_recipe_is_checked_against_a_scan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, scan = tmp_path / "recipe.yaml", tmp_path / "scan.h5"
    truth = write_practice_scan(scan, columns=64, rows=2, angles=90)
    path.write_text(Recipe.default().to_yaml())
    assert cli.main(["recipe", "check", str(path), str(scan), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["rotation_axis"] == pytest.approx(truth.rotation_axis, abs=0.5)
    assert content["slab_rows"] == 2
    assert "auto" not in json.dumps(content["recipe"]["steps"])
    path.write_text(Recipe.default().with_values({"rotation_axis.column": 100}).to_yaml())
    assert cli.main(["recipe", "check", str(path), str(scan)]) == 2
    assert "between 0 and 63 (the scan has 64 columns), got 100" in capsys.readouterr().err


def test_all_steps_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["steps", "--json"]) == 0
    assert [step["name"] for step in json.loads(capsys.readouterr().out)] == step_names()
    assert cli.main(["steps"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in step_names())


@pytest.mark.parametrize("name", step_names())
def test_each_step_is_explained_with_all_its_parameters(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    step = find_step(name)
    assert cli.main(["steps", name, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content == about(step)
    assert [parameter["name"] for parameter in content["parameters"]] == list(step.Parameters.model_fields)
    assert all(parameter["help"] and allowed(parameter) for parameter in content["parameters"])
    assert cli.main(["steps", name]) == 0
    out = capsys.readouterr().out
    assert step.title in out
    assert step.domain in out
    assert all(field in out for field in step.Parameters.model_fields)


def test_allowed_values_are_put_in_words() -> None:
    empty = {"types": [], "choices": [], "default": 1, "minimum": None, "maximum": None, "above": None, "below": None}
    assert allowed(empty | {"types": ["boolean"]}) == "true, false"
    assert allowed(empty | {"types": ["number"], "minimum": 1, "maximum": 30}) == "1 to 30"
    assert allowed(empty | {"types": ["number"], "above": 0, "below": 50}) == "> 0, < 50"
    assert allowed(empty | {"types": ["number"], "choices": ["auto"]}) == "auto or a number"
    assert allowed(empty | {"types": ["string", "null"]}) == "text or none"
    assert allowed(empty | {"choices": ["hann", "none"]}) == "hann, none"
