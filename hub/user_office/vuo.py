"""Elettra's Virtual Unified Office: a cookie says who somebody is, an investigation call says where their data lie.

Answers are lines of text: ``OK:<id>:<unix name>:<uid>:<gid>``, or a status and the address of the login page.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, model_validator

from ..models import Visit
from .base import STRANGER, Credential, Identity, LoginNeeded, OfficeDown, OfficeOptions, UserOffice, understood_visits
from .line import ask, ask_json, read_secret
from .oidc import Oidc, OidcOptions
from .table import Table

SESSION = "pls/vuo/vuo_sso.detail"
INVESTIGATION = "pls/vuo/vlab.sm_get_investigation_info"


class VuoOptions(OfficeOptions):
    """A VUO."""

    url: str = Field(description="address of the VUO, such as https://vuo.elettra.eu")
    cookie: str = Field(default="vuo_session", description="name of its session's cookie")
    secret_file: Path | None = Field(
        default=None, description="file (0600) with the secret of the investigation call; none: folders are not asked"
    )
    data_base: str = Field(default="/", description="folder that the investigations' folders are relative to")
    visits_url: str = Field(default="", description="JSON endpoint that lists a session's investigations")
    visits_table: Path | None = Field(default=None, description="YAML file that lists them")
    oidc: OidcOptions | None = Field(default=None, description="log in by OpenID Connect instead of the cookie")

    @model_validator(mode="after")
    def _visits_from_somewhere(self) -> Self:
        if not (self.visits_url or self.visits_table or self.oidc):
            raise ValueError("the VUO lists no visits: set office.visits_url, office.visits_table or office.oidc")
        return self


class Vuo(UserOffice):
    """Asks the VUO with the cookie of the browser, or an OpenID provider where it has one."""

    Options: ClassVar[type[OfficeOptions]] = VuoOptions
    own_words: ClassVar[bool] = True
    login: Literal["redirect", "cookie", "form"]

    def __init__(self, options: VuoOptions) -> None:
        self.options = options
        self.oidc = Oidc(options.oidc) if options.oidc else None
        self.login = "redirect" if self.oidc else "cookie"

    async def identify(self, credential: Credential) -> Identity:
        """The person behind the cookie."""
        if self.oidc:
            return await self.oidc.identify(credential)
        parameters = {"cookie": credential.secret, "what_detail": "unix"}
        status, rest = await self._line(SESSION, parameters)
        if status != "OK":
            raise LoginNeeded(f"the VUO answered {status[:40]!r}", self._own_page(rest))
        fields = rest.split(":")
        if len(fields) != 4:
            raise OfficeDown(f"the VUO described a person in {len(fields)} fields, not in 4")
        user_id, unix_name, uid, gid = fields
        if not (user_id and unix_name and _is_number(uid) and _is_number(gid)):
            raise OfficeDown("the VUO's description of a person cannot be understood")
        try:
            return Identity(id=user_id, display_name=_shown(unix_name), unix_name=unix_name, uid=int(uid), gid=int(gid))
        except ValidationError:
            raise OfficeDown("the VUO's description of a person cannot be understood") from None

    async def visits(self, credential: Credential, identity: Identity, now: datetime) -> tuple[Visit, ...]:
        """The investigations that are listed for the person *and* that the VUO gives a folder for."""
        listed = await self._listed(credential, identity, now)
        if self.options.secret_file is None:
            return listed
        secret = read_secret(self.options.secret_file)
        placed = []
        for visit in listed:
            folder = await self._folder(secret, identity.id, visit.id)
            if folder:
                placed.append(visit.model_copy(update={"data_root": folder}))
        return tuple(placed)

    async def probe(self) -> str:
        """That the VUO refuses a stranger in its own words."""
        if self.oidc:
            return await self.oidc.probe()
        try:
            await self.identify(STRANGER)
        except LoginNeeded as refusal:
            if self.options.secret_file:
                read_secret(self.options.secret_file)
            return f"{self.options.url} answers, and sends strangers to {refusal.address or 'no page'}"
        raise OfficeDown(f"{self.options.url} takes a session that nobody opened")

    async def _listed(self, credential: Credential, identity: Identity, now: datetime) -> tuple[Visit, ...]:
        if self.oidc:
            return await self.oidc.visits(credential, identity, now)
        found: tuple[Visit, ...] = ()
        if self.options.visits_url:
            cookies = {"Cookie": f"{self.options.cookie}={_cookie_text(credential.secret)}"}
            answer = await ask_json("GET", self.options.visits_url, seconds=self.options.seconds, headers=cookies)
            found = understood_visits(answer, self.options.visits_url)
        more = Table(self.options.visits_table).visits_of(identity) if self.options.visits_table else ()
        known = {visit.id for visit in found}
        return (*found, *(visit for visit in more if visit.id not in known))

    async def _folder(self, secret: str, user_id: str, visit: str) -> str:
        """The folder of an investigation; empty where the VUO refuses it to this person."""
        seal = hashlib.sha1(f"{secret}{user_id}{visit}".encode()).hexdigest()  # noqa: S324  # the VUO's own rule
        parameters = {"FRM_HASH": seal, "FRM_USR_ID": user_id, "FRM_INVESTIGATION_ID": visit}
        status, rest = await self._line(INVESTIGATION, parameters)
        if status != "OK":
            return ""
        number, _, folder = rest.partition("/")
        parts = PurePosixPath(folder).parts
        if not _is_number(number) or not parts or ".." in parts:
            raise OfficeDown(f"the VUO's folder of investigation {visit} cannot be understood")
        return str(PurePosixPath(self.options.data_base).joinpath(*parts))

    async def _line(self, path: str, parameters: dict[str, str]) -> tuple[str, str]:
        """Status and rest of the one line that a call answers with; raises OfficeFault."""
        url = f"{self.options.url.rstrip('/')}/{path}"
        body = await ask("GET", url, seconds=self.options.seconds, params=parameters)
        try:
            text = body.decode().strip()
        except UnicodeDecodeError:
            text = ""
        status, colon, rest = text.partition(":")
        if not colon or not text.isprintable() or len(text) > 4096:
            raise OfficeDown(f"{url} did not answer in one line of text with a status")
        return status, rest

    def _own_page(self, address: str) -> str:
        """The login page the VUO named, if it is the VUO's own; otherwise empty."""
        wanted, own = urlsplit(address), urlsplit(self.options.url)
        return address if (wanted.scheme, wanted.netloc) == (own.scheme, own.netloc) else ""


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10


def _shown(unix_name: str) -> str:
    """``name.surname`` as people write it."""
    return " ".join(part.capitalize() for part in unix_name.split("."))


def _cookie_text(value: str) -> str:
    """The value, which came out of a browser; raises LoginNeeded where it is no cookie's."""
    if not value or not value.isascii() or not value.isprintable() or any(letter in value for letter in ' ";,\\'):
        raise LoginNeeded("this is no cookie of the VUO")
    return value
