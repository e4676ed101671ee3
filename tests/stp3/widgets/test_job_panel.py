"""How a job is told on the page."""

import pytest

from stp3.cluster.run_folder import JobState
from stp3.widgets.job_panel import JobActions, JobPanel, job_in_words

EVIL = '"><img src=x onerror=alert(1)>'


def state(**changes):
    content = {
        "id": "20260101-101010-abcdef", "state": "running", "scan": "/data/one.h5", "output": "/jobs/x/volume",
        "rows": (0, 40), "rows_done": 10, "rows_total": 40, "rows_per_second": 2.5, "seconds_left": 12.0,
        "created": "2026-01-01T10:10:10Z", "bytes_written": 41_900_000,
    }  # fmt: skip
    return JobState(**(content | changes))


@pytest.fixture
def panel():
    def nothing(*_):
        pass

    return JobPanel(JobActions(nothing, nothing, nothing, nothing))


def is_shown(widget):
    return widget.layout.display != "none"


def test_a_running_job_tells_how_far_it_is():
    text = job_in_words(state())
    assert "10 of 40 rows · 2.5 rows/s · 12 s left" in text
    assert 'value="25.0"' in text
    assert 'data-job-state="running"' in text


def test_a_finished_job_tells_its_size_and_place():
    text = job_in_words(state(state="done", rows_done=40))
    assert "Done. 41.9 MB on disk." in text
    assert "/jobs/x/volume" in text
    assert "left" not in text


def test_a_failed_job_tells_its_cause():
    assert "Failed. the disk is full." in job_in_words(state(state="failed", error="the disk is full."))


def test_nothing_of_a_job_becomes_markup(panel):
    evil = state(state="failed", scan=f"/data/{EVIL}.h5", output=EVIL, error=EVIL, stage=EVIL, sample=EVIL)
    assert "<img" not in job_in_words(evil)
    panel.show([evil.model_copy(update={"state": "done"})], 0, EVIL)
    assert "<img" not in panel.link.value
    assert "<img" not in panel.about.value


def test_the_volume_can_be_fetched_once_it_is_done(panel):
    panel.show([state()], 0, "/user/vera/download/1")
    assert not is_shown(panel.link)
    panel.show([state(state="done")], 0, "/user/vera/download/1")
    assert 'href="/user/vera/download/1"' in panel.link.value
    assert "Download (41.9 MB)" in panel.link.value
    assert is_shown(panel.link)


def test_without_a_hub_there_is_no_link_but_the_path(panel):
    panel.show([state(state="done")], 0, "")
    assert not is_shown(panel.link)
    assert "/jobs/x/volume" in panel.about.value


@pytest.mark.parametrize(
    ("name", "rows_done", "shown"),
    [
        ("waiting", 0, {"cancel"}),
        ("running", 3, {"cancel", "open"}),
        ("done", 40, {"open"}),
        ("failed", 3, {"open", "resume"}),
        ("interrupted", 0, {"resume"}),
        ("cancelled", 0, set()),
    ],
)
def test_only_what_can_be_done_is_offered(panel, name, rows_done, shown):
    panel.show([state(state=name, rows_done=rows_done)], 0, "")
    assert {what for what in ("cancel", "open", "resume") if is_shown(getattr(panel, what))} == shown


def test_without_jobs_the_list_is_not_there(panel):
    panel.show([], None, "")
    assert not is_shown(panel.jobs)
    assert "No jobs yet" in panel.about.value
