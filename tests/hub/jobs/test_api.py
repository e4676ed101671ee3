"""The API over HTTP: who may do what at every endpoint, and nothing of others shines through."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

JOB = "/api/jobs/{owner}/{job}"
RECIPE = "/api/recipes/{recipe}"
# method, path -> the answers to vera, whose job and recipe it is; to victor, who was elsewhere; to nobody; to an admin
WHO_MAY: dict[tuple[str, str], tuple[int, int, int, int]] = {
    ("GET", "/api/me"): (200, 200, 401, 200),
    ("GET", "/api/jobs"): (200, 200, 401, 200),
    ("GET", JOB): (200, 404, 401, 200),
    ("GET", JOB + "/events"): (200, 404, 401, 200),
    ("GET", JOB + "/log"): (200, 404, 401, 200),
    ("POST", JOB + "/cancel"): (409, 404, 401, 409),
    ("POST", JOB + "/retry"): (409, 404, 401, 409),
    ("GET", "/api/scans"): (200, 200, 401, 200),
    ("GET", "/api/volumes"): (200, 200, 401, 200),
    ("GET", "/api/recipes"): (200, 200, 401, 200),
    ("POST", "/api/recipes"): (201, 201, 401, 201),
    ("GET", RECIPE): (200, 404, 401, 200),
    ("PUT", RECIPE): (200, 404, 401, 200),
    ("DELETE", RECIPE): (204, 404, 401, 204),
    ("GET", "/api/events"): (200, 200, 401, 200),
    ("GET", "/"): (403, 403, 302, 200),
    ("GET", "/rows"): (403, 403, 401, 200),
    ("GET", "/jobs.json"): (403, 403, 401, 200),
    ("GET", "/statistics"): (403, 403, 302, 200),
    ("GET", "/audit"): (403, 403, 302, 200),
    ("GET", "/job/{owner}/{job}"): (200, 404, 302, 200),
    ("GET", "/job/{owner}/{job}/{action}"): (200, 404, 302, 200),
    ("POST", "/job/{owner}/{job}/{action}"): (409, 404, 401, 409),
    ("GET", "/api/audit"): (403, 403, 401, 200),
    ("GET", "/api/statistics"): (403, 403, 401, 200),
    ("GET", "/api/statistics.csv"): (403, 403, 401, 200),
    ("GET", "/metrics"): (403, 403, 401, 200),
    ("GET", "/oauth_callback"): (403, 403, 403, 403),
    ("GET", "/health"): (200, 200, 200, 200),
}
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SECRETS = ("secret", "veras")


@pytest.fixture
def veras_job(api: Any, run: Callable[..., Path]) -> str:
    """A job of vera's in visit A, with a log; done."""
    folder = run("vera", "veras-job", sample="secret sample", rows_done=2, rows_total=2)
    (folder / "driver.log").write_text("secret line\n")
    api.wait_for("vera", "/api/jobs", lambda page: page["total"] == 1)
    return "veras-job"


