"""The view of my jobs."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import ipywidgets

from stp3.cluster.run_folder import JobState
from stp3.widgets import words
from stp3.widgets.view import View, beside, button, card, named, set_visible

_IN_WORDS = {
    "waiting": ("info", "Waiting"), "running": ("info", "Running"), "done": ("good", "Done"),
    "failed": ("bad", "Failed"), "cancelled": ("warn", "Cancelled"), "interrupted": ("warn", "Interrupted"),
}  # fmt: skip
EMPTY = "No jobs yet. They stay here when you close the page."


@dataclass(frozen=True)
class JobActions:
    """What the user can do with the job that is shown."""

    choose: Callable[[int], None]
    cancel: Callable[[], None]
    resume: Callable[[], None]
    open_volume: Callable[[], None]


class JobPanel(View):
    """A list of jobs, one of them in full."""

    def __init__(self, act: JobActions) -> None:
        super().__init__()
        self.jobs = named(ipywidgets.Select(rows=4, description="Jobs"), "job-select")
        self.about = named(ipywidgets.HTML(words.note("info", EMPTY)), "job-about")
        self.cancel = button("Cancel", act.cancel, "cancel", tip="Stop this job; what it has made stays")
        self.resume = button("Resume", act.resume, "resume", tip="Go on where it stopped")
        self.open = button("Show volume", act.open_volume, "open-volume")
        self.link = named(ipywidgets.HTML(), "download-place")
        self.widget = named(
            card("My jobs", self.jobs, self.about, beside(self.open, self.link, self.cancel, self.resume)), "jobs"
        )
        self.hear_choice(self.jobs, act.choose)
        self.show((), None, "")

    def show(self, states: Sequence[JobState], chosen: int | None, download_url: str) -> None:
        """The jobs, newest first, and the chosen one in full with where its volume can be fetched."""
        labels = tuple(f"{_IN_WORDS[state.state][1]} · {_named(state)} · {_when(state.created)}" for state in states)
        with self.quietly():
            if labels != self.jobs.options:
                self.jobs.options = labels
            self.jobs.index = chosen
        state = None if chosen is None else states[chosen]
        self.about.value = job_in_words(state) if state else words.note("info", EMPTY)
        self.link.value = _link(state, download_url) if state and state.state == "done" and download_url else ""
        set_visible(self.jobs, bool(states))
        set_visible(self.link, bool(self.link.value))
        set_visible(self.open, bool(state and state.rows_done))
        set_visible(self.cancel, bool(state and not state.is_over))
        set_visible(self.resume, bool(state and state.state in ("interrupted", "failed")))


def job_in_words(state: JobState) -> str:
    """HTML: how a job stands, how far it is, how long it takes, where its volume lies."""
    level, word = _IN_WORDS[state.state]
    percent = 100 * state.rows_done / state.rows_total if state.rows_total else 0.0
    bar = (
        f'<progress class="stp3-progress" max="100" value="{percent:.1f}" aria-label="Progress of the job"></progress>'
        f'<p class="stp3-progress-words">{html.escape(_progress(state))}</p>'
    )
    facts = words.facts({"Scan": _named(state), "Job": state.id, "Folder": state.output})
    said = words.note(level, f"{word}. {_said(state)}".strip())
    mark = f'data-job="{html.escape(state.id)}" data-job-state="{state.state}"'
    return f'<div class="stp3-job" {mark}>{said}{bar}{facts}</div>'


def _progress(state: JobState) -> str:
    parts = [f"{state.rows_done} of {state.rows_total} rows"] if state.rows_total else []
    if state.state == "running":
        if state.rows_per_second:
            parts.append(f"{state.rows_per_second:.3g} rows/s")
        if state.seconds_left is not None:
            parts.append(f"{words.duration(state.seconds_left)} left")
    return " · ".join(parts) or "\u00a0"


def _said(state: JobState) -> str:
    if state.state == "done":
        return f"{words.size(state.bytes_written)} on disk."
    if state.state == "interrupted":
        return state.error or "It stopped before its end. Press Resume to go on where it was."
    return state.error or (state.stage and f"Now: {state.stage}.")


def _named(state: JobState) -> str:
    return Path(state.scan).name


def _when(text: str) -> str:
    try:
        return words.moment(datetime.fromisoformat(text).astimezone())
    except ValueError:
        return text


def _link(state: JobState, url: str) -> str:
    size = words.size(state.bytes_written)
    return f'<a class="stp3-download" href="{html.escape(url, quote=True)}" download>Download ({size})</a>'
