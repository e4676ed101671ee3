"""SciCat: people log in with SciCat's own name and password; proposals of their groups are their visits."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any, ClassVar, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..models import Visit
from .base import (
    STRANGER,
    Credential,
    Identity,
    LoginNeeded,
    NoEntry,
    OfficeDown,
    OfficeOptions,
    UserOffice,
    first_words,
    visit_id,
)
from .line import ask_json, bearer

MOST_PROPOSALS = 1000
Model = TypeVar("Model", bound=BaseModel)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Period(_Answer):
    """Beam time of a proposal."""

    instrument: str = ""
    start: datetime | None = None
    end: datetime | None = None


class Proposal(_Answer):
    """A proposal, with who may see it."""

    proposalId: str  # noqa: N815  # SciCat's name
    ownerGroup: str  # noqa: N815
    accessGroups: list[str] = []  # noqa: N815
    title: str | None = None
    startTime: datetime | None = None  # noqa: N815
    endTime: datetime | None = None  # noqa: N815
    MeasurementPeriodList: list[Period] | None = None


class Profile(_Answer):
    """What SciCat says of a person."""

    accessGroups: list[str]  # noqa: N815
    displayName: str | None = None  # noqa: N815
    email: str | None = None


class ScicatOptions(OfficeOptions):
    """A SciCat."""

    url: str = Field(description="address of the backend, such as https://scicat.example.org")
    accounts: Literal["login", "ldap"] = Field(default="login", description="the accounts people use: its own, or LDAP")
    name: str = "SciCat"


class Scicat(UserOffice):
    """Asks SciCat's backend, version 3 of its interface."""

    Options: ClassVar[type[OfficeOptions]] = ScicatOptions
    login = "form"

    def __init__(self, options: ScicatOptions) -> None:
        self.options = options

    async def enter(self, name: str, password: str) -> Credential:
        """The token that SciCat gives for name and password."""
        try:
            answer = await self._ask(
                "POST", f"auth/{self.options.accounts}", json={"username": name, "password": password}
            )
        except LoginNeeded:
            raise NoEntry("this name and password do not belong together") from None
        token = answer.get("access_token") or answer.get("id") if isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise OfficeDown("SciCat let somebody in without a token")
        return Credential(secret=token)

    async def identify(self, credential: Credential) -> Identity:
        """The person behind the token."""
        answer = await self._ask("GET", "users/my/identity", credential)
        if answer is None:
            raise NoEntry("SciCat answered null: it does not know this person")
        if not isinstance(answer, dict) or not isinstance(answer.get("userId"), str) or not answer["userId"]:
            raise OfficeDown("SciCat's identity holds no userId")
        profile = _understood(Profile, answer.get("profile"), "profile")
        try:
            return Identity(
                id=answer["userId"],
                display_name=profile.displayName or "",
                email=profile.email or "",
                words=frozenset(profile.accessGroups),
            )
        except ValidationError as fault:
            raise OfficeDown(f"SciCat's identity cannot be understood: {first_words(fault)}") from None

    async def visits(self, credential: Credential, identity: Identity, now: datetime) -> tuple[Visit, ...]:
        """The proposals of the person's groups. SciCat also lists published ones: those are nobody's visit here."""
        limits = {"limits": {"limit": MOST_PROPOSALS}}
        answer = await self._ask("GET", "proposals", credential, params={"filter": json.dumps(limits)})
        if not isinstance(answer, list):
            raise OfficeDown("SciCat's proposals must be a list")
        proposals = [_understood(Proposal, item, "proposal") for item in answer]
        return tuple(
            self._visit(proposal)
            for proposal in proposals
            if identity.words & {proposal.ownerGroup, *proposal.accessGroups} - {""}
        )

    async def probe(self) -> str:
        """That SciCat refuses strangers."""
        try:
            answer = await self._ask("GET", "users/my/identity", STRANGER)
        except NoEntry:
            return f"{self.options.url} answers, and refuses strangers"
        raise OfficeDown(f"{self.options.url} answered a stranger with {type(answer).__name__}")

    def _visit(self, proposal: Proposal) -> Visit:
        periods = proposal.MeasurementPeriodList or []
        starts = [self._day(moment) for moment in (proposal.startTime, *(period.start for period in periods)) if moment]
        ends = [self._day(moment) for moment in (proposal.endTime, *(period.end for period in periods)) if moment]
        instruments = {period.instrument.rpartition("/")[2] for period in periods}
        try:
            return Visit(
                id=visit_id(proposal.proposalId),
                title=(proposal.title or "")[:300],
                beamline=", ".join(sorted(instruments - {""}))[:100],
                start=min(starts, default=None),
                end=max(ends, default=None),
            )
        except ValidationError as fault:
            raise OfficeDown(f"a proposal of SciCat cannot be understood: {first_words(fault)}") from None

    def _day(self, moment: datetime) -> date:
        return (moment.astimezone(ZoneInfo(self.options.timezone)) if moment.tzinfo else moment).date()

    async def _ask(self, method: str, path: str, credential: Credential | None = None, **request: Any) -> Any:
        headers = bearer(credential.secret) if credential else {}
        url = f"{self.options.url.rstrip('/')}/api/v3/{path}"
        return await ask_json(method, url, seconds=self.options.seconds, headers=headers, **request)


def _understood(model: type[Model], value: object, what: str) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as fault:
        raise OfficeDown(f"SciCat's {what} cannot be understood: {first_words(fault)}") from None
