"""The strip of small pictures, without a page."""

import numpy as np
import pytest

from stp3.widgets.filmstrip import Film, FilmStrip


@pytest.fixture
def strip():
    chosen, sent = [], []
    strip = FilmStrip(chosen.append)
    strip.chosen, strip.sent = chosen, sent
    strip.send = lambda content, buffers=None: sent.append((content, buffers))
    strip.hear = lambda content: strip._hear(strip, content, [])
    return strip


def test_pictures_come_one_by_one_and_again_to_a_new_view(strip):
    strip.show("Axis", [Film("1"), Film("2", "blurred")])
    assert strip.content["films"][1] == {"caption": "2", "detail": "blurred"}
    assert strip.missing == [0, 1]
    strip.picture(1, np.arange(6, dtype=np.uint8).reshape(2, 3))
    assert strip.missing == [0]
    strip.hear({"kind": "ready"})
    assert len(strip.sent) == 2
    for content, buffers in strip.sent:
        assert content == {"kind": "film", "number": strip.content["number"], "place": 1, "shape": [2, 3]}
        assert bytes(buffers[0]) == bytes(range(6))


def test_a_new_strip_forgets_the_old_one(strip):
    strip.show("Axis", [Film("1")])
    first = strip.content["number"]
    strip.picture(0, np.zeros((2, 2), np.uint8))
    strip.mark(0, stale=True)
    strip.show("Axis", [Film("1")])
    assert strip.missing == [0]
    assert (strip.content["chosen"], strip.content["stale"]) == (-1, False)
    strip.hear({"kind": "choose", "number": first, "place": 0})
    assert strip.chosen == []


@pytest.mark.parametrize("place", [-1, 2, None, "0", 0.0])
def test_places_that_are_none_are_passed_over(strip, place):
    strip.show("Axis", [Film("1"), Film("2")])
    strip.hear({"kind": "choose", "number": strip.content["number"], "place": place})
    strip.hear("choose")
    assert strip.chosen == []
    strip.hear({"kind": "choose", "number": strip.content["number"], "place": 1})
    assert strip.chosen == [1]
