"""SciCat: name and password, groups, proposals of the own groups alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from office_server import DOWN, Asked, Office, serve
from stp3_hub.models import Visit
from stp3_hub.user_office.base import Credential, LoginNeeded, NoEntry, OfficeDown
from stp3_hub.user_office.scicat import Scicat, ScicatOptions

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOKEN = Credential(secret="good")
PROFILE = {"username": "vera", "displayName": "Vera", "email": "v@example.org", "accessGroups": ["p42", "staff"]}
PERIOD = {"instrument": "instruments/syrmep", "start": "2026-11-16T08:00:00.000Z", "end": "2026-11-20T08:00:00.000Z"}
MINE = {"proposalId": "20.500/p42", "ownerGroup": "p42", "accessGroups": [], "title": "Rock"}
MINE |= {"MeasurementPeriodList": [PERIOD]}
SHARED = {"proposalId": "p43", "ownerGroup": "p43", "accessGroups": ["staff"], "title": "Teeth"}
PUBLISHED = {"proposalId": "p44", "ownerGroup": "p44", "accessGroups": ["other"], "isPublished": True}


def behind_token(content: object) -> Any:
    return lambda asked: (200, content) if asked.headers["Authorization"] == "Bearer good" else (401, {})


def login(asked: Asked) -> tuple[int, object]:
    right = asked.json() == {"username": "vera", "password": "right"}
    return (201, {"access_token": "good", "userId": "65a1"}) if right else (401, {"message": "no"})


@pytest.fixture
def office() -> Iterator[Office]:
    """A running SciCat."""
    with serve(
        api__v3__auth__login=login,
        api__v3__users__my__identity=behind_token({"userId": "65a1", "profile": PROFILE}),
        api__v3__proposals=behind_token([MINE, SHARED, PUBLISHED]),
    ) as running:
        yield running


@pytest.fixture
def scicat(office: Office) -> Scicat:
    """The sibling that asks it."""
    return Scicat(ScicatOptions(kind="scicat", url=office.url))


def visits(scicat: Scicat, credential: Credential = TOKEN) -> tuple[Visit, ...]:
    async def both() -> tuple[Visit, ...]:
        return await scicat.visits(credential, await scicat.identify(credential), NOW)

    return asyncio.run(both())


def test_name_and_password_give_a_token(scicat: Scicat) -> None:
    assert asyncio.run(scicat.enter("vera", "right")) == TOKEN
    assert "good" not in repr(TOKEN)


def test_a_wrong_password_is_no_entry(scicat: Scicat) -> None:
    with pytest.raises(NoEntry, match="do not belong together"):
        asyncio.run(scicat.enter("vera", "wrong"))


def test_the_own_groups_proposals_alone(scicat: Scicat) -> None:
    found = visits(scicat)
    assert [visit.id for visit in found] == ["20_2e500_2fp42", "p43"]
    assert (found[0].beamline, found[0].start, found[0].end) == ("syrmep", date(2026, 11, 16), date(2026, 11, 20))


def test_the_id_is_scicats_own(scicat: Scicat) -> None:
    person = asyncio.run(scicat.identify(TOKEN))
    assert (person.id, person.display_name, person.words) == ("65a1", "Vera", {"p42", "staff"})


def test_null_is_nobody(office: Office, scicat: Scicat) -> None:
    office.routes["/api/v3/users/my/identity"] = behind_token(None)
    with pytest.raises(NoEntry, match="null"):
        visits(scicat)


def test_an_expired_token_asks_for_a_new_login(scicat: Scicat) -> None:
    with pytest.raises(LoginNeeded):
        visits(scicat, Credential(secret="old"))


@pytest.mark.parametrize("fault", DOWN)
def test_a_scicat_that_fails_is_down(office: Office, scicat: Scicat, fault: str, bring_down: Any) -> None:
    bring_down(office, fault, scicat)
    with pytest.raises(OfficeDown):
        visits(scicat)
    with pytest.raises(OfficeDown):
        asyncio.run(scicat.enter("vera", "right"))


@pytest.mark.parametrize(
    "identity",
    [
        {},
        {"userId": "65a1"},
        {"userId": None, "profile": PROFILE},
        {"userId": 65, "profile": PROFILE},
        {"userId": "65a1", "profile": PROFILE | {"accessGroups": None}},
        {"userId": "65a1", "profile": PROFILE | {"accessGroups": "staff"}},
        {"userId": "v" * 101, "profile": PROFILE},
    ],
)
def test_an_identity_that_is_off_lets_nobody_in(office: Office, scicat: Scicat, identity: object) -> None:
    office.routes["/api/v3/users/my/identity"] = behind_token(identity)
    with pytest.raises(OfficeDown):
        visits(scicat)


@pytest.mark.parametrize(
    "proposals",
    [
        None,
        {},
        [None],
        [{"proposalId": "p42"}],
        [MINE | {"proposalId": "../p42"}],
        [MINE | {"ownerGroup": None}],
        [MINE | {"startTime": "soon"}],
        [MINE | {"accessGroups": "staff"}],
    ],
)
def test_proposals_that_are_off_let_nobody_in(office: Office, scicat: Scicat, proposals: object) -> None:
    office.routes["/api/v3/proposals"] = behind_token(proposals)
    with pytest.raises(OfficeDown):
        visits(scicat)


def test_an_empty_group_matches_nothing(office: Office, scicat: Scicat) -> None:
    office.routes["/api/v3/users/my/identity"] = behind_token(
        {"userId": "65a1", "profile": PROFILE | {"accessGroups": [""]}}
    )
    office.routes["/api/v3/proposals"] = behind_token([MINE | {"ownerGroup": ""}])
    assert visits(scicat) == ()


def test_the_probe_says_what_it_found(office: Office, scicat: Scicat) -> None:
    assert "refuses strangers" in asyncio.run(scicat.probe())
    office.fault = "503"
    with pytest.raises(OfficeDown, match="503"):
        asyncio.run(scicat.probe())
