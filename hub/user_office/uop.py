"""UserOfficeProject: identity from its OpenID provider, visits from GraphQL.

The office refuses by answering null, without an error: null means no. Who was given access to the data of a proposal
without being on its team stands in ``dataAccessUsers`` alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..models import Visit
from .base import Credential, Identity, LoginNeeded, NoEntry, OfficeDown, OfficeOptions, first_words, visit_id
from .line import ask_json, bearer, read_secret
from .oidc import Oidc, OidcOptions

PERSON = """query person($sub: String!) { userByOIDCSub(oidcSub: $sub) { id
  proposals { primaryKey proposalId title }
  experiments { experimentPk startsAt endsAt status proposalPk instrumentId localContactId } } }"""
PROPOSALS = "query proposals { proposals { proposals { primaryKey proposalId title } } }"
BATCH = 100
Model = TypeVar("Model", bound=BaseModel)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Proposal(_Answer):
    """A proposal."""

    primaryKey: int  # noqa: N815  # the office's name
    proposalId: str  # noqa: N815
    title: str | None = None


class Experiment(_Answer):
    """Beam time of a proposal."""

    proposalPk: int  # noqa: N815
    startsAt: str | None = None  # noqa: N815
    endsAt: str | None = None  # noqa: N815
    status: str
    instrumentId: int | None = None  # noqa: N815
    localContactId: int | None = None  # noqa: N815


class UopPerson(_Answer):
    """Somebody, with what is theirs; null lists are empty."""

    id: int
    proposals: list[Proposal] | None = None
    experiments: list[Experiment] | None = None


class UopOptions(OidcOptions):
    """A UserOfficeProject with its OpenID provider."""

    graphql_url: str = Field(description="such as https://users.example.org/graphql")
    token_file: Path | None = Field(default=None, description="file (0600) with a service token; none: the person's")
    visits_claim: str = ""
    roles_claim: str = ""
    data_access: bool = Field(default=True, description="count dataAccessUsers; needs a service token")
    beamlines: dict[str, str] = Field(default={}, description="names of beamlines by instrument id")


class Uop(Oidc):
    """Asks GraphQL for the person behind the OpenID Connect login."""

    Options: ClassVar[type[OfficeOptions]] = UopOptions
    own_words: ClassVar[bool] = False
    options: UopOptions

    def __init__(self, options: UopOptions) -> None:
        super().__init__(options)
        self._access: tuple[float, dict[int, list[Proposal]]] = (float("-inf"), {})

    async def visits(self, credential: Credential, identity: Identity, now: datetime) -> tuple[Visit, ...]:
        """A visit for each proposal, with the days of its experiments."""
        data = await self._ask(PERSON, credential, sub=identity.id)
        if data.get("userByOIDCSub") is None:
            raise NoEntry("the user office answered null: it does not know this person")
        person = _understood(UopPerson, data["userByOIDCSub"])
        own = list(person.proposals or [])
        experiments = [experiment for experiment in person.experiments or [] if experiment.status != "DRAFT"]
        known = {proposal.primaryKey for proposal in own}
        shared = [
            proposal for proposal in await self._shared(person.id, credential) if proposal.primaryKey not in known
        ]
        return tuple(self._visit(proposal, experiments, person.id) for proposal in (*own, *shared))

    async def probe(self) -> str:
        """The provider, and that GraphQL answers."""
        words = await super().probe()
        if self.options.token_file:
            await self._ask("query { __typename }", Credential())
        return f"{words}; {self.options.graphql_url} answers"

    def _visit(self, proposal: Proposal, experiments: Iterable[Experiment], person: int) -> Visit:
        mine = [experiment for experiment in experiments if experiment.proposalPk == proposal.primaryKey]
        starts = [day for experiment in mine if (day := self._day(experiment.startsAt))]
        ends = [day for experiment in mine if (day := self._day(experiment.endsAt))]
        instruments = sorted({str(experiment.instrumentId) for experiment in mine if experiment.instrumentId})
        contact = any(experiment.localContactId == person for experiment in mine)
        try:
            return Visit(
                id=visit_id(proposal.proposalId),
                title=(proposal.title or "")[:300],
                beamline=", ".join(self.options.beamlines.get(number, number) for number in instruments),
                start=min(starts, default=None),
                end=max(ends, default=None),
                role="local-contact" if contact else "team",
            )
        except ValidationError as fault:
            raise OfficeDown(f"a proposal cannot be understood: {first_words(fault)}") from None

    def _day(self, text: str | None) -> date | None:
        """The day of a time at the facility; times of the office carry no zone."""
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise OfficeDown(f"a time must read like 2026-11-16 08:00:00, got {text[:40]!r}") from None
        zone = ZoneInfo(self.options.timezone)
        return (moment.astimezone(zone) if moment.tzinfo else moment).date()

    async def _shared(self, person: int, credential: Credential) -> list[Proposal]:
        """The proposals whose data this person was given access to; asked for everybody once in ten minutes."""
        if not (self.options.data_access and self.options.token_file):
            return []
        until, access = self._access
        if until < time.monotonic():
            access = await self._data_access(credential)
            self._access = (time.monotonic() + 600, access)
        return access.get(person, [])

    async def _data_access(self, credential: Credential) -> dict[int, list[Proposal]]:
        """Proposals by the ids of those with access to their data."""
        data = await self._ask(PROPOSALS, credential)
        listed = (data.get("proposals") or {}).get("proposals") or []
        proposals = [_understood(Proposal, item) for item in listed]
        access: dict[int, list[Proposal]] = {}
        for first in range(0, len(proposals), BATCH):
            batch = {f"p{proposal.primaryKey}": proposal for proposal in proposals[first : first + BATCH]}
            calls = " ".join(f"{name}: dataAccessUsers(proposalPk: {name[1:]}) {{ id }}" for name in batch)
            answer = await self._ask(f"query access {{ {calls} }}", credential)
            for name, proposal in batch.items():
                for member in answer.get(name) or []:
                    if not isinstance(member, dict) or not isinstance(member.get("id"), int):
                        raise OfficeDown("dataAccessUsers must be a list of people with ids")
                    access.setdefault(member["id"], []).append(proposal)
        return access

    async def _ask(self, query: str, credential: Credential, **variables: str) -> dict[str, Any]:
        """The data of an answer; raises OfficeFault. Errors beside the data count as no answer at all."""
        token = read_secret(self.options.token_file) if self.options.token_file else credential.secret
        call = {"headers": bearer(token), "json": {"query": query, "variables": variables}}
        try:
            answer = await ask_json("POST", self.options.graphql_url, seconds=self.options.seconds, **call)
        except LoginNeeded as fault:
            if self.options.token_file:  # ours, not the person's
                raise OfficeDown(f"the service token was refused: {fault}") from None
            raise
        data = answer.get("data") if isinstance(answer, dict) and not answer.get("errors") else None
        if not isinstance(data, dict):
            raise OfficeDown("GraphQL answered without data")
        return data


def _understood(model: type[Model], value: object) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as fault:
        raise OfficeDown(f"GraphQL's answer cannot be understood: {first_words(fault)}") from None
