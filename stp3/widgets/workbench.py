"""The workbench's one controller: the user's intention and the scan go in, the least work comes out, views show it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import ipywidgets

from stp3 import config
from stp3.cluster.client import Job
from stp3.errors import Stp3Error
from stp3.preview import Preview
from stp3.recipe import Recipe
from stp3.scan import Scan, open_scan
from stp3.steps.base import AUTO
from stp3.volume import Volume, open_volume
from stp3.widgets.check_desk import CheckDesk
from stp3.widgets.convergence import Convergence
from stp3.widgets.film import Look
from stp3.widgets.history import History
from stp3.widgets.job_desk import JobDesk, free_bytes
from stp3.widgets.picture import Picture
from stp3.widgets.recipe_panel import RecipeActions, RecipePanel
from stp3.widgets.ring_gauge import RingGauge
from stp3.widgets.scan_list import ScanFile, list_scans
from stp3.widgets.scan_picker import ScanPicker
from stp3.widgets.slice_bar import PREVIEW, VOLUME, SliceBar
from stp3.widgets.slice_viewer import SliceViewer
from stp3.widgets.state import Intention, Shown, Subject, resolve, work_between
from stp3.widgets.step_choice import added
from stp3.widgets.strip import RecipeChange
from stp3.widgets.strip_desk import StripDesk
from stp3.widgets.submit_panel import SubmitPanel
from stp3.widgets.view import named
from stp3.widgets.worker import Errands, Turn, bring_libraries, running_loop

_STYLE = Path(str(files("stp3_extensions"))) / "workbench" / "workbench.css"
_ONE_MOVE_SECONDS = 1.0


class Workbench:
    """Visit, scan, slice, job and volume on one page; show it as the last line of a notebook's cell.

    It does nothing until a page connects: a kernel kept warm for the next visitor costs no work.
    """

    def __init__(self) -> None:
        self._loop = running_loop()
        self.viewer = SliceViewer("Choose a scan to begin.")
        self.viewer.on_ready, self.viewer.on_step = self.connected, lambda by: self.slices.step(by)
        self.checks = CheckDesk(self._deliver, self._show_submission)
        self.scans = ScanPicker(self.choose_visit, self.choose_scan, self.refresh, self.checks.panel.widget)
        self.rings, self.convergence = RingGauge(), Convergence()
        self.slices = SliceBar(self.move, self.set_mode, self.convergence.widget, self.rings.widget)
        self.strips = StripDesk(self._deliver, self.take, lambda: Look(self.viewer.limits, self.viewer.window))
        self.recipe = RecipePanel(
            RecipeActions(
                self.change, self.find_axis, self.strips.sweep, self.strips.suggest, self.take, self.add_step,
                self.undo, self.redo, self.reset, self.paste,
            )
        )  # fmt: skip
        self.submission = SubmitPanel(self.choose_rows, self.choose_format, self.submit)
        self.picture = Picture(self.viewer, self.rings, self.convergence, self._deliver)
        self._errands = Errands(self._deliver)
        self.desk = JobDesk(self._errands, self._loop, self.submission.say, self._show_submission, self.open_volume)
        self._forget()
        self.page = self._laid_out()
        self._show_nothing()

    def _forget(self) -> None:
        self._roots = config.data_roots()
        self._visit: int | None = 0 if self._roots else None
        self._files: Sequence[ScanFile] = ()
        self._chosen: ScanFile | None = None
        self._subject: Subject | None = None
        self._intention = Intention(Recipe.default())
        self._history = History(self._intention.recipe)
        self._last_change: tuple[tuple[str, ...], float] = ((), 0.0)
        self.shown: Shown | None = None
        self._volume: Volume | None = None
        self._z = 0
        self._mode = PREVIEW

    def _repr_mimebundle_(self, **settings: Any) -> Any:
        return self.page._repr_mimebundle_(**settings)

    def close(self) -> None:
        """Ends the threads and takes the page away; jobs go on."""
        self.picture.close()
        self._errands.close()
        self.strips.close()
        self.checks.close()
        self.page.close()

    # --- visits and scans ---

    def connected(self) -> None:
        """A page is there: shows what there is now."""
        self._roots = config.data_roots()
        if self._visit is None or self._visit >= len(self._roots):
            self._visit = 0 if self._roots else None
        self.scans.show_visits(self._roots, self._visit)
        self.refresh()
        self.desk.refresh()
        self._errands.send(bring_libraries, lambda _: None, lambda _: None)

    def choose_visit(self, index: int) -> None:
        """Shows the scans of a visit."""
        if 0 <= index < len(self._roots):
            self._visit, self._files, self._chosen = index, (), None
            self.refresh()

    def refresh(self) -> None:
        """Looks again for scans in the visit's folder."""
        if self._visit is None:
            return
        root = self._roots[self._visit]
        self._errands.send(
            lambda: list_scans(root),
            lambda found: self._listed(root.id, found),
            lambda text: self.scans.say("bad", text),
        )

    def _listed(self, visit: str, found: Sequence[ScanFile]) -> None:
        if self._visit is None or self._roots[self._visit].id != visit:
            return
        names = [file.name for file in found]
        kept = self._chosen and self._chosen.root.id == visit and self._chosen.name in names
        self._files = found
        self.scans.show_scans(found, names.index(self._chosen.name) if kept and self._chosen else None)

    def choose_scan(self, index: int) -> None:
        """Opens a scan of the list and makes its first picture: axis found, the recipe as it is, the middle row."""
        if not 0 <= index < len(self._files):
            return
        self._chosen = file = self._files[index]
        self._subject = self.shown = None
        self._mode = PREVIEW
        self.strips.close_strip()
        self.checks.forget()
        self._show_nothing()
        self.recipe.show_axis_report(None, by_hand=False)
        self.scans.say("info", f"Opening {file.name}…")
        self.picture.request(lambda turn: self._open(turn, file), self._not_opened)

    def _not_opened(self, text: str) -> None:
        self.viewer.clear()
        self.viewer.fault(text)
        self.scans.say("bad", text)
        self.recipe.clear_axis_report()

    def _open(self, turn: Turn, file: ScanFile) -> None:
        turn.stage("Opening the scan")
        scan = open_scan(file.path)
        turn.deliver(lambda: self._scan_opened(scan))
        turn.stage("Finding the centre of rotation")
        from stp3.axis import find_rotation_axis

        axis = find_rotation_axis(scan, threads=config.threads())
        subject = Subject(scan, axis, Preview(scan, config.threads()))
        turn.deliver(lambda: self._opened(subject))

    def _scan_opened(self, scan: Scan) -> None:
        self.scans.show_about(scan)
        self.checks.show(scan, self._history.now)

    def _opened(self, subject: Subject) -> None:
        self._subject = subject
        self._history = History(self._history.now.with_values({"rotation_axis.column": AUTO}))
        self._intention = Intention(self._history.now, format=self._intention.format)
        self.recipe.set_enabled(True)
        self._update()

    # --- the recipe ---

    def change(self, values: dict[str, Any]) -> bool:
        """Whether it took `{"step.parameter": value}` into the recipe; if not it says why."""
        now, keys = time.monotonic(), tuple(values)
        same_move = self._last_change[0] == keys and now - self._last_change[1] < _ONE_MOVE_SECONDS
        if self._take(lambda: self._history.changed(self._history.now.with_values(values), same_move=same_move)):
            self._last_change = keys, now
            return True
        return False

    def add_step(self, name: str) -> bool:
        """Whether it took one more step into the recipe, at its place."""
        scan = self._subject.scan if self._subject else None
        return scan is not None and self.take(lambda recipe: added(recipe, name, scan))

    def take(self, change: RecipeChange) -> bool:
        """Whether it took a change of the whole recipe; if not it says why."""
        return self._take(lambda: self._history.changed(change(self._history.now)))

    def paste(self, text: str) -> None:
        """Takes a whole recipe from YAML, or says what is wrong with it."""
        self._take(lambda: self._history.changed(Recipe.from_yaml(text)))

    def find_axis(self) -> None:
        """Goes back to the rotation axis that was found."""
        self.change({"rotation_axis.column": AUTO})

    def undo(self) -> None:
        """One change of the recipe back."""
        self._take(self._history.undo)

    def redo(self) -> None:
        """One change of the recipe forward again."""
        self._take(self._history.redo)

    def reset(self) -> None:
        """Back to the default recipe; this too can be undone."""
        self._take(lambda: self._history.changed(Recipe.default()))

    def _take(self, changed: Callable[[], History]) -> bool:
        if self._subject is None:
            return False
        try:
            history = changed()
            resolve(replace(self._intention, recipe=history.now), self._subject)
        except Stp3Error as fault:
            self.recipe.show_fault(str(fault))
            return False
        self._history, self._last_change = history, ((), 0.0)
        self._intention = replace(self._intention, recipe=history.now)
        self._mode = PREVIEW
        self._update()
        return True

    # --- the picture ---

    def move(self, place: int) -> None:
        """Shows another row of the preview or another slice of the volume."""
        if self._mode == VOLUME and self._volume:
            self._z = place
            self.picture.slice_of(self._volume, self._z)
        elif self._subject and 0 <= place < self._subject.scan.rows:
            self._intention = replace(self._intention, row=place)
            self._update()
        self._show_slices()

    def set_mode(self, mode: str) -> None:
        """Shows the live preview or the volume opened last."""
        self._mode = VOLUME if mode == VOLUME and self._volume else PREVIEW
        if self._mode == VOLUME and self._volume:
            self.picture.slice_of(self._volume, self._z)
        elif self.shown:
            self._show_preview(self.shown)
        self._show_slices()

    def _update(self) -> None:
        """From the intention to the page, by the least work."""
        if self._subject is None:
            return
        shown = resolve(self._intention, self._subject)
        work, self.shown = work_between(self.shown, shown), shown
        by_hand = self._history.now.use("rotation_axis").parameters.model_dump()["column"] != AUTO
        self.recipe.show(self._history, shown.rotation_axis, by_hand=by_hand)
        self.recipe.show_axis_report(self._subject.axis, by_hand=by_hand)
        self.strips.show(self._subject, shown)
        self.checks.show(self._subject.scan, self._history.now)
        self._show_submission()
        self._show_slices()
        if self._mode == PREVIEW and (work == "picture" or self.viewer.state != "idle"):
            self._show_preview(shown)

    def _show_preview(self, shown: Shown) -> None:
        if self._subject:
            self.picture.preview(self._subject.preview, shown)

    # --- the job ---

    def choose_rows(self, rows: tuple[int, int]) -> None:
        """The rows of the volume to come: from the first up to, without, the last."""
        self._choose(rows=rows)

    def choose_format(self, format: str) -> None:
        """How the volume to come is stored."""
        self._choose(format=format)

    def _choose(self, **wish: Any) -> None:
        try:
            self._intention, before = replace(self._intention, **wish), self._intention
            self._update()
        except Stp3Error as fault:
            self._intention = before
            self.submission.say("bad", str(fault))

    def submit(self) -> None:
        """Starts the job that is shown, once."""
        if self.shown:
            self.desk.submit(self.shown)

    # --- the volume ---

    def open_volume(self, job: Job) -> None:
        """Shows the slices of a job's volume, those that are there."""
        self.picture.request(lambda turn: self._open_volume(turn, job))

    def _open_volume(self, turn: Turn, job: Job) -> None:
        turn.stage("Opening the volume")
        volume = open_volume(job.output)
        done = volume.done_rows
        if not done:
            raise Stp3Error("This volume has no slice yet. Wait for the first one.")
        turn.deliver(lambda: self._volume_opened(volume, volume.rows.index(done[len(done) // 2])))

    def _volume_opened(self, volume: Volume, z: int) -> None:
        self._volume, self._z = volume, z
        self.set_mode(VOLUME)

    # --- from state to views ---

    def _show_nothing(self) -> None:
        self.scans.show_visits(self._roots, self._visit)
        self.recipe.set_enabled(False)
        self.submission.show_nothing()
        self.picture.say_nothing()
        self._show_slices()

    def _show_slices(self) -> None:
        has_volume = self._volume is not None
        if self._mode == VOLUME and self._volume:
            self.slices.show(self._z, len(self._volume.rows), VOLUME, has_volume=has_volume)
        elif self.shown and self._subject:
            self.slices.show(self.shown.row, self._subject.scan.rows, PREVIEW, has_volume=has_volume)
        else:
            self.slices.show(0, 0, PREVIEW, has_volume=has_volume)

    def _show_submission(self) -> None:
        if self.shown and self._subject:
            under_way = self.desk.is_under_way(self.shown)
            self.submission.show(
                self.shown, self._subject.scan.rows, free_bytes(), self.checks.report, under_way=under_way
            )

    def _deliver(self, act: Callable[[], None]) -> None:
        if self._loop:
            self._loop.call_soon_threadsafe(act)
        else:
            act()

    def _laid_out(self) -> ipywidgets.Box:
        style = named(ipywidgets.HTML(f"<style>{_STYLE.read_text(encoding='utf-8')}</style>"), "style")
        view = named(ipywidgets.VBox([self.viewer, self.strips.panel.widget, self.slices.widget]), "view")
        cards = [part.widget for part in (self.scans, self.recipe, self.submission, self.desk.panel)]
        return named(ipywidgets.Box([style, view, named(ipywidgets.VBox(cards), "panel")]), "workbench").add_class(
            "stp3"
        )
