"""Who gets in, what each role may start and see, and what happens when the office takes something away."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def claims_changed(hub: Any, name: str, **changes: object) -> Iterator[None]:
    """The office says something else about a person for a while."""
    before = hub.people_file.read_text()
    people = json.loads(before)
    for person in people:
        if person["sub"] == name:
            person.update(changes)
    hub.people_file.write_text(json.dumps(people))
    time.sleep(1.1)  # the hub asks anew after a second
    try:
        yield
    finally:
        hub.people_file.write_text(before)
        time.sleep(1.1)


def test_home_shows_what_the_role_may_do(vera, sam, ada) -> None:
    home = {person.name: person.client.get("/hub/home").text for person in (vera, sam, ada)}
    tiles = {
        name: [tile for tile in ("workbench", "lab", "jobs", "admin") if f"tile-{tile}" in page]
        for name, page in home.items()
    }
    assert tiles == {"vera": ["workbench"], "sam": ["workbench", "lab"], "ada": ["workbench", "lab", "jobs", "admin"]}
    assert "Porous rock under load" in home["vera"]
    assert "Fossil teeth" not in home["vera"]
    assert "Fossil teeth" in home["sam"]
    assert "lists no visit for you" in home["ada"]


def test_home_shows_the_own_running_jobs_escaped(hub, vera, victor) -> None:
    folder = hub.var / "jobs" / "vera" / "job-1"
    folder.mkdir(parents=True)
    state = {"id": "job-1", "state": "running", "scan": "/data/<b>rock</b>.h5", "sample": "<script>1</script>"}
    (folder / "state.json").write_text(json.dumps({**state, "rows_done": 1, "rows_total": 4}))
    try:
        page = vera.client.get("/hub/home").text
        assert "&lt;script&gt;1&lt;/script&gt;" in page
        assert "<script>1</script>" not in page
        assert "25 %" in page
        assert "Your running jobs" not in victor.client.get("/hub/home").text
    finally:
        (folder / "state.json").unlink()


@pytest.mark.parametrize("server", ["lab", "other"])
def test_a_visitor_is_refused_other_servers_in_words(vera, server: str) -> None:
    page = vera.start(server)
    assert page.status_code == 403
    assert "home page" in page.text
    answer = vera.api("POST", f"users/vera/servers/{server}", json={"profile": "lab", "cmd": ["sh"]})
    assert answer.status_code == 403


def test_options_of_the_browser_change_nothing(victor) -> None:
    victor.stop()
    answer = victor.api(
        "POST", "users/victor/server", json={"profile": "lab", "cmd": ["sleep"], "environment": {"A": "1"}}
    )
    assert answer.status_code in {201, 202}
    assert victor.start().status_code == 200
    assert victor.client.get("/user/victor/lab").status_code == 404
    victor.stop()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "users", None),
        ("GET", "users/victor", None),
        ("GET", "groups", None),
        ("GET", "proxy", None),
        ("GET", "services", None),
        ("PATCH", "users/vera", {"admin": True}),
        ("POST", "users/vera/tokens", {}),
        ("GET", "users/vera/tokens", None),
        ("POST", "groups/role:scientist/users", {"users": ["vera"]}),
        ("POST", "groups/visit:B/users", {"users": ["vera"]}),
        ("POST", "users/victor/server", None),
        ("POST", "shutdown", {}),
    ],
)
def test_a_visitor_has_no_power_over_the_hub(vera, method: str, path: str, body: object) -> None:
    answer = vera.api(method, path, json=body)
    # a list that a visitor may ask for holds nobody but the visitor
    refused = answer.status_code in {403, 404}
    assert refused or (answer.status_code == 200 and "victor" not in answer.text), answer.text


def test_the_pages_of_administrators(vera, sam, ada) -> None:
    for page in ("/hub/admin", "/services/jobs/", "/services/jobs/jobs.json"):
        assert vera.client.get(page).status_code in {401, 403}
        assert sam.client.get(page).status_code in {401, 403}
    assert ada.client.get("/hub/admin").status_code == 200
    assert ada.client.get("/services/jobs/").status_code == 200


def test_the_job_service_knows_who_asks(vera, sam) -> None:
    for person, roles, visits in ((vera, ["visitor"], ["A"]), (sam, ["scientist", "visitor"], ["A", "B"])):
        person.client.get("/services/jobs/")  # begins the session
        me = person.client.get("/services/jobs/api/me").json()
        assert (me["name"], me["roles"], me["visits"]) == (person.name, roles, visits)
        assert me["beamlines"] == ["Practice beamline"]


def test_the_jobs_page_lists_everybodys_jobs_escaped(hub, ada) -> None:
    folder = hub.var / "jobs" / "victor" / "job-2"
    folder.mkdir(parents=True)
    state = {
        "id": "job-2",
        "state": "failed",
        "scan": "/data/tooth.h5",
        "user": "ada",
        "error": "<img src=x onerror=a()>",
    }
    (folder / "state.json").write_text(json.dumps(state))
    try:
        assert ada.client.get("/services/jobs/").status_code == 200
        deadline = time.monotonic() + 20
        # the folder tells whose it is, not the file
        while "<td>victor</td>" not in (rows := ada.client.get("/services/jobs/rows").text):
            assert time.monotonic() < deadline, rows
            time.sleep(0.2)
        assert "&lt;img src=x" in rows
        record = next(job for job in ada.client.get("/services/jobs/jobs.json").json() if job["id"] == "job-2")
        assert (record["owner"], record["state"]) == ("victor", "failed")
    finally:
        (folder / "state.json").unlink()


def test_the_jobs_login_cannot_be_begun_elsewhere(ada) -> None:
    assert ada.client.get("/services/jobs/oauth_callback?code=x&state=y").status_code == 403


def test_who_loses_everything_is_out_at_the_next_start(hub, member: Callable[[str], Any]) -> None:
    victor = member("victor")
    victor.stop()
    with claims_changed(hub, "victor", visits=[], roles=[]):
        refused = victor.start()
        assert refused.status_code == 403
        assert "no visit and no role" in refused.text
        assert victor.client.get("/hub/home").status_code == 403
        assert victor.api("POST", "users/victor/server").status_code in {403, 404}
    assert member("victor").start().status_code == 200
    victor.stop()


def test_who_loses_a_visit_loses_the_running_server(hub, member: Callable[[str], Any]) -> None:
    sam = member("sam")
    assert sam.start().status_code == 200
    only_a = [visit for visit in json.loads(hub.people_file.read_text())[2]["visits"] if visit["id"] == "A"]
    with claims_changed(hub, "sam", visits=only_a):
        assert sam.client.get("/hub/home").status_code == 200
        assert sam.api("GET", "users/sam").json()["server"] is None
        assert sam.client.get("/user/sam/voila/render/workbench.ipynb").url.path.startswith("/hub/")


def test_who_loses_a_visit_starts_without_it(hub, member: Callable[[str], Any]) -> None:
    sam = member("sam")
    sam.stop()
    only_a = [visit for visit in json.loads(hub.people_file.read_text())[2]["visits"] if visit["id"] == "A"]
    with claims_changed(hub, "sam", visits=only_a):
        assert sam.start().status_code == 200
        assert "Fossil teeth" not in sam.client.get("/hub/home").text
    sam.stop()


def test_who_is_no_scientist_any_more_gets_no_lab(hub, member: Callable[[str], Any]) -> None:
    sam = member("sam")
    sam.api("DELETE", "users/sam/servers/lab")
    time.sleep(4)
    with claims_changed(hub, "sam", roles=[]):
        page = sam.start("lab")
        assert page.status_code == 403
        assert "tile-lab" not in sam.client.get("/hub/home").text


def test_who_is_no_administrator_any_more_loses_the_pages(hub, member: Callable[[str], Any]) -> None:
    ada = member("ada")
    assert ada.client.get("/services/jobs/").status_code == 200
    with claims_changed(hub, "ada", roles=["visitor"]):
        ada.client.get("/hub/home")
        assert ada.client.get("/hub/admin").status_code == 403
        assert ada.client.get("/services/jobs/jobs.json").status_code == 403


def test_a_download_is_the_volume_and_only_the_owners(hub, vera, victor) -> None:
    folder = hub.var / "jobs" / "vera" / "job-3"
    (folder / "volume" / "slices").mkdir(parents=True)
    (folder / "volume" / "slices" / "slice_00000.tif").write_bytes(bytes(range(256)) * 20000)
    (folder / "volume" / "recipe.yaml").write_text("steps: []\n")
    state = {"id": "job-3", "state": "running", "output": str(folder / "volume")}
    (folder / "state.json").write_text(json.dumps(state))
    answer = vera.client.get("/user/vera/download/job-3")
    assert answer.status_code == 409
    assert "job-3 is running" in answer.text or "interrupted" in answer.text
    (folder / "state.json").write_text(json.dumps(state | {"state": "done"}))
    answer = vera.client.get("/user/vera/download/job-3")
    assert answer.headers["content-disposition"] == 'attachment; filename="job-3.zip"'
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    assert sorted(archive.namelist()) == ["job-3/recipe.yaml", "job-3/slices/slice_00000.tif"]
    assert archive.read("job-3/slices/slice_00000.tif") == bytes(range(256)) * 20000
    assert victor.client.get("/user/vera/download/job-3").status_code == 403
    (folder / "state.json").unlink()
