"""Grants, codes and tokens of the practice office, kept in memory."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field, replace
from typing import Any

from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc6749.authorization_server import AuthorizationServer
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from joserfc.jwk import RSAKey

from .people import People, PracticePerson

CODE_SECONDS = 120
TOKEN_SECONDS = 3600
REFRESH_SECONDS = 30 * 86400


@dataclass(frozen=True)
class Client(ClientMixin):  # type: ignore[misc]
    """The one hub this office knows."""

    client_id: str
    client_secret: str
    redirect_uri: str

    def get_client_id(self) -> str:
        """Its name."""
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        """Where codes go."""
        return self.redirect_uri

    def get_allowed_scope(self, scope: str) -> str:
        """What of the asked scopes it may have."""
        return " ".join(word for word in scope.split() if word in {"openid", "profile", "email", "visits"})

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Exactly the one."""
        return redirect_uri == self.redirect_uri

    def check_client_secret(self, client_secret: str) -> bool:
        """Whether the secret is right."""
        return secrets.compare_digest(client_secret, self.client_secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Name and secret in the header only."""
        return method == "client_secret_basic"

    def check_response_type(self, response_type: str) -> bool:
        """The code flow only."""
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        """Codes, and refreshing."""
        return grant_type in {"authorization_code", "refresh_token"}


@dataclass(frozen=True)
class Code:
    """A code on its way through the browser."""

    code: str
    sub: str
    redirect_uri: str
    scope: str
    nonce: str | None
    code_challenge: str
    code_challenge_method: str
    auth_time: int = field(default_factory=lambda: int(time.time()))
    until: float = field(default_factory=lambda: time.monotonic() + CODE_SECONDS)

    def get_redirect_uri(self) -> str:
        """Where it was sent."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """What it is good for."""
        return self.scope

    def get_nonce(self) -> str | None:
        """The client's nonce, if it sent one."""
        return self.nonce

    def get_auth_time(self) -> int:
        """When the person logged in."""
        return self.auth_time

    def get_acr(self) -> None:
        """Not told."""

    def get_amr(self) -> None:
        """Not told."""


@dataclass(frozen=True)
class Token:
    """An access token and the one that renews it."""

    sub: str
    scope: str
    access_token: str
    refresh_token: str | None
    until: float
    refresh_until: float

    def check_client(self, client: Client) -> bool:
        """There is one client only."""
        return True

    def get_scope(self) -> str:
        """What it is good for."""
        return self.scope

    def get_expires_in(self) -> int:
        """Seconds it is valid for."""
        return TOKEN_SECONDS


class Ledger:
    """Codes and tokens that were given out; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._codes: dict[str, Code] = {}
        self._tokens: dict[str, Token] = {}

    def keep_code(self, code: Code) -> None:
        """Remember a code."""
        with self._lock:
            self._codes[code.code] = code

    def code(self, text: str) -> Code | None:
        """The code of this text while it is fresh."""
        code = self._codes.get(text)
        return code if code and code.until > time.monotonic() else None

    def drop_code(self, code: Code) -> None:
        """A code is good for once."""
        with self._lock:
            self._codes.pop(code.code, None)

    def keep_token(self, sub: str, answer: dict[str, Any]) -> None:
        """Remember a token that was given out."""
        now = time.monotonic()
        refresh = answer.get("refresh_token")
        token = Token(
            sub, answer.get("scope", ""), answer["access_token"], refresh, now + TOKEN_SECONDS, now + REFRESH_SECONDS
        )
        with self._lock:
            self._tokens[token.access_token] = token

    def token(self, access_token: str) -> Token | None:
        """The token of this text while it is valid."""
        token = self._tokens.get(access_token)
        return token if token and token.until > time.monotonic() else None

    def refreshable(self, refresh_token: str) -> Token | None:
        """The token that this one renews."""
        now = time.monotonic()
        return next(
            (t for t in self._tokens.values() if t.refresh_token == refresh_token and t.refresh_until > now), None
        )

    def retire(self, token: Token) -> None:
        """A renewed token cannot be renewed again."""
        with self._lock:
            self._tokens[token.access_token] = replace(token, refresh_token=None)


def register_grants(server: AuthorizationServer, people: People, ledger: Ledger, key: RSAKey, issuer: str) -> None:
    """Teach `server` the code flow with PKCE and id tokens, and refreshing."""

    class CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
        TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic"]  # noqa: RUF012

        def save_authorization_code(self, code: str, request: Any) -> None:
            data = request.payload.data
            ledger.keep_code(
                Code(
                    code,
                    request.user.sub,
                    request.payload.redirect_uri,
                    request.scope or "",
                    data.get("nonce"),
                    data.get("code_challenge", ""),
                    data.get("code_challenge_method", ""),
                )
            )

        def query_authorization_code(self, code: str, client: Client) -> Code | None:
            return ledger.code(code)

        def delete_authorization_code(self, authorization_code: Code) -> None:
            ledger.drop_code(authorization_code)

        def authenticate_user(self, authorization_code: Code) -> PracticePerson | None:
            return people.find(authorization_code.sub)

    class IdToken(OpenIDCode):  # type: ignore[misc]
        def exists_nonce(self, nonce: str, request: Any) -> bool:
            return any(code.nonce == nonce for code in list(ledger._codes.values()))

        def get_jwt_config(self, grant: Any) -> dict[str, Any]:
            return {"key": key.as_dict(private=True), "alg": "RS256", "iss": issuer, "exp": TOKEN_SECONDS}

        def generate_user_info(self, user: PracticePerson, scope: str) -> UserInfo:
            return UserInfo(sub=user.sub)

    class RefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]
        TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic"]  # noqa: RUF012
        INCLUDE_NEW_REFRESH_TOKEN = True

        def authenticate_refresh_token(self, refresh_token: str) -> Token | None:
            return ledger.refreshable(refresh_token)

        def authenticate_user(self, refresh_token: Token) -> PracticePerson | None:
            return people.find(refresh_token.sub)

        def revoke_old_credential(self, refresh_token: Token) -> None:
            ledger.retire(refresh_token)

    server.register_grant(CodeGrant, [IdToken(require_nonce=False), CodeChallenge(required=True)])
    server.register_grant(RefreshGrant)
