"""The kinds of servers, and which one a person gets: decided by group and server name alone.

What a browser sends along (`user_options`) is never looked at.
"""

from __future__ import annotations

from collections.abc import Iterable

from .models import Role, SpawnProfile

DASHBOARDS = SpawnProfile(
    server_name="",
    title="Dashboards",
    roles=frozenset(Role),
    command=("-m", "stp3_hub.dashboard_server"),
    default_url="/",
    own_account=False,
)

LAB = SpawnProfile(
    server_name="lab",
    title="JupyterLab",
    roles=frozenset({Role.SCIENTIST, Role.ADMIN}),
    command=(
        "-m",
        "jupyterhub.singleuser",
        "--LabApp.extension_manager=readonly",
        "--LabApp.news_url=",
        "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
        "--ServerApp.answer_yes=True",
        "--KernelManager.transport=ipc",
        "--ServerApp.sock={socket}",
        "--ServerApp.sock_mode=0600",
    ),
    default_url="/lab",
    own_account=True,
)

PROFILES = {profile.server_name: profile for profile in (DASHBOARDS, LAB)}


class Refusal(Exception):
    """This server is not for this person; the text says which are."""


def roles_of(groups: Iterable[str]) -> frozenset[Role]:
    """The roles among the names of groups."""
    names = {name.removeprefix("role:") for name in groups if name.startswith("role:")}
    return frozenset(role for role in Role if role.value in names)


def visits_of(groups: Iterable[str]) -> frozenset[str]:
    """The ids of visits among the names of groups."""
    return frozenset(name.removeprefix("visit:") for name in groups if name.startswith("visit:"))


def profile_for(server_name: str, groups: Iterable[str]) -> SpawnProfile:
    """The kind of server behind `server_name` for a member of `groups`; raises Refusal."""
    profile = PROFILES.get(server_name)
    if profile is None:
        raise Refusal(f"There is no server named {server_name!r}. Go back to the home page and choose a tile there.")
    if not profile.roles & roles_of(groups):
        raise Refusal(f"{profile.title} is for facility scientists. Your dashboards are on the home page.")
    return profile
