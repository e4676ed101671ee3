"""The three ways to log in: sent to the office and back, by the office's cookie, by name and password."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.utils import url_path_join
from oauthenticator.oauth2 import OAuthenticator, OAuthLoginHandler
from tornado.httputil import url_concat

from .authenticator import OfficeAuthenticator, Refused
from .settings import Settings
from .user_office.base import Credential, LoginNeeded, NoEntry, OfficeDown, OfficeFault, UserOffice, make_office
from .user_office.line import ask_json, read_secret
from .user_office.oidc import Oidc, OidcOptions

LONGEST_WAIT = 8.0


class RedirectLoginHandler(OAuthLoginHandler):  # type: ignore[misc]
    """Sends the browser to the office, once its addresses are known."""

    async def get(self) -> None:
        """Redirect; 503 in words where the office does not answer."""
        try:
            await self.authenticator.find_addresses()
        except OfficeFault as fault:
            self.log.warning("login impossible: %s", fault)
            raise Refused(fault) from None
        super().get()


class RedirectLogin(OfficeAuthenticator, OAuthenticator):  # type: ignore[misc]
    """OpenID Connect: code flow with PKCE. Tokens stay in the hub's encrypted state."""

    login_handler = RedirectLoginHandler
    oidc: Oidc

    async def find_addresses(self) -> None:
        """Fill in the office's addresses; raises OfficeDown."""
        addresses = await self.oidc.addresses()
        self.authorize_url, self.token_url = addresses["authorize_url"], addresses["token_url"]
        self.logout_redirect_url = addresses["logout_url"]

    async def authenticate(self, handler: Any, data: Any = None, **kwargs: Any) -> dict[str, Any]:
        """The model of the person whose browser brings a code."""
        try:
            await self.find_addresses()
            asked = self.build_access_tokens_request_params(handler, data)
            return await self._model(await self._tokens(**{key: value for key, value in asked.items() if value}))
        except OfficeFault as fault:
            self.log.warning("login refused: %s", fault)
            raise Refused(fault) from None

    async def again(self, state: dict[str, Any]) -> dict[str, Any]:
        """With the access token; where that has expired, with a new one."""
        try:
            return await self.entered(Credential(secret=state["secret"]), refresh_token=state["refresh_token"])
        except LoginNeeded:
            if not state["refresh_token"]:
                raise
        await self.find_addresses()
        tokens = await self._tokens(grant_type="refresh_token", refresh_token=state["refresh_token"])
        return await self._model({"refresh_token": state["refresh_token"], **tokens})

    async def _model(self, tokens: dict[str, Any]) -> dict[str, Any]:
        refresh = tokens.get("refresh_token")
        kept = refresh if isinstance(refresh, str) else ""
        return await self.entered(Credential(secret=tokens["access_token"]), refresh_token=kept)

    async def _tokens(self, **asked: str) -> dict[str, Any]:
        """The token endpoint's answer; raises LoginNeeded where it refuses, otherwise OfficeDown."""
        call = {"headers": self.build_token_info_request_headers(), "data": asked, "refusals": {400, 401, 403}}
        tokens = await ask_json("POST", self.token_url, seconds=self.oidc.options.seconds, **call)
        if not isinstance(tokens, dict) or not isinstance(tokens.get("access_token"), str):
            raise OfficeDown(f"{self.token_url} answered without an access token")
        return tokens


class CookieLoginHandler(BaseHandler):  # type: ignore[misc]
    """Lets in whom the office's cookie vouches for; sends others to the office's own page, once."""

    async def get(self) -> None:
        """Redirect to where the person wanted to go, or to the office."""
        try:
            user = self.current_user or await self.login_user()
        except Refused as refusal:
            address = refusal.fault.address if isinstance(refusal.fault, LoginNeeded) else ""
            if not address or self.get_argument("returned", ""):
                raise
            # the address is the office's own: `Vuo` has looked
            self.redirect(address + quote(self._way_back(), safe=""))
            return
        self.redirect(self.get_next_url(user))

    def _way_back(self) -> str:
        path = url_path_join(self.hub.base_url, "office_login")
        wanted = {"next": self.get_next_url(), "returned": "1"}
        base_url: str = self.authenticator.settings.base_url
        return base_url + str(url_concat(path, wanted))


