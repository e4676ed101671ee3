"""Under which account of this machine a person's servers run.

Their own, where the hub runs as root and the office, or the site's table, names one. Otherwise a number of their own
out of a range that nobody else has, in one group that may read the visits' data: then STP3 alone keeps visits apart,
so there is no JupyterLab. A hub that is not root can only use its own account.
"""

from __future__ import annotations

import fcntl
import grp
import json
import os
import pwd
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from .models import Person
from .processes import no_new_privileges
from .settings import Settings


class AccountFault(Exception):
    """There is no account for this person; the text, for the person, says whom to ask."""


@dataclass(frozen=True)
class Account:
    """Numbers of an account, and how it came about."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    kind: Literal["own", "guest", "hub"]


HUBS = Account(os.getuid(), os.getgid(), (), "hub")


def account_of(person: Person, settings: Settings) -> Account:
    """The account for a person's servers; raises AccountFault."""
    if os.getuid() != 0 or settings.practice:
        return HUBS
    uid, gid, groups = _own(person, settings)
    if uid is None or gid is None:
        return _guest(person, settings)
    if uid < settings.lowest_uid or gid < settings.lowest_gid:
        raise AccountFault(
            f"The user office gives you the account {uid}:{gid}, which belongs to the machine (people's begin at "
            f"{settings.lowest_uid}:{settings.lowest_gid}). Ask your local contact to have it put right."
        )
    return Account(uid, gid, groups, "own")


def become(account: Account) -> None:
    """Make this process that account's, for good; to be called between fork and exec."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if account.kind != "hub":
        os.setgroups(account.groups)
        os.setresgid(account.gid, account.gid, account.gid)
        os.setresuid(account.uid, account.uid, account.uid)
        no_new_privileges()


def warning(settings: Settings) -> str:
    """What administrators must know about accounts; empty where everybody has their own."""
    if settings.practice:
        return ""
    if os.getuid() != 0:
        return (
            "The hub does not run as root: all servers share its account, and STP3 alone keeps people apart. "
            "There is no JupyterLab."
        )
    if settings.guest_uids:
        return (
            "People without an account of their own are kept apart by numbers, and all of them may read what the group "
            f"{settings.guest_group} may read: STP3 alone keeps their visits apart. They have no JupyterLab."
        )
    return ""


def _own(person: Person, settings: Settings) -> tuple[int | None, int | None, tuple[int, ...]]:
    """The numbers that the site's table, the office, or the machine's list of accounts give, in this order."""
    name = _table(settings.accounts).get(person.username, "") if settings.accounts else ""
    if not name and person.uid is not None:
        try:
            name = pwd.getpwuid(person.uid).pw_name
        except KeyError:
            return person.uid, person.gid, () if person.gid is None else (person.gid,)
    try:
        entry = pwd.getpwnam(name or person.unix_name)
    except (KeyError, ValueError):
        if name:
            raise AccountFault(f"There is no account {name} on this machine. Ask your local contact.") from None
        return None, None, ()
    return entry.pw_uid, entry.pw_gid, tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))


def _table(path: Path) -> dict[str, str]:
    """Names of accounts by the hub's name of a person."""
    try:
        rows = yaml.safe_load(path.read_bytes()) or {}
    except (OSError, yaml.YAMLError):
        rows = None
    if not isinstance(rows, dict) or not all(isinstance(value, str) for value in rows.values()):
        raise AccountFault("The facility's table of accounts cannot be read. Ask your local contact to have it mended.")
    return {str(key): value for key, value in rows.items()}


def _guest(person: Person, settings: Settings) -> Account:
    if settings.guest_uids is None:
        raise AccountFault("You have no account on this machine yet. Ask your local contact to have one made.")
    try:
        gid = grp.getgrnam(settings.guest_group).gr_gid
    except KeyError:
        raise AccountFault(f"The group {settings.guest_group} is missing on this machine.") from None
    uid = _number(person.username, settings.var / "guests.json", *settings.guest_uids)
    return Account(uid, gid, (gid,), "guest")


def _number(name: str, path: Path, first: int, last: int) -> int:
    """The number of a guest, the same for ever."""
    with open(path, "a+", opener=lambda file, flags: os.open(file, flags, 0o600)) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        numbers: dict[str, int] = json.loads(file.read() or "{}")
        if name not in numbers:
            free = max([first - 1, *numbers.values()]) + 1
            if free > last:
                raise AccountFault(f"All guest numbers up to {last} are given out. Ask your local contact.")
            numbers[name] = free
            part = path.with_suffix(".part")
            part.write_text(json.dumps(numbers))
            part.chmod(0o600)
            part.replace(path)
        return numbers[name]
