"""A recipe: steps in order, written as YAML, with a fingerprint that tells two apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from stp3 import order
from stp3.errors import RecipeFault
from stp3.steps import find_step
from stp3.steps.base import ScanStep, Step, StepParameters

if TYPE_CHECKING:
    from stp3.scan import Scan

DEFAULT_STEPS = (
    "flat_field", "zingers", "minus_log", "stripes_all", "rotation_axis", "fbp", "circle_mask", "output",
)  # fmt: skip
_FORMAT = 1
_MOST_LETTERS = 1_000_000


class _PlainLoader(yaml.SafeLoader):
    """YAML without aliases, of which a few lines unfold to any size."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has an alias (*name). Write the values out.")
        return super().compose_node(parent, index)


@dataclass(frozen=True)
class StepUse:
    """One step of a recipe with its parameters; switched off it keeps its place."""

    name: str
    parameters: StepParameters
    on: bool = True

    @property
    def step(self) -> type[Step]:
        return find_step(self.name)

    def as_dict(self) -> dict[str, Any]:
        """What YAML shows: the parameters that differ from their defaults."""
        off = {} if self.on else {"on": False}
        return {"step": self.name, **off, **self.parameters.model_dump(mode="json", exclude_defaults=True)}


@dataclass(frozen=True)
class Recipe:
    """Steps in the order in which they run."""

    uses: tuple[StepUse, ...]

    @classmethod
    def default(cls) -> Recipe:
        """The recipe that suits most absorption scans."""
        return cls.from_dict({"steps": [{"step": name} for name in DEFAULT_STEPS]})

    @classmethod
    def from_dict(cls, content: Any) -> Recipe:
        """The recipe in plain data. Raises RecipeFault with every fault found."""
        faults: list[str] = []
        uses = [use for entry in _entries(content, faults) if (use := _read_use(entry, faults))]
        if not faults:  # a step that could not be read would be missed here as well
            faults += order.faults([use for use in uses if use.on])
        if faults:
            raise RecipeFault("The recipe has faults:\n- " + "\n- ".join(faults) if len(faults) > 1 else faults[0])
        return cls(tuple(uses))

    @classmethod
    def from_yaml(cls, text: str) -> Recipe:
        """The recipe in a YAML text. Raises RecipeFault."""
        if len(text) > _MOST_LETTERS:
            raise RecipeFault(f"the recipe has {len(text)} letters; at most {_MOST_LETTERS} are expected.")
        try:
            return cls.from_dict(yaml.load(text, _PlainLoader))  # noqa: S506 - a safe loader
        except (yaml.YAMLError, ValueError) as error:
            raise RecipeFault(f"the recipe is not valid YAML: {' '.join(str(error).split())}") from error
        except RecursionError as error:
            raise RecipeFault("the recipe is nested too deeply. Write it as a list of steps.") from error

    @classmethod
    def load(cls, path: str | Path) -> Recipe:
        """The recipe in a file. Raises RecipeFault."""
        try:
            return cls.from_yaml(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not a text file"
            raise RecipeFault(f"the recipe {path} cannot be read: {reason}.") from error

    def as_dict(self) -> dict[str, Any]:
        return {"stp3_recipe": _FORMAT, "steps": [use.as_dict() for use in self.uses]}

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.as_dict(), sort_keys=False)

    @property
    def running(self) -> tuple[StepUse, ...]:
        """The steps that are switched on."""
        return tuple(use for use in self.uses if use.on)

    @property
    def fingerprint(self) -> str:
        """The same for recipes that do the same, whatever their files look like."""
        return fingerprint(self.running)

    def use(self, name: str) -> StepUse:
        """The first step of that name. Raises RecipeFault."""
        for use in self.uses:
            if use.name == name:
                return use
        names = ", ".join(use.name for use in self.uses)
        raise RecipeFault(f'the recipe has no step "{name}". It has: {names}.')

    def with_values(self, values: Mapping[str, Any]) -> Recipe:
        """The recipe with `{"step.parameter": value}` changed; `step.on` switches. Raises RecipeFault."""
        content = self.as_dict()
        for key, value in values.items():
            name, _, parameter = key.partition(".")
            if not parameter:
                raise RecipeFault(f'"{key}" names no parameter. Write step.parameter, such as fbp.filter.')
            self.use(name)
            next(entry for entry in content["steps"] if entry["step"] == name)[parameter] = value
        return Recipe.from_dict(content)

    def with_step(self, name: str, **values: Any) -> Recipe:
        """The recipe with one more step at its place; steps that do its work already are switched off.

        Raises RecipeFault.
        """
        faults: list[str] = []
        new = _read_use({"step": name, **values}, faults)
        if new is None:
            raise RecipeFault(faults[0])
        return Recipe(order.with_step(self.uses, new))

    def settled(self, scan: Scan) -> Recipe:
        """The recipe for that scan: what follows from what it says is filled in. Raises UsageFault."""
        uses = []
        for use in self.uses:
            if use.on:
                use = replace(use, parameters=use.step.settle_for(use.parameters, scan))
                scan = use.step.part(scan, use.parameters) if issubclass(use.step, ScanStep) else scan
            uses.append(use)
        return Recipe(tuple(uses))

    def settled_at(self, columns: int, axis: float) -> Recipe:
        """The recipe with what follows from the column of the rotation axis, of so many, filled in."""
        return Recipe(
            tuple(
                replace(use, parameters=use.step.settle_at(use.parameters, columns, axis)) if use.on else use
                for use in self.uses
            )
        )

    def without(self, *names: str) -> Recipe:
        """The recipe with those steps switched off."""
        return Recipe(tuple(replace(use, on=use.on and use.name not in names) for use in self.uses))


