"""The command line. Exit code 0: done, 1: the work failed, 2: the call is off; faults are one sentence on stderr."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from stp3 import __version__, cli_jobs, cli_recipes, cli_scans, cli_volumes
from stp3.errors import Stp3Error, UsageFault

_EXAMPLES = """\
from a scan to a volume:
  stp3 practice scan.h5 --columns 512 --rows 32 --faults rings,noise    a scan to practise on
  stp3 info scan.h5                                                     what is in it, what is wrong with it
  stp3 check scan.h5                                                    whether it can be reconstructed as it is
  stp3 axis scan.h5                                                     where its rotation axis is
  stp3 preview scan.h5 --row 16 -o slice.tif                            one slice
  stp3 recipe default > recipe.yaml                                     the steps, to be edited
  stp3 run scan.h5 --recipe recipe.yaml -o volume                       all slices
  stp3 jobs                                                             how the work stands
  stp3 verify volume                                                    whether its files are what was written
  stp3 convert volume other --format zarr                               the same in another format

`stp3 COMMAND --help` explains each. SCAN is a file, or a folder that holds one scan.
"""


class Parser(argparse.ArgumentParser):
    """argparse in our manner: full option names, examples kept as written, a fault in one line."""

    def __init__(self, *args: object, **options: object) -> None:
        options = {"allow_abbrev": False, "formatter_class": argparse.RawDescriptionHelpFormatter, **options}
        super().__init__(*args, **options)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        print(f"stp3: {message}. See `{self.prog} --help`.", file=sys.stderr)
        raise SystemExit(2)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; gives the exit code."""
    try:
        arguments = build_parser().parse_args(argv)
    except SystemExit as done:
        return int(done.code or 0)
    try:
        code: int = arguments.command(arguments)
        sys.stdout.flush()
    except Stp3Error as fault:
        print(f"stp3: {fault}", file=sys.stderr)
        return 2 if isinstance(fault, UsageFault) else 1
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("stp3: stopped.", file=sys.stderr)
        return 1
    except Exception:
        print(f"stp3: {_logged()}", file=sys.stderr)
        return 1
    return code


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; nothing heavy is imported for it."""
    parser = Parser(prog="stp3", description="Interactive tomography, from a scan to a volume.", epilog=_EXAMPLES)
    parser.add_argument("--version", action="version", version=f"stp3 {__version__}")
    parser.set_defaults(json=False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    for module in (cli_scans, cli_jobs, cli_volumes, cli_recipes):
        module.add_commands(commands)
    return parser


def _logged() -> str:
    """Writes the traceback where it can be found again; gives the sentence for the user."""
    import secrets
    import tempfile
    import traceback

    from stp3 import config

    reference = secrets.token_hex(4)
    for folder in (config.jobs_folder().parent, Path(tempfile.gettempdir())):
        log = folder / "stp3-errors.log"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with open(log, "a", encoding="utf-8") as file:
                file.write(f"Internal error {reference}\n{' '.join(sys.argv)}\n{traceback.format_exc()}\n")
            return f"Internal error {reference}. Details are in {log}; please report it."
        except OSError:
            continue
    return f"Internal error {reference}: {sys.exc_info()[1]!r}. Please report it."


if __name__ == "__main__":
    sys.exit(main())
