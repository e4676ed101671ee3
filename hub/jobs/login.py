"""Who asks: by a token of the hub, or by a session begun at the hub (OAuth code flow with PKCE; tokens stay here).

A request that changes something by the cookie of a session must come from a page of this service: it carries the
session's own word, and no other origin.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fastapi import HTTPException, Request
from fastapi.responses import RedirectResponse
from jupyterhub.services.auth import HubOAuth
from tornado.httputil import url_concat

COOKIE = "stp3-jobs"
SESSION_SECONDS = 8 * 3600
STATE_SECONDS = 600
MOST_ENTRIES = 2000
READING = {"GET", "HEAD", "OPTIONS"}
XSRF_HEADER = "x-xsrftoken"


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

    def __init__(self, auth: HubOAuth, prefix: str, trusted_seconds: float = 0.0) -> None:
        self.auth = auth
        self.prefix = prefix
        self.sessions = Vault(SESSION_SECONDS)
        self.states = Vault(STATE_SECONDS)
        self._known: dict[str, tuple[float, dict[str, Any]]] = {}
        self._trusted_seconds = trusted_seconds

    async def user(self, request: Request) -> dict[str, Any]:
        """The hub's record of who asks; raises LoginNeeded, or 403 where the hub does not grant access.

        `xsrf` in it is the word of the session that a form must carry; empty for who comes with a token.
        """
        header = request.headers.get("authorization", "")
        scheme, _, token = header.partition(" ")
        xsrf = ""
        if scheme.lower() not in {"token", "bearer"}:
            token, xsrf = self.sessions.get(request.cookies.get(COOKIE)) or ("", "")
        user = await self._user_of(token) if token.isascii() and token else None
        if user is None:
            raise LoginNeeded
        if not self.auth.check_scopes(self.auth.access_scopes, user):
            raise HTTPException(403, "This service is not for you.")
        if xsrf and request.method not in READING:
            await _require_own_page(request, xsrf)
        return {**user, "xsrf": xsrf}

    async def _user_of(self, token: str) -> dict[str, Any] | None:
        """Whose token it is; asked anew after a moment, so a role that was taken away does not count for long."""
        key, now = hashlib.sha256(token.encode()).hexdigest(), time.monotonic()
        until, user = self._known.get(key, (0.0, {}))
        if until > now:
            return user
        found = await self.auth.user_for_token(token, use_cache=False, sync=False)
        self._known = {other: entry for other, entry in self._known.items() if entry[0] > now}
        if found and len(self._known) < MOST_ENTRIES:
            self._known[key] = (now + self._trusted_seconds, dict(found))
        return dict(found) if found else None

    def begin(self, path: str) -> RedirectResponse:
        """Send the browser to the hub, and afterwards to `path`."""
        verifier, challenge, method = self.auth.generate_pkce_code_challenge()
        state = self.states.put((verifier, path))
        parameters = {"state": state, "code_challenge": challenge, "code_challenge_method": method}
        response = RedirectResponse(url_concat(self.auth.login_url, parameters), 302)
        self._set_cookie(response, f"{COOKIE}-state", state, STATE_SECONDS)
        return response

    async def finish(self, request: Request, code: str, state: str) -> RedirectResponse:
        """Take the browser's code; 403 where this browser did not begin the login."""
        begun = request.cookies.get(f"{COOKIE}-state", "")
        verifier, path = self.states.take(state) or (None, "")
        if verifier is None or not secrets.compare_digest(begun.encode(), state.encode()):
            raise HTTPException(403, "This login was not begun here or is too old. Open the page again.")
        token = await self.auth.token_for_code(code, code_verifier=verifier, sync=False)
        response = RedirectResponse(path, 302)
        session = self.sessions.put((token, secrets.token_urlsafe(24)))
        self._set_cookie(response, COOKIE, session, SESSION_SECONDS)
        response.delete_cookie(f"{COOKIE}-state", path=self.prefix)
        return response

    def _set_cookie(self, response: RedirectResponse, name: str, value: str, seconds: int) -> None:
        response.set_cookie(name, value, max_age=seconds, path=self.prefix, httponly=True, samesite="lax")


async def _require_own_page(request: Request, xsrf: str) -> None:
    """Raises 403 unless a page of this service sent the request."""
    origin = request.headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    given = request.headers.get(XSRF_HEADER) or await _field_of_form(request)
    site = request.headers.get("sec-fetch-site", "same-origin")
    if foreign or site != "same-origin" or not secrets.compare_digest(given.encode(), xsrf.encode()):
        raise HTTPException(403, "This was not sent by a page of this service. Open the page again.")


async def _field_of_form(request: Request) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0]
    if kind != "application/x-www-form-urlencoded":
        return ""
    fields = parse_qs((await request.body()).decode("ascii", errors="replace"))
    return fields.get("xsrf", [""])[0]
