"""The practice user office is a real OpenID provider: what a good client may, and what a bad one may not."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from stp3_hub.dev_office.people import People, practice_people
from stp3_hub.practice_folder import free_ports

REDIRECT = "http://127.0.0.1:1/hub/oauth_callback"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running office."""
    folder = tmp_path_factory.mktemp("office")
    People(folder / "people.json").write(practice_people())
    (folder / "secret").write_text("s3cret")
    port = free_ports(1)[0]
    command = [sys.executable, "-m", "stp3_hub.dev_office", "--port", str(port), "--redirect-uri", REDIRECT]
    command += ["--people", str(folder / "people.json"), "--client-secret-file", str(folder / "secret")]
    process = subprocess.Popen(command, env={**os.environ, "AUTHLIB_INSECURE_TRANSPORT": "1"})
    address = f"http://localhost:{port}"
    for _ in range(200):
        try:
            httpx.get(f"{address}/jwks.json")
            break
        except httpx.ConnectError:
            time.sleep(0.1)
    yield address
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=10)


class Login:
    """One login with PKCE."""

    def __init__(self, office: str, **changes: str) -> None:
        self.office = office
        self.client = httpx.Client(base_url=office)
        self.verifier = secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        self.query = {
            "response_type": "code",
            "client_id": "stp3",
            "redirect_uri": REDIRECT,
            "scope": "openid profile visits",
            "state": "xyz",
            "nonce": secrets.token_urlsafe(8),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        } | changes

    def code(self, user: str = "vera", password: str = "vera-practice") -> str:
        page = self.client.get("/authorize", params={k: v for k, v in self.query.items() if v})
        form = re.search(r'name="form" value="([^"]+)"', page.text)[1]
        answer = self.client.post(page.url, data={"form": form, "user": user, "password": password})
        answer = self.client.get(f"{self.office}{answer.headers['location']}")
        back = parse_qs(urlsplit(answer.headers["location"]).query)
        assert back["state"] == ["xyz"]
        return back["code"][0]

    def token(self, code: str, secret: str = "s3cret", **changes: str) -> httpx.Response:
        data = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
        data |= {"code_verifier": self.verifier} | changes
        return httpx.post(f"{self.office}/token", data=data, auth=("stp3", secret))


def test_a_login_gives_tokens_and_claims(office: str) -> None:
    found = httpx.get(f"{office}/.well-known/openid-configuration").json()
    login = Login(office)
    tokens = login.token(login.code()).json()
    claims = httpx.get(found["userinfo_endpoint"], headers={"Authorization": f"Bearer {tokens['access_token']}"}).json()
    assert (claims["sub"], claims["visits"][0]["id"], claims["roles"]) == ("vera", "A", [])
    key = jwt.PyJWK(httpx.get(found["jwks_uri"]).json()["keys"][0])
    identity = jwt.decode(tokens["id_token"], key, audience="stp3", issuer=found["issuer"], algorithms=["RS256"])
    assert (identity["sub"], identity["nonce"]) == ("vera", login.query["nonce"])


def test_a_refresh_token_is_good_for_once(office: str) -> None:
    login = Login(office)
    refresh = login.token(login.code()).json()["refresh_token"]
    data = {"grant_type": "refresh_token", "refresh_token": refresh}
    answer = httpx.post(f"{office}/token", data=data, auth=("stp3", "s3cret"))
    assert answer.status_code == 200
    header = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert httpx.get(f"{office}/userinfo", headers=header).json()["sub"] == "vera"
    assert httpx.post(f"{office}/token", data=data, auth=("stp3", "s3cret")).status_code == 400


def test_a_code_is_good_for_once(office: str) -> None:
    login = Login(office)
    code = login.code()
    assert login.token(code).status_code == 200
    assert login.token(code).status_code == 400


@pytest.mark.parametrize(
    "changes",
    [{"code_verifier": "x" * 43}, {"code_verifier": ""}, {"redirect_uri": "http://127.0.0.1:2/"}, {"code": "guess"}],
)
def test_a_stolen_code_is_worth_nothing(office: str, changes: dict[str, str]) -> None:
    login = Login(office)
    code = login.code()
    assert login.token(**{"code": code, **changes}).status_code == 400


def test_a_wrong_secret_is_refused(office: str) -> None:
    login = Login(office)
    assert login.token(login.code(), secret="other").status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "https://elsewhere.example/"},
        {"client_id": "other"},
        {"code_challenge": ""},
        {"response_type": "token"},
        {"response_type": "id_token"},
    ],
)
def test_a_login_that_is_off_leads_nowhere(office: str, changes: dict[str, str]) -> None:
    login = Login(office, **changes)
    answer = login.client.get("/authorize", params={k: v for k, v in login.query.items() if v})
    assert "password" not in answer.text
    assert "elsewhere" not in answer.headers.get("location", "")
    assert "code=" not in answer.headers.get("location", "")


@pytest.mark.parametrize(
    ("user", "password"), [("vera", "wrong"), ("vera", ""), ("nobody", ""), ("ada", "vera-practice")]
)
def test_a_wrong_password_is_refused_in_words(office: str, user: str, password: str) -> None:
    login = Login(office)
    page = login.client.get("/authorize", params=login.query)
    form = re.search(r'name="form" value="([^"]+)"', page.text)[1]
    answer = login.client.post(page.url, data={"form": form, "user": user, "password": password})
    assert answer.status_code == 401
    assert "do not belong together" in answer.text
    assert login.client.post(page.url, data={"user": "vera", "password": "vera-practice"}).status_code == 400


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer guess"}, {"Authorization": "Basic dmVyYQ=="}])
def test_claims_need_a_token(office: str, header: dict[str, str]) -> None:
    assert httpx.get(f"{office}/userinfo", headers=header).status_code == 401


def test_the_login_page_is_self_contained(office: str) -> None:
    page = Login(office)
    answer = page.client.get("/authorize", params=page.query)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not re.search(r'(src|href)="(https?:)?//', answer.text)


def test_people_are_kept_private(tmp_path: Path) -> None:
    People(tmp_path / "people.json").write(practice_people())
    assert (tmp_path / "people.json").stat().st_mode & 0o777 == 0o600
    assert [person["sub"] for person in json.loads((tmp_path / "people.json").read_text())] == [
        "vera",
        "victor",
        "sam",
        "ada",
    ]
