"""Login at the user office: code flow with PKCE, identity from the userinfo endpoint, nothing from the id token."""

from __future__ import annotations

from typing import Any

from oauthenticator.generic import GenericOAuthenticator
from tornado import web

from .claims import ClaimsFault, person_from_claims
from .models import Person, Role
from .settings import Settings

REFUSED = "The user office lists no visit and no role for you here. Ask your local contact to add you to the visit."


class OfficeAuthenticator(GenericOAuthenticator):  # type: ignore[misc]
    """A login becomes a person with groups ``visit:…`` and ``role:…``, or is refused."""

    settings: Settings

    def person(self, auth_state: dict[str, Any]) -> Person:
        """Who the stored answer of the office describes; raises ClaimsFault."""
        return person_from_claims(
            auth_state[self.user_auth_state_key],
            visits_claim=self.settings.visits_claim,
            roles_claim=self.settings.roles_claim,
        )

    def user_info_to_username(self, user_info: dict[str, Any]) -> str:
        """The hub's name of a person; 403 in words where the answer gives no entry."""
        return self._admitted({self.user_auth_state_key: user_info}).username

    def normalize_username(self, username: str) -> str:
        """The name as it is: `claims.username` has made it canonical, once."""
        return username

    async def get_user_groups(self, auth_state: dict[str, Any]) -> set[str]:
        """The person's groups."""
        return set(self._admitted(auth_state).groups)

    async def update_auth_model(self, auth_model: dict[str, Any]) -> dict[str, Any]:
        """The model with the admin flag set or taken away, never left as it was."""
        auth_model["admin"] = Role.ADMIN in self._admitted(auth_model["auth_state"]).roles
        return auth_model

    async def check_allowed(self, username: str, auth_model: dict[str, Any] | None) -> bool:
        """Whether the person may enter: never without a fresh answer of the office."""
        return auth_model is not None and self._admitted(auth_model["auth_state"]).username == username

    async def refresh_user(self, user: Any, handler: Any = None, **kwargs: Any) -> bool | dict[str, Any]:
        """The model as the office sees the person now; False (log in again) where it gives no entry any more.

        Who has lost a visit or a role loses the running servers too: they were told of it when they started.
        """
        before = {group.name for group in user.groups}
        try:
            model: bool | dict[str, Any] = await super().refresh_user(user, handler, **kwargs)
        except web.HTTPError as refusal:
            if refusal.status_code != 403:
                raise
            self.log.warning("%s has no entry any more: login required", user.name)
            await self._stop_servers(user, handler)
            return False
        if isinstance(model, dict):
            if model["name"] != user.name:
                return False
            if before - set(model["groups"]):
                await self._stop_servers(user, handler)
        return model

    async def _stop_servers(self, user: Any, handler: Any) -> None:
        if handler is None:
            return
        for name, spawner in list(user.spawners.items()):
            if spawner.ready:
                self.log.warning("stopping server %r of %s, who has lost a visit or a role", name, user.name)
                await handler.stop_single_user(user, name)

    def _admitted(self, auth_state: dict[str, Any]) -> Person:
        try:
            return self.person(auth_state)
        except ClaimsFault as fault:
            self.log.warning("login refused: %s", fault)
            raise web.HTTPError(403, REFUSED) from None


def configure_authenticator(c: Any, settings: Settings) -> None:
    """Write the login's part of the hub's configuration."""
    OfficeAuthenticator.settings = settings
    c.JupyterHub.authenticator_class = OfficeAuthenticator
    login = c.OfficeAuthenticator
    login.login_service = settings.office_name
    login.authorize_url = settings.office_authorize_url
    login.token_url = settings.office_token_url
    login.userdata_url = settings.office_userinfo_url
    login.logout_redirect_url = settings.office_logout_url
    login.oauth_callback_url = f"{settings.base_url}/hub/oauth_callback"
    login.client_id = settings.client_id
    login.client_secret = settings.client_secret
    login.scope = list(settings.scopes)
    login.basic_auth = True
    login.enable_pkce = True
    login.enable_auth_state = True
    login.auto_login = True
    login.manage_groups = True
    login.auth_refresh_age = settings.refresh_seconds
    login.refresh_pre_spawn = True
    login.auth_refresh_strict = True
    c.CryptKeeper.keys = [settings.secret("auth_state")]
