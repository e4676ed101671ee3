"""Commands on recipes and steps: recipe default, recipe check, steps."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stp3.cli_arguments import Commands, add_command, show, table

if TYPE_CHECKING:
    from stp3.steps.base import Step

_VALUES_WIDTH = 32
_DEFAULT = "  stp3 recipe default > recipe.yaml\n  stp3 preview scan.h5 --row 10 --recipe recipe.yaml -o slice.tif"
_CHECK = "  stp3 recipe check recipe.yaml            are its steps and parameters right?\n" \
         "  stp3 recipe check recipe.yaml scan.h5    and does it suit this scan?"  # fmt: skip


def add_commands(commands: Commands) -> None:
    recipe = commands.add_parser(
        "recipe", help="print or check a recipe", description="Print or check a recipe: the steps in order.",
        epilog=f"examples:\n{_DEFAULT}\n{_CHECK}",
    )  # fmt: skip
    kinds = recipe.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=type(recipe))
    add_command(kinds, "default", _default, "print the recipe that suits most scans, as YAML", _DEFAULT)
    check = add_command(kinds, "check", _check, "check a recipe, alone or against a scan", _CHECK)
    check.add_argument("file", metavar="FILE", type=Path, help="a recipe in YAML")
    check.add_argument("scan", metavar="SCAN", type=Path, nargs="?", help="the scan it shall suit")
    steps = add_command(
        commands,
        "steps",
        _steps,
        "list the steps, or explain one with its parameters",
        "  stp3 steps\n  stp3 steps fbp",
    )
    steps.add_argument("name", metavar="NAME", nargs="?", help="a step")


def _default(arguments: argparse.Namespace) -> int:
    from stp3.recipe import Recipe

    recipe = Recipe.default()
    return show(arguments, recipe.as_dict(), [recipe.to_yaml().rstrip()])


def _check(arguments: argparse.Namespace) -> int:
    from stp3.recipe import Recipe

    recipe = Recipe.load(arguments.file)
    content: dict[str, Any] = {
        "valid": True,
        "fingerprint": recipe.fingerprint,
        "steps": [use.name for use in recipe.running],
    }
    lines = [f"{arguments.file} is right: {', '.join(content['steps'])}."]
    if arguments.scan:
        from stp3.plan import resolve
        from stp3.scan import open_scan

        plan = resolve(recipe, open_scan(arguments.scan))
        column = plan.recipe.use("rotation_axis").parameters.model_dump()["column"]
        content |= {"rotation_axis": column, "slab_rows": plan.slab_rows, "recipe": plan.recipe.as_dict()}
        lines.append(f"It suits {arguments.scan}: rotation axis {column:.2f}, {plan.slab_rows} rows at a time.")
    return show(arguments, content, lines)


def _steps(arguments: argparse.Namespace) -> int:
    from stp3.steps import find_step, step_names

    if arguments.name:
        content = about(find_step(arguments.name))
        return show(arguments, content, _explain(content))
    every = [find_step(name) for name in step_names()]
    content_all = [{"name": step.name, "title": step.title, "domain": step.domain} for step in every]
    return show(arguments, content_all, table([(step.name, step.domain, step.title) for step in every]))


def about(step: type[Step]) -> dict[str, Any]:
    """What `stp3 steps NAME --json` prints."""
    schema = step.Parameters.model_json_schema()
    return {
        "name": step.name,
        "title": step.title,
        "domain": step.domain,
        "paper": step.paper,
        "about": " ".join((step.__doc__ or "").split()),
        "parameters": [_about_parameter(name, entry) for name, entry in schema.get("properties", {}).items()],
    }


def _about_parameter(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    kinds = entry.get("anyOf", [entry])
    choices = [
        value for kind in kinds for value in (*kind.get("enum", ()), *([kind["const"]] if "const" in kind else ()))
    ]

    def bound(*keys: str) -> Any:
        return next((kind[key] for kind in kinds for key in keys if key in kind), None)

    return {
        "name": name,
        "title": entry.get("title", name),
        "types": [kind["type"] for kind in kinds if "type" in kind and not {"const", "enum"} & set(kind)],
        "default": entry.get("default"),
        "choices": choices,
        "minimum": bound("minimum"),
        "maximum": bound("maximum"),
        "above": bound("exclusiveMinimum"),
        "below": bound("exclusiveMaximum"),
        "unit": entry.get("unit", ""),
        "expert": bool(entry.get("expert", False)),
        "help": entry.get("description", ""),
    }


def _explain(content: dict[str, Any]) -> list[str]:
    head = [f"{content['name']}: {content['title']} (works on the {content['domain']})"]
    head += [content["about"]] if content["about"] else []
    head += [f"Paper: {content['paper']}"] if content["paper"] else []
    if not content["parameters"]:
        return [*head, "It has no parameters."]
    rows: list[tuple[str, ...]] = [("parameter", "default", "allowed", "unit", "meaning")]
    rows += [
        (entry["name"], _plain(entry["default"]), allowed(entry), entry["unit"], entry["help"])
        for entry in content["parameters"]
    ]
    return [*head, "", *_wrapped(rows)]


def _wrapped(rows: list[tuple[str, ...]]) -> list[str]:
    """A table of the terminal's width whose last column, and the third where values are many, go over several lines."""
    import shutil
    import textwrap
    from itertools import zip_longest

    values = min(max(len(row[2]) for row in rows), _VALUES_WIDTH)
    left = sum(max(len(row[column]) for row in rows) + 2 for column in (0, 1, 3)) + values + 2
    width = max(shutil.get_terminal_size((120, 24)).columns - left, 30)
    lines: list[tuple[str, ...]] = []
    for name, default, allowed_values, unit, meaning in rows:
        broken = zip_longest(textwrap.wrap(allowed_values, values), textwrap.wrap(meaning, width), fillvalue="")
        cells = list(broken) or [("", "")]
        lines += [(name, default, cells[0][0], unit, cells[0][1])]
        lines += [("", "", some, "", more) for some, more in cells[1:]]
    return table(lines)


def allowed(parameter: dict[str, Any]) -> str:
    """The values a parameter may have, in words."""
    signs = (("minimum", "≥"), ("above", ">"), ("maximum", "≤"), ("below", "<"))
    bounds = [f"{sign} {parameter[key]:g}" for key, sign in signs if parameter[key] is not None]
    if parameter["minimum"] is not None and parameter["maximum"] is not None:
        bounds = [f"{parameter['minimum']:g} to {parameter['maximum']:g}"]
    numbers = ["a number"] if {"number", "integer"} & set(parameter["types"]) and not bounds else []
    switch = ["true, false"] if "boolean" in parameter["types"] else []
    choices = [", ".join(_plain(choice) for choice in parameter["choices"])] if parameter["choices"] else []
    words = {"string": "text", "array": "numbers in brackets, [1, 2, ...]", "null": "none"}
    others = [words[kind] for kind in parameter["types"] if kind in words]
    return " or ".join([*choices, *([", ".join(bounds)] if bounds else []), *numbers, *switch, *others])


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