class CookieLogin(OfficeAuthenticator):
    """By the session's cookie of an office under the same domain."""

    def login_url(self, base_url: str) -> str:
        """Our own handler."""
        return str(url_path_join(base_url, "office_login"))

    def get_handlers(self, app: Any) -> list[tuple[str, type[Any]]]:
        """It."""
        return [("/office_login", CookieLoginHandler)]

    async def authenticate(self, handler: Any, data: Any = None, **kwargs: Any) -> dict[str, Any]:
        """The model of the person whose browser carries the cookie."""
        cookie = handler.get_cookie(self.office.options.cookie, "")  # type: ignore[attr-defined]
        try:
            return await self.entered(Credential(secret=cookie))
        except OfficeFault as fault:
            self.log.warning("login refused: %s", fault)
            raise Refused(fault) from None


class FormLogin(OfficeAuthenticator):
    """By name and password on the hub's own page. Wrong passwords make the next try of that name slower."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._wrong: dict[str, int] = {}
        self._turn: dict[str, asyncio.Lock] = {}

    async def authenticate(self, handler: Any, data: Any = None, **kwargs: Any) -> dict[str, Any] | None:
        """The model of the person, or None for a wrong password; the password is forgotten at once."""
        name, password = str(data.get("username", ""))[:200], str(data.get("password", ""))[:1000]
        try:
            async with self._turn.setdefault(name, asyncio.Lock()):
                credential = await self._enter(name, password)
            return await self.entered(credential) if credential else None
        except OfficeFault as fault:
            self.log.warning("login refused: %s", fault)
            raise Refused(fault) from None

    async def _enter(self, name: str, password: str) -> Credential | None:
        try:
            credential = await self.office.enter(name, password)
        except NoEntry as fault:
            self.log.warning("login refused: %s", fault)
            self._wrong[name] = self._wrong.get(name, 0) + 1
            await asyncio.sleep(min(LONGEST_WAIT, 0.25 * 2 ** min(self._wrong[name], 10)))
            return None
        self._wrong.pop(name, None)
        return credential


def configure_authenticator(c: Any, settings: Settings) -> None:
    """Write the login's part of the hub's configuration; raises ValueError where the office's options are off."""
    office = make_office(settings.office)
    login_class = {"redirect": RedirectLogin, "cookie": CookieLogin, "form": FormLogin}[office.login]
    login_class.settings, login_class.office = settings, office
    c.JupyterHub.authenticator_class = login_class
    login = c[login_class.__name__]
    login.enable_auth_state = True
    login.auto_login = office.login != "form"
    login.manage_groups = True
    login.allow_all = True  # nobody gets as far as this without an entry: see check_allowed
    login.auth_refresh_age = settings.refresh_seconds
    login.refresh_pre_spawn = True
    login.auth_refresh_strict = True
    c.CryptKeeper.keys = [settings.secret("auth_state")]
    if office.login == "redirect":
        _configure_redirect(login, office, settings)


def _configure_redirect(login: Any, office: UserOffice, settings: Settings) -> None:
    oidc = office if isinstance(office, Oidc) else office.oidc  # type: ignore[attr-defined]
    options: OidcOptions = oidc.options
    RedirectLogin.oidc = oidc
    login.login_service = options.name
    login.oauth_callback_url = f"{settings.base_url}/hub/oauth_callback"
    login.client_id = options.client_id
    if options.client_secret_file:
        login.client_secret = read_secret(options.client_secret_file)
    login.scope = list(options.scopes)
    login.basic_auth = True
    login.enable_pkce = True
