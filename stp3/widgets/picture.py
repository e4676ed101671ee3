"""The picture in the viewer: a row's preview, coarse while the user moves something, or a slice of a volume."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stp3.preview import Preview
from stp3.steps import find_step
from stp3.volume import Volume
from stp3.widgets.convergence import Convergence
from stp3.widgets.ring_gauge import RingGauge
from stp3.widgets.slice_viewer import SliceViewer
from stp3.widgets.state import Shown
from stp3.widgets.worker import Deliver, Turn, Worker

_AT_ONCE_SECONDS = 0.05  # a picture that takes longer is first shown coarsely
_MOVING_SECONDS = 0.08  # between two changes of somebody who moves a slider


class Picture:
    """What is asked for last is shown; what was asked for before it stops at its next step."""

    def __init__(self, viewer: SliceViewer, rings: RingGauge, convergence: Convergence, deliver: Deliver) -> None:
        self.viewer, self.rings, self.convergence = viewer, rings, convergence
        self._worker = Worker(deliver, viewer.busy)
        self._subject = ""
        self._seconds = math.inf  # how long the last preview took

    def preview(self, preview: Preview, shown: Shown) -> None:
        """Shows the row of that state, and then says what the removal of rings does to it."""
        subject = str(shown.path)
        self.request(lambda turn: self._preview(turn, preview, shown), subject=subject)

    def slice_of(self, volume: Volume, z: int) -> None:
        """Shows a slice of a volume."""
        self.request(lambda turn: self._volume(turn, volume, z), subject=str(volume.folder))

    def request(
        self, work: Callable[[Turn], None], failed: Callable[[str], None] | None = None, *, subject: str = ""
    ) -> None:
        """Has `work` done, which shows something of `subject`; `failed` hears errors in words."""
        self._subject = subject
        self.viewer.busy()
        self.rings.wait()
        self._worker.request(work, failed or self.viewer.fault)

    def close(self) -> None:
        """Ends the thread."""
        self._worker.close()

    def _preview(self, turn: Turn, preview: Preview, shown: Shown) -> None:
        where, about = f"{preview.scan.path.name} · row {shown.row}", {"pixel_size_um": preview.scan.pixel_size_um}
        if self._seconds > _AT_ONCE_SECONDS and (found := preview.coarse(shown.recipe, shown.row)):
            coarse, size = found
            coarsely = {**about, "binning": size, "whole": shown.shape[1:]}
            turn.show(lambda: self._show_coarse(coarse, f"{where} · coarse", str(shown.path), coarsely))
            turn.rest(_MOVING_SECONDS)
        began = time.perf_counter()
        slab = preview.slab(
            shown.recipe,
            shown.row,
            on_step=lambda name: turn.stage(find_step(name).title),
            on_iteration=self.convergence.follow(turn),
        )
        self._seconds = time.perf_counter() - began
        title = f"{where} · {self._seconds:.2f} s"
        turn.deliver(lambda: self._show(slab.data[0], title, str(shown.path), about))
        turn.deliver(lambda: self.convergence.show(slab.residuals))
        self.rings.measure(turn, preview, shown.recipe, shown.row)

    def _volume(self, turn: Turn, volume: Volume, z: int) -> None:
        turn.stage("Reading the slice")
        data = volume.slice(z)
        title = f"Volume {volume.folder.parent.name} · slice {z} (row {volume.rows[z]}), {volume.dtype}"
        about = {"pixel_size_um": volume.voxel_size_um}
        turn.deliver(lambda: self._show(data, title, str(volume.folder), about))
        turn.deliver(self.say_nothing)

    def say_nothing(self) -> None:
        """Takes what is said of the slice beside it off the page."""
        self.rings.show(None)
        self.convergence.show(())

    def _show(self, data: NDArray[Any], title: str, subject: str, about: dict[str, Any]) -> None:
        self._draw(data, title, subject, about)
        self.viewer.idle()

    def _show_coarse(self, data: NDArray[Any], title: str, subject: str, about: dict[str, Any]) -> None:
        """A first impression, unless something else was asked for since."""
        if subject == self._subject:
            self._draw(data, title, subject, about)

    def _draw(self, data: NDArray[Any], title: str, subject: str, about: dict[str, Any]) -> None:
        unit = "1/cm" if about["pixel_size_um"] else "1/pixel"
        unit = "grey value" if np.issubdtype(data.dtype, np.integer) else unit
        self.viewer.show(data, unit=unit, title=title, subject=subject, **about)