def fingerprint(uses: Iterable[StepUse]) -> str:
    """A hash of steps and all their parameters, defaults included."""
    plain = [[use.name, use.parameters.model_dump(mode="json")] for use in uses]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


def _entries(content: Any, faults: list[str]) -> list[Any]:
    if not isinstance(content, dict) or not isinstance(content.get("steps"), list):
        faults.append('a recipe needs a list "steps". `stp3 recipe default` prints one to start from.')
        return []
    if content.get("stp3_recipe", _FORMAT) != _FORMAT:
        faults.append(f"this recipe is of format {content['stp3_recipe']!r}; this STP3 reads format {_FORMAT}.")
    if unknown := set(content) - {"stp3_recipe", "steps"}:
        faults.append(f"unknown keys beside steps: {', '.join(sorted(map(str, unknown)))}.")
    return list(content["steps"])


def _read_use(entry: Any, faults: list[str]) -> StepUse | None:
    if isinstance(entry, str):
        entry = {"step": entry}
    if not isinstance(entry, dict) or not isinstance(entry.get("step"), str):
        faults.append(f'a step is written as "step: name" with its parameters, got {entry!r}.')
        return None
    values = {str(key): value for key, value in entry.items() if key not in ("step", "on")}
    if not isinstance(entry.get("on", True), bool):
        faults.append(f"{entry['step']}.on must be true or false, got {entry['on']!r}.")
        return None
    try:
        step = find_step(entry["step"])
        return StepUse(step.name, step.Parameters(**values), entry.get("on", True))
    except RecipeFault as fault:
        faults.append(str(fault))
    except ValidationError as error:
        faults += [_in_words(entry["step"], step, values, fault) for fault in error.errors()]
    return None


def _in_words(name: str, step: type[Step], values: dict[str, Any], fault: Any) -> str:
    path = [str(part) for part in fault["loc"]]
    field = path[0] if path else ""
    if fault["type"] == "extra_forbidden":
        known = ", ".join(step.Parameters.model_fields) or "none"
        return f"{name} has no parameter {field!r}. Known: {known}."
    message = fault["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    if not field:
        return f"{name}: {message}."
    return f"{name}.{field} should be {message}, got {values.get(field)!r}."
