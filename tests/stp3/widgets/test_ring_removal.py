"""Ring removal as one choice, and how trials are put into words."""

import pytest

from stp3.recipe import Recipe, StepUse
from stp3.rings import Loss
from stp3.steps import find_step
from stp3.stripe_methods import StripeTrial, with_stripe_steps
from stp3.widgets import ring_removal
from stp3.widgets.stripe_trials import film_of, loss_words, rings_words


def test_all_of_them_go_on_and_off_together():
    recipe = Recipe.default().with_step("stripes_titarenko")
    assert len(ring_removal.running(recipe)) == 2
    off = ring_removal.switched(recipe, False)
    assert ring_removal.running(off) == ()
    assert ring_removal.switched(off, True) == recipe


def test_where_there_is_none_the_usual_one_comes_in():
    recipe = ring_removal.switched(with_stripe_steps(Recipe.default(), ()), True)
    assert [use.name for use in ring_removal.running(recipe)] == ["stripes_all"]


@pytest.mark.parametrize(
    ("title", "short"),
    [
        ("Remove rings", "All kinds"),
        ("Remove rings: Fourier filter", "Fourier filter"),
        ("Remove rings + Remove rings: fine ones", "All kinds + fine ones"),
    ],
)
def test_titles_are_short(title, short):
    assert ring_removal.short(title) == short


@pytest.mark.parametrize(
    ("left", "words"), [(0.01, "rings gone"), (0.123, "12% of rings left"), (1.2, "more rings than before")]
)
def test_rings_in_words(left, words):
    assert rings_words(left) == words


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (Loss(0.001, 0, 0), "detail kept"),
        (Loss(0.01, 0, 0), "little detail lost"),
        (Loss(0.05, 0, 0), "some detail lost"),
        (Loss(0.5, 0, 0), "much detail lost"),
        (Loss(0.001, 0.3, 0), "shading changed"),
    ],
)
def test_loss_in_words(loss, words):
    assert loss_words(loss) == words


def trial(*uses):
    made = tuple(StepUse(name, find_step(name).Parameters(**values)) for name, values in uses)
    return StripeTrial(made, 0.2, Loss(0.001, 0, 0), 0.1, 1.0, ())


def test_trials_of_the_same_steps_are_told_apart_by_their_settings():
    trials = [
        trial(("stripes_wavelet_fft", {"levels": 3})),
        trial(("stripes_wavelet_fft", {"levels": 3, "sigma": 2.0})),
        trial(("stripes_raven", {})),
        trial(),
    ]
    assert [film_of(rank, one, trials).caption for rank, one in enumerate(trials, 1)] == [
        "1. Wavelet and Fourier, sigma 1",
        "2. Wavelet and Fourier, sigma 2",
        "3. Fourier filter",
        "4. No removal",
    ]
    assert film_of(3, trials[2], trials).detail == "20% of rings left, detail kept"
