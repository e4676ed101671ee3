"""What the API answers and takes. Times are ISO 8601 in UTC."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints

from .run_directory import plain

LARGEST_RECIPE = 64 << 10


def moment(seconds: float | None) -> str | None:
    """Seconds since 1970 as ISO 8601; None for None."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(min(max(seconds, -(2.0**35)), 2.0**37), UTC).isoformat(timespec="milliseconds")


def _one_line(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("must be printable text on one line, without blanks at its ends")
    return text


def _storable(content: dict[str, Any]) -> dict[str, Any]:
    try:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise ValueError("must be plain JSON") from None
    if len(text) > LARGEST_RECIPE or rb"\u0000" in text:
        raise ValueError(f"must be at most {LARGEST_RECIPE} bytes of text without NUL, got {len(text)} bytes")
    return content


Moment = Annotated[float | None, PlainSerializer(moment, return_type=str | None)]
# what comes in a path or a query: a NUL would be refused by PostgreSQL
Word = Annotated[str, AfterValidator(lambda text: plain(text, 300))]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_one_line)]
Kind = Literal["user", "visit", "beamline"]
State = Literal["waiting", "running", "done", "failed", "cancelled", "interrupted"]


Item = TypeVar("Item", bound=BaseModel)


class Answer(BaseModel):
    """Made from a row of the database."""

    model_config = ConfigDict(from_attributes=True)


class Me(BaseModel):
    """Who asks."""

    name: str
    roles: list[str]
    visits: list[str]
    beamlines: list[str]


class Job(Answer):
    """A job."""

    owner: str
    id: str
    visit: str | None
    scan: str
    sample: str
    state: State
    stage: str
    error: str | None
    profile: str
    output: str
    host: str
    slabs_done: int
    slabs_total: int
    rows_done: int
    rows_total: int
    rows_per_second: float | None
    seconds_left: float | None
    bytes_written: int
    created: Moment
    started: Moment
    ended: Moment
    updated: Moment


class Event(Answer):
    """Something that happened to a job."""

    kind: str
    time: Moment
    detail: dict[str, Any]


class Scan(Answer):
    """A scan that a job was started on."""

    path: str
    sample: str
    bytes: int
    first_seen: Moment
    last_seen: Moment


class Volume(Answer):
    """The volume of a job that is done."""

    owner: str
    job: str
    visit: str | None
    path: str
    format: str
    slices: int
    bytes: int


class Page(BaseModel, Generic[Item]):
    """A part of a list; `next` is the `before` of the next part, and None at the end."""

    total: int
    items: list[Item]
    next: str | None


class RecipeContent(BaseModel):
    """A recipe under its name; who may see and change it is said by where it is kept."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    content: Annotated[dict[str, Any], AfterValidator(_storable)]


class NewRecipe(RecipeContent):
    """A recipe to keep: for oneself, for a visit, for a beamline."""

    kind: Kind
    of: Annotated[str, StringConstraints(max_length=100), Field(description="the visit or the beamline")] = ""


class Recipe(Answer):
    """A named recipe."""

    id: str
    kind: Kind
    of: str
    name: str
    content: dict[str, Any]
    author: str
    created: Moment
    changed: Moment


class Done(BaseModel):
    """What was set going."""

    said: str


class AuditLine(Answer):
    """Who did what."""

    number: int
    time: Moment
    person: str
    action: str
    target: str


class Fault(BaseModel):
    """Why not."""

    detail: str


def all_of(model: type[Item], rows: Iterable[Any]) -> list[Item]:
    """Each row as that model."""
    return [model.model_validate(row) for row in rows]
