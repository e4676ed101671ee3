"""Elettra's VUO: the session's cookie and the investigation call, as documented, and their faults."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from office_server import DOWN, Asked, Office, serve
from pydantic import ValidationError
from stp3_hub.models import Visit
from stp3_hub.user_office.base import Credential, Identity, LoginNeeded, OfficeDown
from stp3_hub.user_office.vuo import Vuo, VuoOptions

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
COOKIE = Credential(secret="5e55-10n")
DETAIL, INVESTIGATION = "/pls/vuo/vuo_sso.detail", "/pls/vuo/vlab.sm_get_investigation_info"
FOLDERS = {"20260042": "2001/online4/20260042", "20260043": "2001/online4/20260043"}


@pytest.fixture
def office() -> Iterator[Office]:
    """A running VUO."""
    with serve() as running:

        def detail(asked: Asked) -> tuple[int, object]:
            if asked.query == {"cookie": "5e55-10n", "what_detail": "unix"}:
                return 200, b"OK:1017:vera.visitor:2001:2002\n"
            return 200, f"KO:{running.url}/pls/vuo/login?back=".encode()

        def investigation(asked: Asked) -> tuple[int, object]:
            user, number = asked.query["FRM_USR_ID"], asked.query["FRM_INVESTIGATION_ID"]
            right = hashlib.sha1(f"s3cret{user}{number}".encode()).hexdigest() == asked.query["FRM_HASH"]
            if right and number in FOLDERS:
                return 200, f"OK:{FOLDERS[number]}".encode()
            return 200, b"KO:not on the team"

        def listing(asked: Asked) -> tuple[int, object]:
            return (200, ["20260042", "20260099"]) if asked.headers["Cookie"] == "vuo_session=5e55-10n" else (401, [])

        running.routes.update({DETAIL: detail, INVESTIGATION: investigation, "/mine": listing})
        yield running


@pytest.fixture
def vuo(office: Office, secret: Callable[[str], Path]) -> Vuo:
    """The sibling that asks it."""
    options = {"url": office.url, "visits_url": f"{office.url}/mine", "secret_file": secret("s3cret\n")}
    return Vuo(VuoOptions(kind="vuo", data_base="/data", **options))


def identify(vuo: Vuo, credential: Credential = COOKIE) -> Identity:
    return asyncio.run(vuo.identify(credential))


def visits(vuo: Vuo) -> tuple[Visit, ...]:
    async def both() -> tuple[Visit, ...]:
        return await vuo.visits(COOKIE, await vuo.identify(COOKIE), NOW)

    return asyncio.run(both())


def test_the_cookie_tells_who(vuo: Vuo) -> None:
    person = identify(vuo)
    assert (person.id, person.unix_name, person.uid, person.gid) == ("1017", "vera.visitor", 2001, 2002)
    assert person.display_name == "Vera Visitor"


def test_visits_are_those_the_vuo_gives_a_folder_for(vuo: Vuo) -> None:
    assert [(visit.id, visit.data_root) for visit in visits(vuo)] == [("20260042", "/data/online4/20260042")]


def test_visits_from_a_table(office: Office, tmp_path: Path, secret: Callable[[str], Path]) -> None:
    table = tmp_path / "visits.yaml"
    table.write_text("visits: {20260043: {title: Rock, team: [1017]}, 20260099: {team: [1017]}}")
    options = {"url": office.url, "visits_table": table, "secret_file": secret("s3cret")}
    found = visits(Vuo(VuoOptions(kind="vuo", **options)))
    assert [(visit.id, visit.title, visit.data_root) for visit in found] == [("20260043", "Rock", "/online4/20260043")]


def test_without_a_session_the_vuos_own_page(office: Office, vuo: Vuo) -> None:
    with pytest.raises(LoginNeeded) as said:
        identify(vuo, Credential(secret="expired"))
    assert said.value.address == f"{office.url}/pls/vuo/login?back="


@pytest.mark.parametrize(
    "page", ["https://elsewhere.example/login", "//elsewhere.example", "javascript:alert(1)", "", "http://127.0.0.1:1/"]
)
def test_nobody_is_sent_to_another_page(office: Office, vuo: Vuo, page: str) -> None:
    office.routes[DETAIL] = lambda asked: (200, f"KO:{page}".encode())
    with pytest.raises(LoginNeeded) as said:
        identify(vuo)
    assert said.value.address == ""


@pytest.mark.parametrize("fault", DOWN)
def test_a_vuo_that_fails_is_down(office: Office, vuo: Vuo, fault: str, bring_down: Any) -> None:
    bring_down(office, fault, vuo)
    with pytest.raises(OfficeDown) as said:
        identify(vuo)
    assert "5e55" not in str(said.value)


@pytest.mark.parametrize(
    "line",
    [
        "OK:1017:vera.visitor:2001",
        "OK:1017:vera.visitor:2001:2002:0",
        "OK::vera.visitor:2001:2002",
        "OK:1017::2001:2002",
        "OK:1017:vera.visitor:root:2002",
        "OK:1017:vera.visitor:-1:2002",
        "OK:1017:vera.visitor:99999999999:2002",
        "OK:1017:vera.visitor:4294967295:2002",
        "OK:1017:vera\x00visitor:2001:2002",
        "OK:1017:vera:2001:2002\nOK:1:root:0:0",
        "OK",
        "null",
    ],
)
def test_a_line_that_is_off_lets_nobody_in(office: Office, vuo: Vuo, line: str) -> None:
    office.routes[DETAIL] = lambda asked: (200, line.encode())
    with pytest.raises(OfficeDown):
        identify(vuo)


@pytest.mark.parametrize("line", ["ok:1017:vera:2001:2002", "KO:", " :x", "0:OK:1017:vera:2001:2002"])
def test_any_other_status_is_no_login(office: Office, vuo: Vuo, line: str) -> None:
    office.routes[DETAIL] = lambda asked: (200, line.encode())
    with pytest.raises((LoginNeeded, OfficeDown)):
        identify(vuo)


@pytest.mark.parametrize("folder", ["OK:2001/../../etc", "OK:2001", "OK:2001/", "OK:x/online4", "OK:/online4"])
def test_a_folder_that_is_off_is_refused(office: Office, vuo: Vuo, folder: str) -> None:
    office.routes[INVESTIGATION] = lambda asked: (200, folder.encode())
    with pytest.raises(OfficeDown):
        visits(vuo)


@pytest.mark.parametrize("answer", [None, "20260042", {"id": "20260042"}, [1], ["../x"], [None]])
def test_a_listing_that_is_off_is_refused(office: Office, vuo: Vuo, answer: object) -> None:
    office.routes["/mine"] = lambda asked: (200, answer)
    with pytest.raises(OfficeDown):
        visits(vuo)


@pytest.mark.parametrize("cookie", ["", "a b", 'a"b', "a;b", "a\nb", "ž"])
def test_a_browsers_cookie_cannot_write_headers(vuo: Vuo, cookie: str) -> None:
    with pytest.raises(LoginNeeded):
        asyncio.run(vuo.visits(Credential(secret=cookie), Identity(id="1017"), NOW))


def test_a_secret_open_to_others_is_refused(vuo: Vuo) -> None:
    vuo.options.secret_file.chmod(0o640)
    with pytest.raises(OfficeDown, match="chmod 600"):
        visits(vuo)


def test_a_vuo_that_lists_no_visits_is_refused_at_start() -> None:
    with pytest.raises(ValidationError, match="visits_url"):
        VuoOptions(kind="vuo", url="https://vuo.example.org")


def test_by_openid_connect_the_folders_are_asked_all_the_same(office: Office, secret: Callable[[str], Path]) -> None:
    office.routes["/userinfo"] = lambda asked: (200, {"sub": "1017", "visits": ["20260042", "20260099"]})
    oidc = {f"{name}_url": f"{office.url}/{name}" for name in ("authorize", "token", "userinfo")} | {"kind": "oidc"}
    vuo = Vuo(VuoOptions(kind="vuo", url=office.url, secret_file=secret("s3cret"), oidc=oidc))
    assert vuo.login == "redirect"
    assert [(visit.id, visit.data_root) for visit in visits(vuo)] == [("20260042", "/online4/20260042")]


def test_the_probe_says_what_it_found(office: Office, vuo: Vuo) -> None:
    assert "sends strangers to" in asyncio.run(vuo.probe())
    office.routes[DETAIL] = lambda asked: (200, b"OK:1:a.b:2001:2001")
    with pytest.raises(OfficeDown, match="nobody opened"):
        asyncio.run(vuo.probe())
