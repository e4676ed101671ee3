"""The command ``stp3-hub``, for operators."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Sequence

from .user_office.table import hash_password


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="stp3-hub", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("password", help="ask for a password and print what stands for it in a table of people")
    parser.parse_args(argv)
    print(hash_password(_new_password()))
    return 0


def _new_password() -> str:
    """A password typed twice, or the first line of a pipe."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first, second = getpass.getpass("Password: "), getpass.getpass("Again: ")
    if first != second or len(first) < 10:
        sys.exit("stp3-hub: the two must be the same and at least 10 letters long; nothing was made.")
    return first
