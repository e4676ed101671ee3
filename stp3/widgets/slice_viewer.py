"""The slice viewer: one picture on the page, float values kept, grey limits chosen there."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from numpy.typing import NDArray

_FRONT_END = Path(str(files("stp3_extensions"))) / "slice-viewer"
_SENT_AS = {"float32": "float32", "uint16": "uint16", "uint8": "uint8"}


class SliceViewer(anywidget.AnyWidget):
    """A viewer for slices.

    The page asks for the next picture when it has drawn the last one; until it asks, only the newest is kept.
    `on_ready` is called when a page connects, `on_step` with -1 or +1 when the user turns the page.
    """

    _esm = "\n".join((_FRONT_END / name).read_text(encoding="utf-8") for name in ("painter.js", "viewer.js"))
    _css = _FRONT_END / "viewer.css"

    hint = traitlets.Unicode("").tag(sync=True)
    key = traitlets.Unicode("").tag(sync=True)

    def __init__(self, hint: str = "", **settings: Any) -> None:
        super().__init__(hint=hint, key=secrets.token_hex(8), **settings)
        self.on_ready: Callable[[], None] = lambda: None
        self.on_step: Callable[[int], None] = lambda by: None
        self.frame = 0
        self._picture: tuple[dict[str, Any], NDArray[Any]] | None = None
        self._status: dict[str, Any] = {"kind": "status", "state": "idle", "stage": "", "text": hint}
        self._limits: tuple[float, float] | None = None
        self._window: tuple[float, float, float, float] | None = None
        self._wanted = False
        self.on_msg(self._hear)

    @property
    def limits(self) -> tuple[float, float] | None:
        """The grey values shown black and white on the page; None before there is a picture."""
        return self._limits

    @property
    def window(self) -> tuple[float, float, float, float] | None:
        """The part of the picture on the page, (left, top, right, bottom) in pixels; None while all of it is."""
        return self._window

    @property
    def picture(self) -> NDArray[Any] | None:
        """The picture shown last, shape (y, x); None before there is one."""
        return self._picture[1] if self._picture else None

    def show(
        self,
        image: NDArray[Any],
        *,
        pixel_size_um: float | None = None,
        unit: str = "",
        title: str = "",
        subject: str = "",
        binning: int = 1,
        whole: tuple[int, int] | None = None,
    ) -> int:
        """The number of the picture now to be shown; `image` has shape (y, x), any real dtype.

        Zoom and grey limits stay as the user set them until `subject` (what the picture is of) changes. A coarse
        picture says what it is binned by and the shape of the `whole` one, in whose middle it is shown.
        """
        if image.ndim != 2:
            raise ValueError(f"a picture has two dimensions (y, x), got an array of shape {image.shape}.")
        pixels = np.ascontiguousarray(image, _SENT_AS.get(image.dtype.name, "float32"))
        self.frame += 1
        content = {
            "kind": "frame", "frame": self.frame, "shape": list(pixels.shape), "dtype": pixels.dtype.name,
            "pixel_size_um": pixel_size_um, "unit": unit, "title": title, "subject": subject,
            "binning": binning, "whole": list(whole or pixels.shape),
        }  # fmt: skip
        self._picture = content, pixels
        if self._wanted:
            self._send_picture()
        return self.frame

    def clear(self) -> None:
        """Takes the picture off the page."""
        self._picture = None
        self.send({"kind": "clear"})

    def busy(self, stage: str = "") -> None:
        """Shows that something is under way, and what."""
        self._tell("busy", stage=stage)

    def idle(self, text: str = "") -> None:
        """Shows that nothing is under way; `text` stands in the empty viewer."""
        self._tell("idle", text=text)

    def fault(self, text: str) -> None:
        """Shows what went wrong beside the picture, which stays."""
        self._tell("error", text=text)

    @property
    def state(self) -> str:
        """busy, idle or error."""
        return str(self._status["state"])

    def _tell(self, state: str, stage: str = "", text: str = "") -> None:
        status = {"kind": "status", "state": state, "stage": stage, "text": text}
        if status != self._status:
            self._status = status
            self.send(status)

    def _send_picture(self) -> None:
        if self._picture:
            self._wanted = False
            self.send(self._picture[0], [self._picture[1].data.cast("B")])

    def _hear(self, _: Any, content: Any, __: Any) -> None:
        """A message of the page; anything that is not as agreed is passed over."""
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind == "ready":
            self.send(self._status)
            self.on_ready()
        elif kind == "want":
            self._wanted = True
            if content.get("have") != self.frame:
                self._send_picture()
        elif kind == "step" and content.get("by") in (-1, 1):
            self.on_step(int(content["by"]))
        elif kind == "limits":
            low_high = _numbers(content.get("limits"), 2)
            self._limits = (low_high[0], low_high[1]) if low_high and low_high[0] < low_high[1] else self._limits
        elif kind == "window":
            sides = _numbers(content.get("window"), 4)
            shown = sides and sides[0] < sides[2] and sides[1] < sides[3]
            self._window = (sides[0], sides[1], sides[2], sides[3]) if sides and shown else None


def _numbers(value: Any, count: int) -> list[float] | None:
    """So many finite numbers, or nothing."""
    given = value if isinstance(value, list) else []
    numbers = [float(one) for one in given if isinstance(one, int | float) and math.isfinite(one)]
    return numbers if len(numbers) == len(given) == count else None
