"""Who asks, and what they may see. Every query is filtered by this before it is counted or paged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, true

from ..models import Role
from ..profiles import roles_of, visits_of
from ..settings import Settings
from .store import DATA_VISIT
from .tables import JobRow, VisitRow


@dataclass(frozen=True)
class Caller:
    """A person, as the hub knows them at this moment."""

    name: str
    roles: frozenset[Role] = frozenset()
    visits: frozenset[str] = frozenset()
    hub_scopes: frozenset[str] = field(default=frozenset(), repr=False)
    xsrf: str = field(default="", repr=False)

    @property
    def is_admin(self) -> bool:
        """Whether everything is open."""
        return Role.ADMIN in self.roles

    @property
    def is_staff(self) -> bool:
        """Whether this is a local contact or a scientist, who may do more for their visits."""
        return bool(self.roles & {Role.LOCAL_CONTACT, Role.SCIENTIST})

    @property
    def scopes(self) -> frozenset[str]:
        """``user:…`` and ``visit:…`` of what may be seen."""
        return frozenset({f"user:{self.name}"} | {f"visit:{visit}" for visit in self.visits})

    def sees(self, scope: Any, more: frozenset[str] = frozenset()) -> ColumnElement[bool]:
        """The condition on a column of scopes."""
        return true() if self.is_admin else scope.in_(sorted(self.scopes | more))

    def may_act_on(self, job: Any) -> bool:
        """Whether a job that is seen may be stopped or tried again: one's own, a local contact's visit, an admin."""
        contact = Role.LOCAL_CONTACT in self.roles and job.visit in self.visits
        return self.is_admin or job.owner == self.name or contact

    def beamlines(self, connection: Connection) -> frozenset[str]:
        """The beamlines of the caller's visits; all for an admin."""
        query = select(VisitRow.beamline).where(VisitRow.beamline != "").distinct()
        if not self.is_admin:
            query = query.where(VisitRow.id.in_(sorted(self.visits)))
        return frozenset(connection.scalars(query))


def caller_of(user: Mapping[str, Any], settings: Settings) -> Caller:
    """The caller behind the hub's record of a user (or of a service: then without roles and visits)."""
    groups = user.get("groups") or []
    shared = {DATA_VISIT} if settings.practice and settings.data is not None else set()
    return Caller(
        name=user["name"] if user.get("kind", "user") == "user" else f"service {user['name']}",
        roles=roles_of(groups),
        visits=visits_of(groups) | shared,
        hub_scopes=frozenset(scope.partition("!")[0] for scope in user.get("scopes") or []),
        xsrf=user.get("xsrf", ""),
    )


def seen_jobs(caller: Caller) -> ColumnElement[bool]:
    """The condition on jobs: those that are there and that the caller may see."""
    return (JobRow.removed == 0) & caller.sees(JobRow.scope)
