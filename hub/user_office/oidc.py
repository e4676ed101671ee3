"""Any OpenID provider: identity from the userinfo endpoint, visits from a claim, a JSON endpoint or a table.

Nothing is read out of an id token: its signature would have to be checked first, and userinfo says the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, ValidationError, model_validator

from ..models import Visit
from .base import (
    STRANGER,
    Credential,
    Identity,
    NoEntry,
    OfficeDown,
    OfficeOptions,
    UserOffice,
    first_words,
    understood_visits,
)
from .line import ask_json, bearer
from .table import Table

ENDPOINTS = {
    "authorize_url": "authorization_endpoint",
    "token_url": "token_endpoint",
    "userinfo_url": "userinfo_endpoint",
    "logout_url": "end_session_endpoint",
}


class OidcOptions(OfficeOptions):
    """An OpenID provider."""

    issuer: str = Field(default="", description="found out from here: the four addresses")
    authorize_url: str = ""
    token_url: str = ""
    userinfo_url: str = ""
    logout_url: str = ""
    client_id: str = "stp3"
    client_secret_file: Path | None = Field(default=None, description="file (0600) with this hub's secret")
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    id_claim: str = Field(default="sub", description="the id that never changes; never an e-mail address")
    visits_claim: str = Field(default="visits", description="path to the visits, such as stp3.visits; empty: none")
    roles_claim: str = Field(default="roles", description="path to roles or groups; empty: none")
    beamlines_claim: str = Field(default="", description="path to the beamlines a local contact serves")
    unix_name_claim: str = ""
    uid_claim: str = ""
    gid_claim: str = ""
    endpoint_url: str = Field(
        default="", description="asked with the access token; its answer is the claim 'endpoint' for all paths above"
    )
    endpoint_header: str = Field(default="Authorization", description="carries the token; Authorization: as Bearer")
    visits_table: Path | None = Field(default=None, description="YAML file of visits, besides the claim")

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if not self.issuer and not (self.authorize_url and self.token_url and self.userinfo_url):
            raise ValueError("office.issuer is missing (or authorize_url, token_url and userinfo_url)")
        if "email" in self.id_claim:
            raise ValueError("office.id_claim must be an id that never changes, not an e-mail address")
        return self


class Oidc(UserOffice):
    """Asks the userinfo endpoint with the access token of the login."""

    Options: ClassVar[type[OfficeOptions]] = OidcOptions
    login = "redirect"
    own_words: ClassVar[bool] = True

    def __init__(self, options: OidcOptions) -> None:
        self.options = options
        self._found: dict[str, str] = {}

    async def addresses(self) -> dict[str, str]:
        """The provider's addresses by `ENDPOINTS`, asked for once; raises OfficeDown."""
        told = {name: getattr(self.options, name) for name in ENDPOINTS}
        if self.options.issuer and not self._found:
            url = f"{self.options.issuer.rstrip('/')}/.well-known/openid-configuration"
            answer = await ask_json("GET", url, seconds=self.options.seconds)
            if not isinstance(answer, dict) or answer.get("issuer") != self.options.issuer:
                raise OfficeDown(f"{url} does not describe the issuer {self.options.issuer}")
            self._found = {name: _text(answer.get(key)) for name, key in ENDPOINTS.items()}
        return {name: address or self._found.get(name, "") for name, address in told.items()}

    async def identify(self, credential: Credential) -> Identity:
        """The person behind the access token."""
        return self._identity(await self.claims(credential))

    async def visits(self, credential: Credential, identity: Identity, now: datetime) -> tuple[Visit, ...]:
        """The visits of claim and table."""
        claims = await self.claims(credential)
        path = self.options.visits_claim
        listed = _at(claims, path) if path else None
        found = () if listed is None else understood_visits(listed, f"the claim {path!r}")
        more = Table(self.options.visits_table).visits_of(identity) if self.options.visits_table else ()
        known = {visit.id for visit in found}
        return (*found, *(visit for visit in more if visit.id not in known))

    async def claims(self, credential: Credential) -> dict[str, Any]:
        """What userinfo and endpoint say; raises OfficeFault."""
        url = (await self.addresses())["userinfo_url"]
        claims = await ask_json("GET", url, seconds=self.options.seconds, headers=bearer(credential.secret))
        if not isinstance(claims, dict):
            raise OfficeDown(f"userinfo must be a JSON object, got {type(claims).__name__}")
        if self.options.endpoint_url:
            claims["endpoint"] = await self._endpoint(credential.secret)
        return claims

    async def probe(self) -> str:
        """The addresses, and that userinfo refuses strangers."""
        addresses = await self.addresses()
        for name in ("authorize_url", "token_url", "userinfo_url"):
            if not addresses[name]:
                raise OfficeDown(f"the provider names no {ENDPOINTS[name]}")
        try:
            await self.claims(STRANGER)
        except NoEntry:
            return f"{addresses['userinfo_url']} answers, and refuses strangers"
        raise OfficeDown(f"{addresses['userinfo_url']} answers to a token that nobody gave out")

    async def _endpoint(self, token: str) -> Any:
        header = self.options.endpoint_header
        headers = bearer(token) if header == "Authorization" else {header: token}
        return await ask_json("GET", self.options.endpoint_url, seconds=self.options.seconds, headers=headers)

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        options = self.options
        if not isinstance(_at(claims, options.id_claim), str):
            raise NoEntry(f"the claim {options.id_claim!r} must be text")
        named = {"unix_name": options.unix_name_claim, "uid": options.uid_claim, "gid": options.gid_claim}
        more = {key: found for key, path in named.items() if path and (found := _at(claims, path)) is not None}
        try:
            return Identity(
                id=_at(claims, options.id_claim),
                display_name=_text(claims.get("name")),
                email=_text(claims.get("email")),
                words=_words(claims, options.roles_claim),
                beamlines=_words(claims, options.beamlines_claim),
                **more,
            )
        except ValidationError as fault:
            raise OfficeDown(f"userinfo cannot be understood: {first_words(fault)}") from None


def _at(claims: Mapping[str, Any], path: str) -> Any:
    """What stands at a path such as ``stp3.visits``; None where nothing does. A claim with dots in its name wins."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _words(claims: Mapping[str, Any], path: str) -> frozenset[str]:
    words = _at(claims, path) if path else None
    if words is not None and not (isinstance(words, list) and all(isinstance(word, str) for word in words)):
        raise OfficeDown(f"the claim {path!r} must be a list of words")
    return frozenset(words or ())


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
