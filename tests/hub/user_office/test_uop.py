"""UserOfficeProject: null means no, and access to the data of others' proposals is counted."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from office_server import DOWN, Asked, Office, serve
from stp3_hub.models import Visit
from stp3_hub.user_office.base import Credential, LoginNeeded, NoEntry, OfficeDown
from stp3_hub.user_office.uop import Uop, UopOptions

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOKEN = Credential(secret="good")
ROCK = {"primaryKey": 7, "proposalId": "2026-042", "title": "Rock"}
TEETH = {"primaryKey": 8, "proposalId": "2026-043", "title": None}
BEAM = {"experimentPk": 1, "startsAt": "2026-11-16 23:30:00", "endsAt": "2026-11-20 08:00:00", "status": "ACTIVE"}
BEAM |= {"proposalPk": 7, "instrumentId": 3, "localContactId": 99}


class Graph:
    """What GraphQL answers."""

    def __init__(self) -> None:
        self.person: Any = {"id": 17, "proposals": [ROCK], "experiments": [BEAM]}
        self.proposals: Any = [ROCK, TEETH]
        self.access: dict[int, Any] = {7: [], 8: [{"id": 17}]}
        self.answer: Any = None

    def __call__(self, asked: Asked) -> tuple[int, object]:
        if asked.headers["Authorization"] != "Bearer service":
            return 401, {}
        if self.answer is not None:
            return 200, self.answer
        query = asked.json()["query"]
        if "userByOIDCSub" in query:
            known = asked.json()["variables"] == {"sub": "0f8e-17"}
            return 200, {"data": {"userByOIDCSub": self.person if known else None}}
        if "dataAccessUsers" in query:
            asked_for = re.findall(r"(p\d+): dataAccessUsers\(proposalPk: (\d+)\)", query)
            return 200, {"data": {name: self.access[int(number)] for name, number in asked_for}}
        if "proposals" in query:
            return 200, {"data": {"proposals": {"proposals": self.proposals}}}
        return 200, {"data": {"__typename": "Query"}}


@pytest.fixture
def graph() -> Graph:
    return Graph()


@pytest.fixture
def office(graph: Graph) -> Iterator[Office]:
    """A running office."""
    with serve(graphql=graph) as running:
        running.routes["/userinfo"] = lambda asked: (
            (200, {"sub": "0f8e-17", "name": "Vera", "roles": ["admin"], "visits": ["X"]})
            if asked.headers["Authorization"] == "Bearer good"
            else (401, {})
        )
        yield running


@pytest.fixture
def uop(office: Office, secret: Callable[[str], Path]) -> Uop:
    """The sibling that asks it."""
    addresses = {f"{name}_url": f"{office.url}/{name}" for name in ("authorize", "token", "userinfo", "graphql")}
    more = {"timezone": "Europe/Rome", "beamlines": {"3": "SYRMEP"}}
    return Uop(UopOptions(kind="uop", token_file=secret("service"), **addresses, **more))


def visits(uop: Uop, credential: Credential = TOKEN) -> tuple[Visit, ...]:
    async def both() -> tuple[Visit, ...]:
        return await uop.visits(credential, await uop.identify(credential), NOW)

    return asyncio.run(both())


def test_proposals_with_their_beam_time(uop: Uop) -> None:
    rock = visits(uop)[0]
    assert (rock.id, rock.title, rock.beamline, rock.role) == ("2026-042", "Rock", "SYRMEP", "team")
    assert (rock.start, rock.end) == (date(2026, 11, 16), date(2026, 11, 20))


def test_claims_of_the_login_give_nothing_here(uop: Uop) -> None:
    assert asyncio.run(uop.identify(TOKEN)).words == frozenset()
    assert "X" not in {visit.id for visit in visits(uop)}


def test_access_to_the_data_of_others_is_counted(uop: Uop, graph: Graph) -> None:
    assert [visit.id for visit in visits(uop)] == ["2026-042", "2026-043"]
    uop._access = (float("-inf"), {})
    graph.access[8] = [{"id": 18}]
    assert [visit.id for visit in visits(uop)] == ["2026-042"]
    uop._access = (float("-inf"), {})
    graph.access[8] = None  # refused: null means no
    assert [visit.id for visit in visits(uop)] == ["2026-042"]


def test_local_contacts_are_told_by_the_experiment(uop: Uop, graph: Graph) -> None:
    graph.person = {"id": 99, "proposals": [ROCK], "experiments": [BEAM]}
    assert visits(uop)[0].role == "local-contact"


def test_drafts_do_not_count(uop: Uop, graph: Graph) -> None:
    graph.person["experiments"] = [BEAM | {"status": "DRAFT"}]
    assert visits(uop)[0].start is None


def test_a_time_with_a_zone_is_brought_home(uop: Uop, graph: Graph) -> None:
    graph.person["experiments"] = [BEAM | {"startsAt": "2026-11-16T23:30:00Z"}]
    assert visits(uop)[0].start == date(2026, 11, 17)


def test_null_means_no(uop: Uop, graph: Graph) -> None:
    graph.person = None
    with pytest.raises(NoEntry, match="null"):
        visits(uop)


@pytest.mark.parametrize("key", ["proposals", "experiments"])
def test_null_lists_are_empty(uop: Uop, graph: Graph, key: str) -> None:
    graph.person[key] = None
    graph.access = {7: None, 8: None}
    assert len(visits(uop)) == (0 if key == "proposals" else 1)


@pytest.mark.parametrize("fault", DOWN)
def test_an_office_that_fails_is_down(office: Office, uop: Uop, fault: str, bring_down: Any) -> None:
    bring_down(office, fault, uop)
    with pytest.raises(OfficeDown):
        visits(uop)


def test_an_expired_login_and_an_expired_service_token(office: Office, uop: Uop) -> None:
    with pytest.raises(LoginNeeded):
        visits(uop, Credential(secret="old"))
    uop.options.token_file.write_text("old")
    with pytest.raises(OfficeDown, match="service token"):
        visits(uop)


@pytest.mark.parametrize(
    "answer",
    [
        {"data": None},
        {"data": []},
        {"errors": [{"message": "no"}], "data": {"userByOIDCSub": {"id": 17, "proposals": [ROCK], "experiments": []}}},
        {},
        [],
        {"data": {"userByOIDCSub": 17}},
        {"data": {"userByOIDCSub": {"id": "17", "proposals": [], "experiments": []}}},
        {"data": {"userByOIDCSub": {"id": 17, "proposals": ROCK, "experiments": []}}},
        {"data": {"userByOIDCSub": {"id": 17, "proposals": [ROCK | {"proposalId": 42}], "experiments": []}}},
        {"data": {"userByOIDCSub": {"id": 17, "proposals": [ROCK | {"proposalId": "../x"}], "experiments": []}}},
        {"data": {"userByOIDCSub": {"id": 17, "proposals": [ROCK], "experiments": [{"status": "ACTIVE"}]}}},
        {"data": {"userByOIDCSub": {"id": 17, "proposals": [ROCK], "experiments": [BEAM | {"startsAt": "soon"}]}}},
    ],
)
def test_what_cannot_be_understood_lets_nobody_in(uop: Uop, graph: Graph, answer: object) -> None:
    graph.answer = answer
    with pytest.raises(OfficeDown):
        visits(uop)


def test_the_probe_says_what_it_found(uop: Uop) -> None:
    assert "graphql answers" in asyncio.run(uop.probe())
