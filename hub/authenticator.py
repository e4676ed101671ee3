"""Login at the user office, and how long it holds: whatever the office, one model of a person, refreshed alike.

The office is asked again every `refresh_seconds` and before each server is started. Who has lost a visit or a role
loses the running servers, and with them their downloads. While the office does not answer, what it said last holds
for `office_grace_seconds`, for what runs already; nobody enters and nothing is started.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from jupyterhub.auth import Authenticator
from tornado import web

from .admission import admit
from .models import Person, Role
from .settings import Settings
from .user_office.base import Credential, LoginNeeded, NoEntry, OfficeDown, OfficeFault, UserOffice

REFUSED = "The user office lists no visit and no role for you here. Ask your local contact to add you to the visit."
NOT_KNOWN = "The user office does not know this login (any more). Please go back to the home page and log in again."
DOWN = "The user office cannot be asked just now, so nobody can be let in. Please try again in a few minutes."


class Refused(web.HTTPError):
    """Nobody enters; the page says why. `fault` is what the office said."""

    def __init__(self, fault: OfficeFault) -> None:
        words = DOWN if isinstance(fault, OfficeDown) else NOT_KNOWN if isinstance(fault, LoginNeeded) else REFUSED
        super().__init__(503 if isinstance(fault, OfficeDown) else 403, words)
        self.fault = fault


class OfficeAuthenticator(Authenticator):  # type: ignore[misc]
    """What the logins of all offices share. `settings` and `office` are set by `configure_authenticator`."""

    settings: Settings
    office: UserOffice

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with suppress(RuntimeError):  # without a running hub there is nobody to watch over
            self._watching = asyncio.get_running_loop().create_task(self._watch())

    def normalize_username(self, username: str) -> str:
        """The name as it is: `admission.username` has made it canonical, once."""
        return username

    async def entered(self, credential: Credential, **kept: Any) -> dict[str, Any]:
        """The hub's model of the person behind a credential, `kept` beside it; raises OfficeFault."""
        person = await admit(self.office, credential, self.settings.access, datetime.now(UTC))
        return {
            "name": person.username,
            "admin": Role.ADMIN in person.roles,
            "groups": list(person.groups),
            "auth_state": {
                "secret": credential.secret,
                "name": credential.name,
                "person": person.model_dump(mode="json"),
                "checked": time.time(),
                **kept,
            },
        }

    async def again(self, state: dict[str, Any]) -> dict[str, Any]:
        """The model as the office sees the person of a stored state now; raises OfficeFault."""
        return await self.entered(Credential(secret=state["secret"], name=state["name"]))

    async def check_allowed(self, username: str, auth_model: dict[str, Any] | None) -> bool:
        """Whether the person may enter: never without an answer of the office about this very person."""
        person = person_in(auth_model and auth_model.get("auth_state"))
        return person is not None and bool(person.roles) and person.username == username

    async def refresh_user(self, user: Any, handler: Any = None, **kwargs: Any) -> bool | dict[str, Any]:
        """The model as the office sees the person now; True where what it said last still holds; False: log in again.

        Who has lost a visit or a role loses the running servers too: they were told of it when they started.
        """
        state = await user.get_auth_state()
        if person_in(state) is None:
            return False
        before = {group.name for group in user.groups}
        try:
            model = await self.again(state)
        except (OfficeDown, LoginNeeded) as fault:
            return await self._not_known(user, state, fault)
        except NoEntry as fault:
            self.log.warning("%s has no entry any more: %s", user.name, fault)
            await self._stop_servers(user)
            return False
        if model["name"] != user.name:
            return False
        if before - set(model["groups"]):
            await self._stop_servers(user)
        return model

    async def _not_known(self, user: Any, state: dict[str, Any], fault: OfficeFault) -> bool:
        """Whether what the office said last still holds; past the grace, servers are stopped."""
        age = time.time() - state["checked"]
        self.log.warning("the office's answer about %s is %d s old: %s", user.name, age, fault)
        if age > self.settings.refresh_seconds + self.settings.office_grace_seconds:
            await self._stop_servers(user)
            return False
        return isinstance(fault, OfficeDown)

    async def _stop_servers(self, user: Any) -> None:
        for name, spawner in list(user.spawners.items()):
            if spawner.ready and not spawner.pending:
                self.log.warning("stopping server %r of %s, who may not have it any more", name, user.name)
                await self.parent.proxy.delete_user(user, name)
                await user.stop(name)

    async def _watch(self) -> None:
        """Look again at who has a running server, whether their browser asks for anything or not."""
        pause = max(self.settings.refresh_seconds / 2, 0.5)
        while True:
            await asyncio.sleep(pause)
            for user in [user for user in self.parent.users.values() if user.active]:
                fresh = user._auth_refreshed and time.monotonic() - user._auth_refreshed < pause
                try:
                    if not fresh:
                        await self._look_again(user)
                except Exception:
                    self.log.exception("%s could not be looked at again", user.name)

    async def _look_again(self, user: Any) -> None:
        model = await self.refresh_user(user)
        if isinstance(model, dict):
            if user.admin != model["admin"]:
                user.admin = model["admin"]
            user.sync_groups(model["groups"])  # commits
            await user.save_auth_state(model["auth_state"])
            user._auth_refreshed = time.monotonic()


def person_in(state: dict[str, Any] | None) -> Person | None:
    """The person of a stored state; None where there is none, or one of an older version."""
    try:
        return Person.model_validate(state["person"]) if state else None
    except (KeyError, ValueError):
        return None
