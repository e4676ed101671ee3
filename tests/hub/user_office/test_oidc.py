"""An OpenID provider: claims, endpoint, discovery, and what it may answer without letting anybody in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from office_server import DOWN, Asked, Office, serve
from pydantic import ValidationError
from stp3_hub.user_office.base import Credential, Identity, LoginNeeded, NoEntry, OfficeDown
from stp3_hub.user_office.oidc import Oidc, OidcOptions

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOKEN = Credential(secret="good")
CLAIMS: dict[str, Any] = {"sub": "0f8e-17", "name": "Vera", "email": "vera@example.org", "visits": ["A"], "roles": []}


def userinfo(asked: Asked) -> tuple[int, object]:
    """What the token's person is told."""
    return (200, CLAIMS) if asked.headers["Authorization"] == "Bearer good" else (401, {})


@pytest.fixture
def office() -> Iterator[Office]:
    """A running provider."""
    with serve(userinfo=userinfo) as running:
        running.routes["/.well-known/openid-configuration"] = lambda asked: (
            200,
            {"issuer": running.url}
            | {f"{name}_endpoint": f"{running.url}/{name}" for name in ("authorization", "token", "userinfo")},
        )
        yield running


def asker(office: Office, **more: Any) -> Oidc:
    """The sibling that asks it."""
    return Oidc(OidcOptions(kind="oidc", issuer=office.url, **more))


def ask(oidc: Oidc, credential: Credential = TOKEN) -> tuple[Identity, list[str]]:
    """Who, and the ids of their visits."""

    async def both() -> tuple[Identity, list[str]]:
        identity = await oidc.identify(credential)
        return identity, [visit.id for visit in await oidc.visits(credential, identity, NOW)]

    return asyncio.run(both())


def answering(office: Office, **claims: object) -> None:
    """Have userinfo say this."""
    office.routes["/userinfo"] = lambda asked: (200, CLAIMS | claims)


def test_identity_and_visits(office: Office) -> None:
    identity, visits = ask(asker(office))
    assert (identity.id, identity.display_name, identity.email, visits) == (
        "0f8e-17",
        "Vera",
        "vera@example.org",
        ["A"],
    )


def test_paths_into_claims(office: Office) -> None:
    answering(office, stp3={"beamtimes": [{"id": "B"}], "rights": ["staff"]}, unix={"uid": 2001}, uuid="u-1")
    paths = {
        "visits_claim": "stp3.beamtimes",
        "roles_claim": "stp3.rights",
        "uid_claim": "unix.uid",
        "id_claim": "uuid",
    }
    identity, visits = ask(asker(office, **paths))
    assert (identity.id, identity.words, identity.uid, visits) == ("u-1", {"staff"}, 2001, ["B"])


def test_visits_from_an_endpoint_as_visa_answers(office: Office) -> None:
    def account(asked: Asked) -> tuple[int, object]:
        if asked.headers["x-access-token"] != "good":
            return 401, {}
        return 200, {"username": "vera", "accountParameters": {"uid": 2001, "gid": 2002}, "visits": ["C"]}

    office.routes["/api/authenticate"] = account
    options = {"endpoint_url": f"{office.url}/api/authenticate", "endpoint_header": "x-access-token"}
    paths = {"visits_claim": "endpoint.visits", "uid_claim": "endpoint.accountParameters.uid"}
    paths |= {"gid_claim": "endpoint.accountParameters.gid", "unix_name_claim": "endpoint.username"}
    identity, visits = ask(asker(office, **options, **paths))
    assert (identity.uid, identity.gid, identity.unix_name, visits) == (2001, 2002, "vera", ["C"])
    del office.routes["/api/authenticate"]
    with pytest.raises(OfficeDown):
        ask(asker(office, **options, **paths))


def test_visits_from_a_table_besides(office: Office, tmp_path: Path) -> None:
    table = tmp_path / "visits.yaml"
    table.write_text("visits: {A: {team: [0f8e-17], title: other}, D: {pi: [0f8e-17]}, E: {team: [somebody]}}")
    _, visits = ask(asker(office, visits_table=table))
    assert visits == ["A", "D", "E"]  # E as a stranger's: admission drops it


