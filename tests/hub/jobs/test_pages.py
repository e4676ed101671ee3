"""The pages of the job service: what is shown, what is asked before anything is done, who may not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RUNNING = {"state": "running", "pid": os.getpid(), "host": os.uname().nodename}


class Window:
    """Somebody with a session of the service."""

    def __init__(self, api: Any, who: str) -> None:
        self.api = api
        self.word = f"word of {who}"
        session = api.service.login.sessions.put((f"{who}-token", self.word))
        self.cookie = {"Cookie": f"stp3-jobs={session}"}

    def get(self, path: str) -> Any:
        return self.api.call("", "GET", path, headers=self.cookie)

    def post(self, path: str, word: str | None = None, **headers: str) -> Any:
        form = {} if word == "" else {"xsrf": word or self.word}
        return self.api.call("", "POST", path, data=form, headers=self.cookie | headers)


@pytest.fixture
def folder(api: Any, run: Callable[..., Path]) -> Path:
    """A running job of vera's."""
    made = run("vera", "one", **RUNNING, sample="<script>1</script>")
    (made / "driver.log").write_text("line <b>\n")
    api.wait_for("ada", "/api/jobs", lambda page: page["total"] == 1)
    return made


def test_a_job_is_stopped_after_a_question_and_it_is_written_down(api: Any, folder: Path) -> None:
    ada = Window(api, "ada")
    page = ada.get("/job/vera/one").text
    assert "/job/vera/one/cancel" in page
    assert "line &lt;b&gt;" in page
    assert "<script>" not in page
    question = ada.get("/job/vera/one/cancel").text
    assert f'name="xsrf" value="{ada.word}"' in question
    assert "visit A" in question
    assert not (folder / "cancel").exists()
    answer = ada.post("/job/vera/one/cancel")
    assert (answer.status_code, answer.headers["location"]) == (303, "/services/jobs/job/vera/one")
    assert (folder / "cancel").exists()
    line = api.call("ada", "GET", "/api/audit").json()["items"][0]
    assert (line["person"], line["action"], line["target"]) == ("ada", "job.cancel", "vera/one")
    assert "job.cancel by ada" in ada.get("/job/vera/one").text
    assert "job.cancel" in ada.get("/audit").text


def test_nothing_is_done_for_a_page_of_another_origin(api: Any, folder: Path) -> None:
    ada = Window(api, "ada")
    path = "/job/vera/one/cancel"
    host = api.url.split("/")[2]
    answers = [
        ada.post(path, Origin="https://evil.example"),
        ada.post(path, Origin="null"),
        ada.post(path, Origin=f"http://{host}.evil.example"),
        ada.post(path, **{"Sec-Fetch-Site": "same-site"}),
        ada.post(path, word="guess"),
        ada.post(path, word=""),
    ]
    assert [answer.status_code for answer in answers] == [403] * 6
    assert not (folder / "cancel").exists()
    assert api.call("ada", "GET", "/api/audit").json()["total"] == 0
    assert ada.post(path, Origin=f"http://{host}", **{"Sec-Fetch-Site": "same-origin"}).status_code == 303


def test_others_are_shown_no_button_and_cannot_press_it(api: Any, folder: Path) -> None:
    sam, victor = Window(api, "sam"), Window(api, "victor")
    assert "Stop this job" not in sam.get("/job/vera/one").text
    assert sam.post("/job/vera/one/cancel").status_code == 403
    assert victor.get("/job/vera/one").status_code == 404
    assert victor.post("/job/vera/one/cancel").status_code == 404
    assert not (folder / "cancel").exists()


def test_failed_jobs_have_their_cause_and_their_log_at_hand(api: Any, folder: Path, run: Callable[..., Path]) -> None:
    run("vera", "bad", state="failed", error="No space is left.")
    api.wait_for("ada", "/api/jobs", lambda page: page["total"] == 2)
    page = Window(api, "ada").get("/?state=failed").text
    assert "No space is left." in page
    assert 'href="/services/jobs/job/vera/bad#log"' in page
    assert "/job/vera/one" not in page


def test_a_refusal_is_a_page(api: Any, folder: Path) -> None:
    refused = Window(api, "victor").get("/statistics")
    assert refused.status_code == 403
    assert "for administrators" in refused.text
    assert "</html>" in refused.text


@pytest.mark.parametrize("path", ["/", "/statistics", "/audit", "/job/vera/one", "/job/vera/one/cancel"])
def test_pages_are_strict_and_hold_nothing_inline(api: Any, folder: Path, path: str) -> None:
    answer = Window(api, "ada").get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert not any(word in answer.text for word in (" style=", "<style", "onclick", "javascript:", "//cdn"))


def test_a_directory_that_was_swapped_for_a_link_leads_nowhere(
    api: Any, folder: Path, run: Callable[..., Path]
) -> None:
    of_victor = run("victor", "theirs", "B", **RUNNING)
    (of_victor / "driver.log").write_text("victors secret\n")
    api.wait_for("ada", "/api/jobs", lambda page: page["total"] == 2)
    folder.rename(folder.with_name("old"))
    folder.symlink_to(of_victor)
    for path in ("/api/jobs/vera/one/log", "/job/vera/one"):
        assert "secret" not in api.call("vera", "GET", path).text
    assert api.call("vera", "POST", "/api/jobs/vera/one/cancel").status_code in {404, 409}
    assert not (of_victor / "cancel").exists()


def test_a_second_name_of_a_file_elsewhere_is_not_read(api: Any, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret of root\n")
    (folder / "driver.log").unlink()
    (folder / "driver.log").hardlink_to(tmp_path / "secret")
    assert api.call("vera", "GET", "/api/jobs/vera/one/log").text == ""
