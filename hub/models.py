"""What the hub knows: people, visits, kinds of servers and records of jobs. All frozen."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

# No dot, slash or blank: a visit's id becomes a folder name and a group name.
VisitId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
JOB_ID = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$"
# Every number of a job's own record fits every database.
Count = Annotated[int, Field(ge=0, lt=2**53)]
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Role(StrEnum):
    """What a person may do."""

    VISITOR = "visitor"
    PI = "pi"
    LOCAL_CONTACT = "local-contact"
    SCIENTIST = "scientist"
    ADMIN = "admin"


class Visit(BaseModel):
    """One stay at a beamline, as the user office tells it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: VisitId
    title: Annotated[str, StringConstraints(max_length=300)] = ""
    beamline: Annotated[str, StringConstraints(max_length=100)] = ""
    start: date | None = None
    end: date | None = None
    role: Literal["team", "pi", "local-contact", "public"] = Field(
        default="team", description="what the person is there; public: not of the team, open after the embargo only"
    )
    released_at: date | None = Field(default=None, description="end of the embargo; none: under embargo for ever")
    data_root: str = Field(default="", max_length=1000, description="folder of the scans, where the office names one")

    @model_validator(mode="after")
    def _start_before_end(self) -> Visit:
        if self.start and self.end and self.end < self.start:
            raise ValueError(f"visit {self.id} ends on {self.end}, before it starts on {self.start}")
        return self


class Person(BaseModel):
    """Somebody the user office vouches for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    username: str
    display_name: str
    roles: frozenset[Role]
    visits: tuple[Visit, ...]
    email: str = ""
    unix_name: str = ""
    uid: int | None = None
    gid: int | None = None

    @property
    def groups(self) -> tuple[str, ...]:
        """The hub's groups of this person: ``role:…`` and ``visit:…``, sorted."""
        return tuple(sorted({f"role:{role}" for role in self.roles} | {f"visit:{visit.id}" for visit in self.visits}))


class SpawnProfile(BaseModel):
    """One kind of server: what is run and who may have it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    server_name: str
    title: str
    roles: frozenset[Role]
    command: tuple[str, ...] = Field(description="arguments of Python; {socket}: where it listens")
    default_url: str
    own_account: bool = Field(description="whether it is for people with an account of their own only")


class JobRecord(BaseModel):
    """What state.json of a run directory says; all the hub knows of a job."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: Annotated[str, StringConstraints(pattern=JOB_ID)]
    state: Literal["waiting", "running", "done", "failed", "cancelled", "interrupted"]
    user: str = ""
    scan: str = ""
    sample: str | None = None
    output: str = ""
    format: str = ""
    profile: str = ""
    slabs_done: Count = 0
    slabs_total: Count = 0
    rows_done: Count = 0
    rows_total: Count = 0
    rows_per_second: Rate | None = None
    seconds_left: Rate | None = None
    stage: str | None = None
    created: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    updated: datetime | None = None
    pid: Count | None = None
    host: str | None = None
    error: str | None = None
    bytes_written: Count = 0
    owner: str = Field(
        default="", description="the person whose folder the job lies in; the file itself is not believed"
    )

    @property
    def percent(self) -> int:
        """How much is done, 0 to 100."""
        return min(100, 100 * self.rows_done // self.rows_total) if self.rows_total > 0 else 0

    @property
    def live(self) -> bool:
        """Whether it waits or runs."""
        return self.state in {"waiting", "running"}