def keep(api: Any, who: str, name: str = "veras recipe", **given: Any) -> dict[str, Any]:
    body = {"kind": "user", "name": name, "content": {"steps": ["secret"]}} | given
    answer = api.call(who, "POST", "/api/recipes", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def operations(api: Any) -> set[tuple[str, str]]:
    paths = api.call("vera", "GET", "/openapi.json").json()["paths"]
    prefix = "/services/jobs"
    return {(verb.upper(), path.removeprefix(prefix)) for path, verbs in paths.items() for verb in verbs}


def status(api: Any, who: str, method: str, path: str, filled: str) -> tuple[int, str]:
    body = {"json": {"name": f"{method} of {who}", "content": {}}} if method in {"POST", "PUT"} else {}
    if (method, path) == ("POST", "/api/recipes"):
        body["json"]["kind"] = "user"
    if path != "/api/events":
        answer = api.call(who, method, filled, **body)
        return answer.status_code, answer.text
    headers = {"Authorization": f"Bearer {who}-token", "Accept": "text/event-stream", "Last-Event-ID": "0.0"}
    with httpx.stream("GET", api.url + path, headers=headers, timeout=10) as stream:
        return stream.status_code, next(stream.iter_text()) if stream.status_code == 200 else ""


def test_every_endpoint_for_everybody(api: Any, veras_job: str) -> None:
    assert operations(api) == set(WHO_MAY), "an endpoint is missing in the table"
    for (method, path), expected in WHO_MAY.items():
        found = []
        for who in ("vera", "victor", "", "ada"):
            recipe = keep(api, "vera", f"veras {method} {who}".strip())["id"] if "{recipe}" in path else ""
            filled = path.format(owner="vera", job=veras_job, action="cancel", recipe=recipe)
            code, text = status(api, who, method, path, filled)
            found.append(code)
            if who in {"victor", ""}:
                assert not any(secret in text for secret in SECRETS), (who, method, path, text)
        assert tuple(found) == expected, (method, path)


def test_other_verbs_are_refused_everywhere(api: Any, veras_job: str) -> None:
    known = operations(api)
    for path in {path for _, path in known}:
        filled = path.format(owner="vera", job=veras_job, action="cancel", recipe="0")
        for verb in VERBS:
            if (verb, path) not in known:
                assert api.call("ada", verb, filled).status_code == 405, (verb, path)


def test_anothers_answers_as_what_never_was(api: Any, veras_job: str) -> None:
    recipe = keep(api, "vera")["id"]
    for method, path in WHO_MAY:
        if "{" not in path:
            continue
        body = {"json": {"name": "x", "content": {}}} if method == "PUT" else {}
        of_vera = path.format(owner="vera", job=veras_job, action="cancel", recipe=recipe)
        never = path.format(owner="nobody", job="never", action="cancel", recipe="0123456789abcdef")
        there, nowhere = (api.call("victor", method, filled, **body) for filled in (of_vera, never))
        assert (there.status_code, there.content) == (nowhere.status_code, nowhere.content), (method, path)
        assert there.headers.keys() == nowhere.headers.keys()


def test_who_is_not_let_in_by_the_hub_gets_nothing(api: Any) -> None:
    assert api.call("outside", "GET", "/api/me").status_code == 403
    assert api.call("unknown", "GET", "/api/me").status_code == 401
    odd = {"Authorization": "Bearer \xe4\xff"}
    assert api.call("", "GET", "/api/me", headers={k: v.encode("latin-1") for k, v in odd.items()}).status_code == 401


def test_pages_and_totals_know_only_what_is_seen(api: Any, run: Callable[..., Path]) -> None:
    for number in range(7):
        run("vera", f"a{number}", "A", created=f"2026-11-17T10:00:{number // 2:02d}Z")
        run("victor", f"b{number}", "B", state="failed")
    api.wait_for("ada", "/api/jobs", lambda page: page["total"] == 14)
    for who, prefix, total in (("vera", "a", 7), ("victor", "b", 7), ("lena", "", 14)):
        ids: list[str] = []
        before: str | None = ""
        while before is not None:
            page = api.call(who, "GET", f"/api/jobs?limit=3&before={before}").json()
            assert page["total"] == total
            ids += [job["id"] for job in page["items"]]
            before = page["next"]
        assert len(ids) == len(set(ids)) == total
        assert all(job.startswith(prefix) for job in ids)
    assert api.call("vera", "GET", "/api/jobs?visit=B").json()["total"] == 0
    assert api.call("lena", "GET", "/api/jobs?visit=B&state=failed").json()["total"] == 7
    assert api.call("vera", "GET", "/api/scans").json()["total"] == 1
    assert api.call("victor", "GET", "/api/volumes").json()["total"] == 0
    assert api.call("vera", "GET", "/api/volumes").json()["total"] == 7


def test_who_may_stop_a_job(api: Any, run: Callable[..., Path]) -> None:
    state = {"state": "running", "pid": os.getpid(), "host": os.uname().nodename}
    folder = run("vera", "one", **state)
    api.wait_for("vera", "/api/jobs", lambda page: page["total"] == 1)
    path = "/api/jobs/vera/one/cancel"
    assert api.call("sam", "POST", path).status_code == 403
    assert not (folder / "cancel").exists()
    for who in ("lena", "vera", "ada"):
        assert api.call(who, "POST", path).status_code == 202
        assert (folder / "cancel").exists()
        (folder / "cancel").unlink()
    (folder / "cancel").symlink_to(folder.parent / "elsewhere")
    assert api.call("vera", "POST", path).status_code == 409
    assert not (folder.parent / "elsewhere").exists()


def test_recipes_of_a_visit_and_a_beamline(api: Any) -> None:
    of_visit = keep(api, "vera", "ours", kind="visit", of="A")
    assert keep(api, "sam", "for all", kind="beamline", of="White")["of"] == "White"
    names = {
        who: [r["name"] for r in api.call(who, "GET", "/api/recipes").json()] for who in ("vera", "victor", "lena")
    }
    assert names == {"vera": ["for all", "ours"], "victor": [], "lena": ["for all", "ours"]}
    body = {"kind": "visit", "of": "B", "name": "x", "content": {}}
    assert api.call("vera", "POST", "/api/recipes", json=body).status_code == 404
    assert api.call("vera", "POST", "/api/recipes", json=body | {"kind": "beamline", "of": "Mono"}).status_code == 404
    assert api.call("vera", "POST", "/api/recipes", json=body | {"kind": "beamline", "of": "White"}).status_code == 403
    assert api.call("vera", "POST", "/api/recipes", json=body | {"kind": "user", "of": "victor"}).status_code == 404
    again = {"kind": "visit", "of": "A", "name": "ours", "content": {}}
    assert api.call("lena", "POST", "/api/recipes", json=again).status_code == 409
    changed = api.call("lena", "PUT", f"/api/recipes/{of_visit['id']}", json={"name": "theirs", "content": {"a": 1}})
    assert (changed.json()["name"], changed.json()["author"]) == ("theirs", "vera")
    of_sam = keep(api, "sam", "sams", kind="visit", of="A")["id"]
    assert api.call("vera", "DELETE", f"/api/recipes/{of_sam}").status_code == 403


def test_an_idempotency_key_counts_once_for_a_person(api: Any) -> None:
    key = {"Idempotency-Key": "k-1"}
    body = {"kind": "user", "name": "one", "content": {"b": 1, "a": [1.5, None]}}
    first = api.call("vera", "POST", "/api/recipes", json=body, headers=key)
    second = api.call("vera", "POST", "/api/recipes", json=body, headers=key)
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert list(first.json()["content"]) == ["b", "a"]
    assert len(api.call("vera", "GET", "/api/recipes").json()) == 1
    other = api.call("vera", "POST", "/api/recipes", json=body | {"name": "two"}, headers=key)
    assert other.status_code == 409
    assert api.call("victor", "POST", "/api/recipes", json=body, headers=key).json()["id"] != first.json()["id"]


@pytest.mark.parametrize(
    "text", ['{"a": "\\u0000"}', '{"a": "\\ud800"}', '{"a": 1e999}', '{"a": "%s"}' % ("x" * 70_000)]
)
def test_recipes_that_no_database_takes_are_refused(api: Any, text: str) -> None:
    content = f'{{"kind": "user", "name": "x", "content": {text}}}'
    answer = api.call("vera", "POST", "/api/recipes", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


def test_news_come_as_they_happen_and_only_ones_own(api: Any, run: Callable[..., Path]) -> None:
    run("victor", "other", "B")
    run("vera", "one", state="failed", error="no room")
    api.wait_for("ada", "/api/jobs", lambda page: page["total"] == 2)
    headers = {"Authorization": "Bearer vera-token", "Last-Event-ID": "0.0"}
    heard: list[str] = []
    with httpx.stream("GET", f"{api.url}/api/events", headers=headers, timeout=20) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            heard += [line] if line.startswith(("event:", "data:", "id:")) else []
            if "event: job" in heard and '"done"' not in line and len(heard) < 20:
                run("vera", "one", state="done")
            if '"done"' in line:
                break
    text = "\n".join(heard)
    assert "event: event" in text
    assert '"no room"' in text
    assert "other" not in text
    last = [line for line in heard if line.startswith("id:")][-1].removeprefix("id: ")
    with httpx.stream("GET", f"{api.url}/api/events", headers=headers | {"Last-Event-ID": last}, timeout=20) as stream:
        lines = stream.iter_lines()
        while ": still here" not in (line := next(lines)):
            assert not line.startswith("data:")


def test_a_session_changes_things_only_from_its_own_pages(api: Any) -> None:
    session = api.service.login.sessions.put(("vera-token", "the-word"))
    cookie = {"Cookie": f"stp3-jobs={session}", "X-XSRFToken": "the-word"}
    body = {"kind": "user", "name": "x", "content": {}}

    def post(**headers: str) -> int:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        code: int = api.call("", "POST", "/api/recipes", json=body, headers=cookie | given).status_code
        return code

    assert post(Origin="http://evil.example") == 403
    assert post(Origin="null") == 403
    assert post(X_XSRFToken="guess") == 403
    assert post(X_XSRFToken="") == 403
    assert post(Sec_Fetch_Site="cross-site") == 403
    assert api.call("vera", "GET", "/api/recipes").json() == []
    host = api.url.split("/")[2]
    assert post(Origin=f"http://{host}") == 201
