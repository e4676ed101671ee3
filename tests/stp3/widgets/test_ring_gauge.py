"""The words about rings: after the picture, true of it, and never of another one."""

import threading

import pytest

from stp3.ring_meter import RingEffect, ring_effect
from stp3.widgets.ring_gauge import in_words
from tests.stp3.widgets.user import choose, settled, until


def said(bench):
    return "" if "stp3-rings-before" in bench.rings.widget._dom_classes else bench.rings.widget.value


def test_words_tell_what_is_left_and_what_was_lost():
    assert in_words(RingEffect(0.1, 0.12, 0.992)) == ("Rings 12% of raw", "detail kept 99.2%")
    assert in_words(RingEffect(0.1, 1.3, 0.9)) == ("More rings than raw", "detail kept 90.0%")
    assert in_words(RingEffect(0.004, 0.5, 1.0)) == ("Hardly any rings", "detail kept 100.0%")
    assert in_words(RingEffect(0.13)) == ("Rings not removed", "13% of the detail")


def test_they_follow_the_picture_and_its_recipe(drive):
    async def scenario(bench):
        await choose(bench, "one.h5")
        assert bench.viewer.frame == 1
        await until(lambda: "of raw" in said(bench))
        preview, shown = bench._subject.preview, bench.shown
        effect = ring_effect(preview, shown.recipe, shown.row)
        assert in_words(effect)[0] in said(bench)
        assert 'role="status"' in said(bench)
        bench.recipe.stripes.value = False
        assert said(bench) == ""
        await until(lambda: "Rings not removed" in said(bench))
        bench.recipe.stripes.value = True
        await until(lambda: in_words(effect)[0] in said(bench))

    drive(scenario)


def test_nothing_is_measured_while_the_user_moves(drive, monkeypatch):
    measured = []
    monkeypatch.setattr("stp3.ring_meter.ring_effect", lambda *about, **_: measured.append(about[2]) or RingEffect(0.1))

    async def scenario(bench):
        await choose(bench, "one.h5")
        for row in (0, 1, 2, 3, 4):
            bench.move(row)
            await settled(bench)
        await until(lambda: said(bench))
        assert measured == [4]
        bench.move(5)
        await until(lambda: 5 in measured)
        bench.move(4)
        await settled(bench)
        await until(lambda: said(bench))
        assert measured == [4, 5]

    drive(scenario)


def test_a_measurement_gives_way_to_the_next_picture(drive, monkeypatch):
    begun, gate = threading.Event(), threading.Event()

    def slow(preview, recipe, row, on_step):
        begun.set()
        assert gate.wait(20)
        on_step("fbp")
        pytest.fail("it went on")

    async def scenario(bench):
        await choose(bench, "one.h5")
        monkeypatch.setattr("stp3.ring_meter.ring_effect", slow)
        await until(begun.is_set)
        monkeypatch.undo()
        bench.move(0)
        gate.set()
        await settled(bench)
        assert bench.viewer.frame == 2
        await until(lambda: "of raw" in said(bench))

    drive(scenario)
