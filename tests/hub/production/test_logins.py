"""Forged entries at a hub whose office is known by its cookie."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

FAKED = {"X-Forwarded-User": "vera", "Remote-User": "vera", "X-Remote-User": "vera", "X-Forwarded-Host": "evil.example"}


def _module() -> Any:
    path = Path(__file__).parents[1] / "user_office" / "office_server.py"
    spec = importlib.util.spec_from_file_location("office_server", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["office_server"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def door(door_of: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A hub that asks a VUO."""
    folder = tmp_path_factory.mktemp("vuo")
    with _module().serve() as vuo:

        def detail(asked: Any) -> tuple[int, object]:
            known = {"good": b"OK:1017:vera.visitor:2001:2002\n", "none": b"OK:1018:nobody.here:2003:2003\n"}
            return 200, known.get(asked.query["cookie"], f"KO:{vuo.url}/login?back=".encode())

        vuo.routes["/pls/vuo/vuo_sso.detail"] = detail
        settings = f'[office]\nkind = "vuo"\nurl = "{vuo.url}"\nvisits_table = "{folder}/people.yaml"\n'
        with door_of(folder, settings, "visits: {A: {title: Rock, team: ['1017']}}") as running:
            running.vuo = vuo
            yield running


def browser(door: Any, cookie: str = "", **more: Any) -> httpx.Client:
    """A browser with the VUO's cookie."""
    return httpx.Client(base_url=door.base_url, cookies={"vuo_session": cookie} if cookie else {}, timeout=30, **more)


def test_the_cookie_lets_in_and_its_absence_leads_to_the_office(door: Any) -> None:
    page = browser(door, "good", follow_redirects=True).get("/hub/home")
    assert page.status_code == 200
    assert "Rock" in page.text
    answer = browser(door).get("/hub/office_login?next=%2Fhub%2Fhome")
    assert answer.headers["location"].startswith(f"{door.vuo.url}/login?back=http%3A%2F%2F127.0.0.1")


@pytest.mark.parametrize("cookie", ["bad", "good'--", "OK:1017:vera.visitor:2001:2002"])
def test_another_cookie_lets_nobody_in(door: Any, cookie: str) -> None:
    answer = browser(door, cookie).get("/hub/office_login?returned=1")
    assert answer.status_code == 403
    assert "log in again" in answer.text
    assert "jupyterhub-hub-login" not in answer.headers.get("set-cookie", "")


def test_without_a_visit_no_entry(door: Any) -> None:
    answer = browser(door, "none").get("/hub/office_login")
    assert answer.status_code == 403
    assert "no visit and no role" in answer.text


def test_headers_let_nobody_in(door: Any) -> None:
    answer = browser(door, headers=FAKED).get("/hub/home")
    assert answer.status_code == 302
    assert "evil.example" not in answer.headers["location"]
    answer = browser(door, headers=FAKED).get("/hub/api/users/1017")
    assert answer.status_code == 403


@pytest.mark.parametrize("next", ["https://evil.example/", "//evil.example/", "/\\evil.example", "https:evil.example"])
def test_a_login_leads_to_no_other_site(door: Any, next: str) -> None:
    answer = browser(door, "good").get("/hub/office_login", params={"next": next})
    assert answer.status_code == 302
    leads = urljoin(f"{door.base_url}/", answer.headers["location"].replace("\\", "/"))
    assert leads.startswith(f"{door.base_url}/")


def test_a_forged_session_cookie_lets_nobody_in(door: Any) -> None:
    for value in ("vera", "2|1:0|10:1700000000|20:jupyterhub-hub-login|4:dmVyYQ==|" + "0" * 64):
        client = browser(door)
        client.cookies.set("jupyterhub-hub-login", value, path="/hub/")
        assert client.get("/hub/home").status_code == 302


def test_a_foreign_page_cannot_act(door: Any) -> None:
    client = browser(door, "good", follow_redirects=True)
    client.get("/hub/home")
    foreign = {"Origin": "https://evil.example", "Referer": "https://evil.example/", "Sec-Fetch-Site": "cross-site"}
    for method, path in (("POST", "/hub/api/users/1017/server"), ("DELETE", "/hub/api/users/1017/server")):
        assert client.request(method, path, headers=foreign).status_code == 403
    tossed = foreign | {"X-XSRFToken": "tossed"}
    client.cookies.set("_xsrf", "tossed", path="/hub/api/")
    assert client.post("/hub/api/users/1017/server", headers=tossed).status_code == 403
