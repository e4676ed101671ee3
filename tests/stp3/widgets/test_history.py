"""Undo and redo of recipes."""

from stp3.recipe import Recipe
from stp3.widgets.history import History

FIRST = Recipe.default()
SECOND = FIRST.with_values({"fbp.filter": "hann"})
THIRD = FIRST.with_values({"fbp.filter": "cosine"})


def test_undo_and_redo_walk_the_same_way():
    history = History(FIRST).changed(SECOND).changed(THIRD)
    assert history.undo().now == SECOND
    assert history.undo().undo().now == FIRST
    assert history.undo().undo().redo().redo() == history


def test_there_is_nothing_before_the_first_and_after_the_last():
    history = History(FIRST)
    assert history.undo() is history
    assert history.redo() is history


def test_a_change_after_undo_forgets_what_was_undone():
    assert History(FIRST).changed(SECOND).undo().changed(THIRD).undone == ()


def test_the_same_recipe_again_is_no_change():
    history = History(FIRST).changed(SECOND)
    assert history.changed(SECOND) is history


def test_one_move_of_a_slider_is_one_undo():
    history = History(FIRST).changed(SECOND)
    for step in range(20):
        moved = SECOND.with_values({"rotation_axis.column": 100.0 + step})
        history = history.changed(moved, same_move=step > 0)
    assert history.undo().now == SECOND


def test_a_long_day_does_not_fill_the_memory():
    history = History(FIRST)
    for number in range(500):
        history = history.changed(FIRST.with_values({"rotation_axis.column": float(number)}))
    assert len(history.past) == 200
