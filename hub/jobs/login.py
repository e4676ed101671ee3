"""Login of the jobs page at the hub: OAuth code flow with PKCE; tokens stay in this process."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from fastapi import HTTPException, Request
from fastapi.responses import RedirectResponse
from jupyterhub.services.auth import HubOAuth
from tornado.httputil import url_concat

COOKIE = "stp3-jobs"
SESSION_SECONDS = 8 * 3600
STATE_SECONDS = 600
MOST_ENTRIES = 2000


class LoginNeeded(Exception):
    """The browser must log in at the hub first."""


@dataclass
class Vault:
    """Secrets by random key, forgotten after a time. The browser holds the key alone."""

    seconds: float
    entries: dict[str, tuple[float, Any]] = field(default_factory=dict)

    def put(self, value: Any) -> str:
        """The new key of `value`."""
        now = time.monotonic()
        self.entries = {key: entry for key, entry in self.entries.items() if entry[0] > now}
        while len(self.entries) >= MOST_ENTRIES:
            self.entries.pop(next(iter(self.entries)))
        key = secrets.token_urlsafe(32)
        self.entries[key] = (now + self.seconds, value)
        return key

    def get(self, key: str | None) -> Any:
        """The value of `key`, or None."""
        until, value = self.entries.get(key or "", (0.0, None))
        return value if until > time.monotonic() else None

    def take(self, key: str | None) -> Any:
        """The value of `key`, or None; it is gone afterwards."""
        value = self.get(key)
        self.entries.pop(key or "", None)
        return value


class HubLogin:
    """Lets in whom the hub grants access to this service."""

    def __init__(self, auth: HubOAuth, prefix: str) -> None:
        self.auth = auth
        self.prefix = prefix
        self.sessions = Vault(SESSION_SECONDS)
        self.states = Vault(STATE_SECONDS)

    async def user(self, request: Request) -> dict[str, Any]:
        """The hub's record of who asks; raises LoginNeeded, or 403 where the hub does not grant access."""
        header = request.headers.get("authorization", "")
        scheme, _, given = header.partition(" ")
        token = given if scheme.lower() in {"token", "bearer"} else self.sessions.get(request.cookies.get(COOKIE))
        # always asked anew: a role that was taken away counts at once
        user = await self.auth.user_for_token(token, use_cache=False, sync=False) if token else None
        if user is None:
            raise LoginNeeded
        if not self.auth.check_scopes(self.auth.access_scopes, user):
            raise HTTPException(403, "The list of running jobs is for administrators.")
        return dict(user)

    def begin(self) -> RedirectResponse:
        """Send the browser to the hub."""
        verifier, challenge, method = self.auth.generate_pkce_code_challenge()
        state = self.states.put(verifier)
        parameters = {"state": state, "code_challenge": challenge, "code_challenge_method": method}
        response = RedirectResponse(url_concat(self.auth.login_url, parameters), 302)
        self._set_cookie(response, f"{COOKIE}-state", state, STATE_SECONDS)
        return response

    async def finish(self, request: Request, code: str, state: str) -> RedirectResponse:
        """Take the browser's code; 403 where this browser did not begin the login."""
        begun = request.cookies.get(f"{COOKIE}-state", "")
        verifier = self.states.take(state)
        if verifier is None or not secrets.compare_digest(begun, state):
            raise HTTPException(403, "This login was not begun here or is too old. Open the page again.")
        token = await self.auth.token_for_code(code, code_verifier=verifier, sync=False)
        response = RedirectResponse(self.prefix, 302)
        self._set_cookie(response, COOKIE, self.sessions.put(token), SESSION_SECONDS)
        response.delete_cookie(f"{COOKIE}-state", path=self.prefix)
        return response

    def _set_cookie(self, response: RedirectResponse, name: str, value: str, seconds: int) -> None:
        response.set_cookie(name, value, max_age=seconds, path=self.prefix, httponly=True, samesite="lax")
