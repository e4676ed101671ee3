"""The catalogue of steps; built-in and foreign ones register under the entry points `stp3.steps`."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from stp3.errors import RecipeFault
from stp3.steps.base import Step

__all__ = ["Step", "find_step", "step_names"]


@cache
def _registered() -> dict[str, type[Step]]:
    return {point.name: point.load() for point in entry_points(group="stp3.steps")}


def step_names() -> list[str]:
    """The names of all steps that can stand in a recipe."""
    return sorted(_registered())


def find_step(name: str) -> type[Step]:
    """The step of that name. Raises RecipeFault."""
    try:
        return _registered()[name]
    except KeyError:
        raise RecipeFault(f'there is no step "{name}". Known: {", ".join(step_names())}.') from None
