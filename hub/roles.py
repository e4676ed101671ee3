"""Who may do what at the hub: scopes as a table, checked against the hub's own list of scopes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyterhub.scopes import scope_definitions

# name of the role -> (who holds it, scopes). The hub's built-in "user" role is narrowed: no tokens, no groups,
# no listing of others. `servers` rather than `start:servers`, or the start page itself is refused.
ROLES: Mapping[str, tuple[Mapping[str, list[str]], tuple[str, ...]]] = {
    "user": (
        {},
        (
            *("read:users!user", "users:activity!user", "servers!user", "access:servers!user"),
            "access:services!service=jobs",
        ),
    ),
    "scientist": ({"groups": ["role:scientist"]}, ("self",)),
    "idle-culler": (
        {"services": ["idle-culler"]},
        ("list:users", "read:users:activity", "read:servers", "delete:servers"),
    ),
}

# What a person's server may do with its own token. Without `users:activity!user` it could not report activity.
# The others let it ask the job service in its person's name.
SERVER_SCOPES = (
    "users:activity!user",
    "access:servers!server",
    "access:services!service=jobs",
    "read:users:name!user",
    "read:users:groups!user",
)


def unknown_scopes(scopes: tuple[str, ...]) -> list[str]:
    """The scopes this hub does not know."""
    return [scope for scope in scopes if scope.partition("!")[0] not in scope_definitions]


def configure_roles(c: Any) -> None:
    """Write the roles into the hub's configuration; raises ValueError at a misspelt scope."""
    for name, (_, scopes) in ROLES.items():
        if unknown := unknown_scopes(scopes):
            raise ValueError(f"role {name} holds scopes the hub does not know: {', '.join(unknown)}")
    c.JupyterHub.load_roles = [
        {"name": name, "scopes": list(scopes), **holders} for name, (holders, scopes) in ROLES.items()
    ]
    c.Spawner.server_token_scopes = list(SERVER_SCOPES)
