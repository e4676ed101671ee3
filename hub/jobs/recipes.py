"""The API of named recipes: one's own, those of a visit, those of a beamline. Their content is not looked at."""

from __future__ import annotations

import secrets
import time
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException
from sqlalchemy import Connection, Row, select

from .answers import Kind, NewRecipe, Recipe, RecipeContent, Word
from .callers import Caller
from .decisions import Decision, KeyUsed, Taken
from .service import NOT_THERE, Asks, Here, Service, refusals
from .tables import RecipeRow

Key = Annotated[str | None, Header(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")]


routes = APIRouter(tags=["recipes"])
PATH = "/recipes/{recipe}"


@routes.get("/recipes", responses=refusals())
def recipes(service: Here, caller: Asks, kind: Kind | None = None) -> list[Recipe]:
    """Your recipes and those of your visits and beamlines, by name."""
    with service.engine.connect() as connection:
        seen = caller.sees(RecipeRow.scope, _beamline_scopes(caller, connection))
        query = select(RecipeRow.__table__).where(seen).order_by(RecipeRow.name, RecipeRow.id)
        if kind:
            query = query.where(RecipeRow.scope.startswith(f"{kind}:"))
        return [_recipe(row._asdict()) for row in connection.execute(query)]


@routes.post("/recipes", status_code=201, responses=refusals(404, 409))
def keep(service: Here, caller: Asks, new: NewRecipe, idempotency_key: Key = None) -> Recipe:
    """Keep a recipe under a name. The same Idempotency-Key keeps it once, however often it is sent."""
    scope = _new_scope(service, caller, new)
    now = time.time()
    row: dict[str, Any] = {"id": secrets.token_hex(8), "scope": scope, "name": new.name, "content": new.content}
    row |= {"author": caller.name, "created": now, "changed": now}
    detail = {"request": new.model_dump(), "recipe": row}
    kept = _record(service, Decision(caller.name, "recipe.create", row["id"], detail, idempotency_key))
    return _recipe(kept["recipe"])


@routes.get(PATH, responses=refusals(404))
def one(service: Here, caller: Asks, recipe: Word) -> Recipe:
    """One recipe."""
    return _recipe(_seen(service, caller, recipe)._asdict())


@routes.put(PATH, responses=refusals(404, 409))
def change(service: Here, caller: Asks, recipe: Word, content: RecipeContent) -> Recipe:
    """Change a recipe or its name."""
    before = _changeable(service, caller, recipe)
    changes = content.model_dump() | {"changed": time.time()}
    _record(service, Decision(caller.name, "recipe.change", before.id, {"recipe": changes}))
    return _recipe(before._asdict() | changes)


@routes.delete(PATH, status_code=204, responses=refusals(404))
def forget(service: Here, caller: Asks, recipe: Word) -> None:
    """Forget a recipe."""
    before = _changeable(service, caller, recipe)
    _record(service, Decision(caller.name, "recipe.delete", before.id, {"name": before.name, "scope": before.scope}))


def _record(service: Service, decision: Decision) -> dict[str, Any]:
    try:
        return service.decisions.record(decision)
    except Taken:
        raise HTTPException(409, "There is a recipe of that name already. Choose another name.") from None
    except KeyUsed:
        raise HTTPException(409, "This Idempotency-Key was used for another request.") from None


def _new_scope(service: Service, caller: Caller, new: NewRecipe) -> str:
    """Where a new recipe is kept; 404 for a visit or beamline that the caller does not have."""
    if new.kind == "user":
        if new.of not in {"", caller.name}:
            raise HTTPException(404, NOT_THERE)
        return f"user:{caller.name}"
    with service.engine.connect() as connection:
        has = caller.visits if new.kind == "visit" else caller.beamlines(connection)
    if new.of not in has:
        raise HTTPException(404, NOT_THERE)
    if new.kind == "beamline" and not (caller.is_staff or caller.is_admin):
        raise HTTPException(403, "Recipes of a beamline are kept by its scientists and local contacts.")
    return f"{new.kind}:{new.of}"


def _seen(service: Service, caller: Caller, recipe: str) -> Row[Any]:
    with service.engine.connect() as connection:
        seen = caller.sees(RecipeRow.scope, _beamline_scopes(caller, connection))
        row = connection.execute(select(RecipeRow.__table__).where(RecipeRow.id == recipe, seen)).one_or_none()
    if row is None:
        raise HTTPException(404, NOT_THERE)
    return row


def _changeable(service: Service, caller: Caller, recipe: str) -> Row[Any]:
    row = _seen(service, caller, recipe)
    if not (caller.is_admin or row.author == caller.name or caller.is_staff):
        raise HTTPException(403, "A recipe is changed by who made it, by local contacts and by scientists.")
    return row


def _beamline_scopes(caller: Caller, connection: Connection) -> frozenset[str]:
    return frozenset(f"beamline:{beamline}" for beamline in caller.beamlines(connection))


def _recipe(row: dict[str, Any]) -> Recipe:
    kind, _, of = row["scope"].partition(":")
    return Recipe.model_validate({**row, "kind": kind, "of": of})
