"""The steps of a recipe that remove rings, whichever they are: on and off together, and named briefly."""

from __future__ import annotations

from dataclasses import replace

from stp3.recipe import Recipe, StepUse

_FAMILY = "stripes_"
_USUAL = "stripes_all"
_SAID = "Remove rings"


def is_removal(use: StepUse) -> bool:
    """Whether the step removes stripes."""
    return use.name.startswith(_FAMILY)


def running(recipe: Recipe) -> tuple[StepUse, ...]:
    """Those that are switched on."""
    return tuple(use for use in recipe.running if is_removal(use))


def switched(recipe: Recipe, on: bool) -> Recipe:
    """The recipe with all of them on or off; the usual one comes in where there is none. Raises RecipeFault."""
    if on and not any(is_removal(use) for use in recipe.uses):
        return recipe.with_step(_USUAL)
    return Recipe(tuple(replace(use, on=on) if is_removal(use) else use for use in recipe.uses))


def short(title: str) -> str:
    """A title without what all of them say."""
    names = [part.removeprefix(_SAID).removeprefix(": ") or "all kinds" for part in title.split(" + ")]
    return (names[0][0].upper() + names[0][1:]) + "".join(f" + {name}" for name in names[1:])


def in_words(recipe: Recipe) -> str:
    """Which methods are on."""
    return short(" + ".join(use.step.title for use in running(recipe))) if running(recipe) else "None"
