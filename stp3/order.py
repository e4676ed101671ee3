"""The order of steps that makes sense, and why another one does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, get_args

from stp3.errors import RecipeFault
from stp3.steps.base import Domain, Quantity, Step

if TYPE_CHECKING:
    from stp3.recipe import StepUse

_DOMAINS: tuple[str, ...] = get_args(Domain)
_ONCE = ("flat_field", "flat_field_dynamic", "minus_log", "rotation_axis")


def faults(running: Sequence[StepUse]) -> Iterator[str]:
    """What is wrong with the order of these steps, in words."""
    yield from _domain_faults(running)
    yield from _quantity_faults(running)
    names = [use.name for use in running]
    for name in _ONCE:
        if names.count(name) > 1:
            yield f"{name} stands {names.count(name)} times in the recipe; once is right."
    if running and (count := sum(use.step.domain == "reconstruction" for use in running)) != 1:
        yield f"a recipe needs exactly one reconstruction step (such as fbp), this one has {count}."
    if "extended_field_of_view" in names[: names.index("rotation_axis") if "rotation_axis" in names else 0]:
        yield "extended_field_of_view needs the rotation axis. Move it below rotation_axis."
    if {"beam_current", "flat_field_dynamic"} <= set(names):
        yield "beam_current and flat_field_dynamic both follow the beam. Remove beam_current."
    if "output" in names[:-1]:
        yield "output must be the last step."


def with_step(uses: Sequence[StepUse], new: StepUse) -> tuple[StepUse, ...]:
    """The steps with one more at its place; those that do its work already are switched off. Raises RecipeFault.

    Its place is that of the step whose work it does, else the last one that makes sense; a step of that name that is
    there already stays where it is.
    """
    rest = [replace(use, on=use.on and not _rivals(use.step, new.step)) for use in uses]
    here = [place for place, use in enumerate(rest) if use.name == new.name]
    beside = [place + 1 for place, use in enumerate(uses) if use.on and _rivals(use.step, new.step)]
    found: list[str] = []
    for place in here or (*beside, *range(len(rest), -1, -1)):
        tried = (*rest[:place], new, *rest[place + len(here[:1]) :])
        found = list(faults([use for use in tried if use.on]))
        if not found:
            return tried
    raise RecipeFault(f"there is no place for {new.name} in this recipe: {found[0]}")


def _rivals(one: type[Step], other: type[Step]) -> bool:
    """Whether two different steps do the same work, which is right only once."""
    if one is other:
        return False
    both_reconstruct = one.domain == other.domain == "reconstruction"
    changes = (one.needs, one.gives) == (other.needs, other.gives) and None not in (one.needs, one.gives)
    return both_reconstruct or changes


def _domain_faults(running: Sequence[StepUse]) -> Iterator[str]:
    for earlier, later in pairwise(running):
        if _DOMAINS.index(later.step.domain) < _DOMAINS.index(earlier.step.domain):
            yield (
                f"{later.name} works on the {later.step.domain} and cannot follow {earlier.name}, "
                f"which works on the {earlier.step.domain}. Move {later.name} up."
            )


def _quantity_faults(running: Sequence[StepUse]) -> Iterator[str]:
    """Minus log is never applied twice, and never forgotten."""
    holds: Quantity | None = None
    giver = ""
    for use in running:
        needs = "line integrals" if use.step.domain == "reconstruction" else use.step.needs
        if needs and holds and needs != holds:
            yield _misfit(use, needs, giver, holds)
            return  # what follows would be told of the same again
        if use.step.gives:
            holds, giver = use.step.gives, use.name


def _misfit(use: StepUse, needs: str, giver: str, holds: str) -> str:
    name = use.name
    if use.step.gives == holds == "transmission":
        return f"{giver} and {name} both give {holds}: the beam would be divided by twice. Remove {name}."
    if use.step.gives == holds:
        taken = "minus_log" if "minus_log" in (name, giver) else name
        return f"{giver} and {name} both give {holds}: the logarithm would be taken twice. Remove {taken}."
    if holds == "line integrals" or needs == "counts":
        return f"{name} needs {needs}, but {giver} before it gives {holds}. Move {name} before {giver}."
    return (
        f"{name} needs {needs}, but {giver} gives {holds}. Put minus_log or a phase step between them; "
        f"a scan that holds {needs} already needs no {giver} either."
    )
