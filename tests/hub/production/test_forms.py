"""Name and password on the hub's own page, in a real browser; and forged ends of an OpenID Connect login."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

PASSWORD = "right horse battery"


@pytest.fixture(scope="module")
def door(door_of: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory, password_hash: str) -> Iterator[Any]:
    """A hub with a table of people."""
    folder = tmp_path_factory.mktemp("table")
    table = f'people: {{vera: {{name: Vera, password: "{password_hash}"}}}}\nvisits: {{A: {{title: Rock, pi: [vera]}}}}'
    settings = f'[office]\nkind = "table"\npath = "{folder}/people.yaml"\n'
    with door_of(folder, settings, table) as running:
        yield running


@pytest.mark.browser
def test_name_and_password_in_a_browser(door: Any) -> None:
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    if program is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--headless"])
        page = chromium.new_page()
        page.goto(door.base_url)
        for password, seen in (("wrong", "text=Invalid username or password"), (PASSWORD, "text=Welcome, Vera")):
            page.fill("#username_input", "vera")
            page.fill("#password_input", password)
            page.click("#login_submit")
            page.wait_for_selector(seen, timeout=30_000)
        assert "Rock" in page.content()
        chromium.close()


def test_a_foreign_form_logs_nobody_in(door: Any) -> None:
    """Else somebody could be logged in as an attacker without noticing."""
    data = {"username": "vera", "password": PASSWORD}
    answer = httpx.post(f"{door.base_url}/hub/login", data=data, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "jupyterhub-hub-login" not in answer.headers.get("set-cookie", "")


def state(**content: str) -> str:
    """A state as the login writes it."""
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"code": "guess"},
        {"code": "guess", "state": "x"},
        {"code": "guess", "state": state(state_id="1", next_url="https://evil.example/")},
        {"error": "access_denied", "error_description": "<script>alert(1)</script>", "state": "x"},
    ],
)
def test_a_forged_end_of_a_login_leads_nowhere(hub: Any, query: dict[str, str]) -> None:
    for cookies in ({}, {"oauthenticator-state": query.get("state", "x")}):
        answer = httpx.get(f"{hub.base_url}/hub/oauth_callback", params=query, cookies=cookies)
        assert answer.status_code in {400, 403}
        assert "<script>alert" not in answer.text
        assert "jupyterhub-hub-login" not in answer.headers.get("set-cookie", "")
