"""The command ``stp3-hub``, for operators."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from pydantic import ValidationError

from . import backup, check
from .proxy_setup import node_program, proxy_script
from .settings import CHECKOUT, Settings, inherited_environment, operators_file
from .user_office.base import first_words
from .user_office.table import hash_password

SHORTEST_PASSWORD = 10


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0, 1 where something is wrong, 2 for a call that is off."""
    arguments = _parser().parse_args(argv)
    if arguments.command == "password":
        print(hash_password(_new_password()))
        return 0
    if arguments.command == "check":
        return check.main(as_json=arguments.json)
    try:
        settings = Settings()
    except ValidationError as fault:
        print(f"stp3-hub: {operators_file()}: {first_words(fault)}", file=sys.stderr)
        return 1
    if arguments.command in {"backup", "restore"}:
        return backup.main(arguments.command, arguments.archive, settings)
    if arguments.command == "start":
        start_hub()
    return start_proxy(settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stp3-hub", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    checked = commands.add_parser("check", help="try all the hub depends on; say what is wrong and how to mend it")
    checked.add_argument("--json", action="store_true", help="for programs")
    commands.add_parser("start", help="open the door (what the service stp3-hub runs)")
    commands.add_parser("proxy", help="start the proxy (what the service stp3-proxy runs)")
    commands.add_parser("password", help="ask for a password and print what stands for it in a table of people")
    for name, words in {
        "backup": "write the hub's databases, secrets and settings into one archive",
        "restore": "put them back, into a runtime folder without a hub",
    }.items():
        commands.add_parser(name, help=words).add_argument("archive", type=Path)
    return parser


def start_hub() -> NoReturn:
    """Become the hub."""
    command = [sys.executable, "-m", "jupyterhub", "--config", str(CHECKOUT / "jupyterhub_config.py")]
    os.execv(command[0], command)  # noqa: S606


def start_proxy(settings: Settings) -> int:
    """Become the proxy, or 1; its token goes through the environment, never on the command line."""
    node = node_program()
    if node is not None and proxy_script().exists():
        command = [str(node), str(proxy_script()), "--ip", settings.address, "--port", str(settings.port)]
        command += ["--api-ip", "127.0.0.1", "--api-port", str(settings.proxy_port), "--log-level", "warn"]
        command += ["--error-target", f"http://127.0.0.1:{settings.hub_port}/hub/error"]
        environment = inherited_environment(CONFIGPROXY_AUTH_TOKEN=settings.secret("proxy").hex())
        os.execve(command[0], command, environment)  # noqa: S606
    print(f"stp3-hub: the proxy is not installed: {sys.executable} -m stp3_hub.proxy_setup", file=sys.stderr)
    return 1


def _new_password() -> str:
    """A password typed twice, or the first line of a pipe."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first, second = getpass.getpass("Password: "), getpass.getpass("Again: ")
    if first != second or len(first) < SHORTEST_PASSWORD:
        sys.exit(f"stp3-hub: the two must be the same and at least {SHORTEST_PASSWORD} letters long; nothing was made.")
    return first


if __name__ == "__main__":
    sys.exit(main())
