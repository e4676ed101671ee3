"""Arguments that several commands share, and how their results are printed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stp3.errors import UsageFault

if TYPE_CHECKING:
    from stp3.recipe import Recipe

Commands = Any  # argparse keeps the type of its subparsers to itself
Command = Callable[[argparse.Namespace], int]


def add_command(commands: Commands, name: str, command: Command, help: str, examples: str = "") -> Any:
    """A command's parser, with --json as everywhere."""
    epilog = f"examples:\n{examples}" if examples else None
    parser = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.", epilog=epilog)
    # suppressed, so that `jobs list` does not undo the --json of `jobs`; the default stands at the top
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the result as JSON")
    parser.set_defaults(command=command)
    return parser


def add_scan(parser: Any, **options: Any) -> None:
    """SCAN and how it is opened."""
    add_opening(parser)
    parser.add_argument("scan", metavar="SCAN", type=Path, help="a scan: a file, or a folder that holds one", **options)


def add_opening(parser: Any) -> None:
    """--layout, --flats, --darks and --metadata."""
    parser.add_argument("--layout", metavar="NAME", help="the site's layout that the HDF5 file has")
    for kind in ("flats", "darks"):
        parser.add_argument(
            f"--{kind}", metavar="FILE", type=Path, action="append", default=[],
            help=f"an HDF5 file that holds the {kind}; may be repeated",
        )  # fmt: skip
    parser.add_argument(
        "--metadata", metavar="NAME=VALUE", action="append", default=[],
        help="correct what the scan states or does not: energy_kev, distance_mm, pixel_size_um, exposure_s, "
        "angle_range_deg or sample; may be repeated",
    )  # fmt: skip


def opening_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """How the scan is to be opened, as `open_scan` takes it. Raises UsageFault."""
    from stp3.metadata import Metadata

    values = dict(_change(text, "--metadata takes NAME=VALUE, such as energy_kev=25") for text in arguments.metadata)
    opening = {
        "metadata": Metadata.of(values).stated() if values else None,
        "layout": arguments.layout,
        "flats": [str(path.absolute()) for path in arguments.flats],
        "darks": [str(path.absolute()) for path in arguments.darks],
    }
    return {name: value for name, value in opening.items() if value}


def add_recipe(parser: Any) -> None:
    """--recipe and --set."""
    parser.add_argument("--recipe", metavar="FILE", type=Path, help="the steps (default: `stp3 recipe default`)")
    add_changes(parser)


def add_changes(parser: Any) -> None:
    """--set."""
    parser.add_argument(
        "--set", metavar="STEP.PARAMETER=VALUE", action="append", default=[], dest="changes",
        help="change one parameter of the recipe; STEP.on=false switches a step off; may be repeated",
    )  # fmt: skip


def recipe_of(arguments: argparse.Namespace) -> Recipe:
    """The recipe that --recipe and --set ask for. Raises RecipeFault."""
    from stp3.recipe import Recipe

    return changed(Recipe.load(arguments.recipe) if arguments.recipe else Recipe.default(), arguments)


def changed(recipe: Recipe, arguments: argparse.Namespace) -> Recipe:
    """The recipe with what --set asks for. Raises RecipeFault."""
    return recipe.with_values(dict(_change(text) for text in arguments.changes))


def _change(text: str, usage: str = "--set takes STEP.PARAMETER=VALUE, such as fbp.filter=hann") -> tuple[str, Any]:
    import yaml

    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UsageFault(f"{usage}, got {text!r}.")
    try:
        return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        return key.strip(), value


def row_range(text: str) -> range:
    """`A:B` as rows A to B - 1; for argparse."""
    try:
        start, stop = (int(part) for part in text.split(":"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"takes A:B, the first row and the one after the last, got {text!r}") from None
    return range(start, stop)


def show(arguments: argparse.Namespace, content: Any, lines: Iterable[str]) -> int:
    """Prints the result on stdout, as JSON or as text; 0, the exit code of work done."""
    if arguments.json:
        print(json.dumps(content, ensure_ascii=False, allow_nan=False))
    else:
        for line in lines:
            print(line)
    return 0


def table(rows: Sequence[Sequence[object]], indent: str = "") -> list[str]:
    """Lines with aligned columns; the last column is left as long as it is."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)][:-1]
    return [
        (indent + "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])).rstrip()
        for row in texts
    ]