@pytest.mark.parametrize("fault", DOWN)
def test_a_provider_that_fails_is_down(office: Office, fault: str, bring_down: Any) -> None:
    oidc = asker(office)
    asyncio.run(oidc.addresses())
    bring_down(office, fault, oidc)
    if fault == "down":
        oidc._found = {name: url.replace(office.url, "http://127.0.0.1:9") for name, url in oidc._found.items()}
    with pytest.raises(OfficeDown) as said:
        ask(oidc)
    assert len(str(said.value)) < 200


@pytest.mark.parametrize("fault", DOWN)
def test_discovery_that_fails_is_down_and_is_tried_again(office: Office, fault: str, bring_down: Any) -> None:
    oidc = asker(office)
    issuer = oidc.options.issuer
    bring_down(office, fault, oidc)
    with pytest.raises(OfficeDown):
        ask(oidc)
    office.fault = ""
    object.__setattr__(oidc.options, "issuer", issuer)
    assert ask(oidc)[1] == ["A"]


def test_discovery_of_another_issuer_is_refused(office: Office) -> None:
    office.routes["/.well-known/openid-configuration"] = lambda asked: (200, {"issuer": "https://elsewhere.example"})
    with pytest.raises(OfficeDown, match="does not describe"):
        ask(asker(office))


def test_an_expired_token_asks_for_a_new_login(office: Office) -> None:
    with pytest.raises(LoginNeeded):
        ask(asker(office), Credential(secret="old"))


@pytest.mark.parametrize("sub", [None, 1001, ["vera"], {"id": 1}, True])
def test_without_an_id_no_entry(office: Office, sub: object) -> None:
    answering(office, sub=sub)
    with pytest.raises(NoEntry):
        ask(asker(office))


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": ""},
        {"sub": "v" * 101},
        {"visits": "A"},
        {"visits": {"A": 1}},
        {"visits": 1},
        {"visits": ["../A"]},
        {"visits": ["A/B"]},
        {"visits": ["A\n"]},
        {"visits": [""]},
        {"visits": [["A"]]},
        {"visits": [None]},
        {"visits": ["A", "A"]},
        {"visits": [{"title": "no id"}]},
        {"visits": [{"id": "A", "start": "2026-11-20", "end": "2026-11-16"}]},
        {"visits": [{"id": "A", "role": "owner"}]},
        {"visits": [{"id": "A", "released_at": "soon"}]},
        {"roles": "admin"},
        {"roles": [1]},
        {"roles": {"admin": True}},
    ],
)
def test_what_cannot_be_understood_lets_nobody_in(office: Office, claims: dict[str, Any]) -> None:
    answering(office, **claims)
    with pytest.raises(OfficeDown):
        ask(asker(office))


@pytest.mark.parametrize("missing", ["visits", "roles"])
def test_null_and_missing_are_nothing(office: Office, missing: str) -> None:
    answering(office, visits=None, roles=None)
    identity, visits = ask(asker(office))
    assert (identity.words, visits) == (frozenset(), [])


@pytest.mark.parametrize("uid", ["2001", -1, 2**32, 1.5, True])
def test_a_uid_must_be_one(office: Office, uid: object) -> None:
    answering(office, uid=uid)
    with pytest.raises(OfficeDown):
        ask(asker(office, uid_claim="uid"))


@pytest.mark.parametrize(
    "options",
    [{}, {"authorize_url": "https://a"}, {"issuer": "https://a", "id_claim": "email"}, {"isuer": "https://a"}],
)
def test_options_that_are_off(options: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        OidcOptions(kind="oidc", **options)  # type: ignore[arg-type]


def test_the_probe_says_what_it_found(office: Office) -> None:
    assert "refuses strangers" in asyncio.run(asker(office).probe())
    office.routes["/userinfo"] = lambda asked: (200, CLAIMS)
    with pytest.raises(OfficeDown, match="nobody gave out"):
        asyncio.run(asker(office).probe())
