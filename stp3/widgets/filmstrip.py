"""A strip of small pictures on the page, one of which the user chooses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from numpy.typing import NDArray

_FRONT_END = Path(str(files("stp3_extensions"))) / "filmstrip"


@dataclass(frozen=True)
class Film:
    """What stands under a small picture."""

    caption: str
    detail: str = ""


class FilmStrip(anywidget.AnyWidget):
    """Small pictures with captions; they may come one by one. `on_choose` is called with the place of one."""

    _esm = _FRONT_END / "filmstrip.js"
    _css = _FRONT_END / "filmstrip.css"

    content: Any = traitlets.Dict({"number": 0, "label": "", "films": [], "chosen": -1, "stale": False}).tag(sync=True)

    def __init__(self, on_choose: Callable[[int], None], **settings: Any) -> None:
        super().__init__(**settings)
        self._on_choose = on_choose
        self._pictures: dict[int, NDArray[np.uint8]] = {}
        self.on_msg(self._hear)

    def show(self, label: str, films: Sequence[Film]) -> None:
        """A new strip, its pictures yet to come."""
        self._pictures = {}
        number = self.content["number"] + 1
        listed = [asdict(film) for film in films]
        self.content = {"number": number, "label": label, "films": listed, "chosen": -1, "stale": False}

    def picture(self, place: int, grey: NDArray[np.uint8]) -> None:
        """The picture (y, x) of the film at that place."""
        self._pictures[place] = np.ascontiguousarray(grey)
        self._send_film(place)

    def mark(self, chosen: int, *, stale: bool) -> None:
        """Which film holds now (-1: none), and whether they show what is no more."""
        self.content = {**self.content, "chosen": chosen, "stale": stale}

    @property
    def missing(self) -> list[int]:
        """The places without a picture."""
        return [place for place in range(len(self.content["films"])) if place not in self._pictures]

    def _send_film(self, place: int) -> None:
        grey = self._pictures[place]
        message = {"kind": "film", "number": self.content["number"], "place": place, "shape": list(grey.shape)}
        self.send(message, [grey.data.cast("B")])

    def _hear(self, _: Any, content: Any, __: Any) -> None:
        """A message of the page; anything that is not as agreed is passed over."""
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind == "ready":
            for place in self._pictures:
                self._send_film(place)
        elif kind == "choose" and content.get("number") == self.content["number"]:
            place = content.get("place")
            if isinstance(place, int) and 0 <= place < len(self.content["films"]):
                self._on_choose(place)
