"""Why a job waits, in words for people who never saw SLURM."""

from __future__ import annotations

from datetime import UTC, datetime

from stp3.cluster.slurm import Entry, Listing

_REASONS = {
    "Resources": "the cluster is busy",
    "Priority": "the cluster is busy",
    "None": "the cluster looks for a place",
    "BeginTime": "the cluster starts it again after a failure",
    "Dependency": "another job must end first",
    "DependencyNeverSatisfied": "the job it waits for failed, so it will never start: cancel it",
    "JobHeldUser": "it is held: release it with scontrol release",
    "JobHeldAdmin": "an administrator holds it: ask the facility's computing staff",
    "InactiveLimit": "the partition is closed: ask the facility's computing staff",
    "PartitionDown": "the partition is closed: ask the facility's computing staff",
    "PartitionInactive": "the partition is closed: ask the facility's computing staff",
    "PartitionTimeLimit": "it asks for more time than its partition allows and will never start: correct the profile",
    "PartitionNodeLimit": "it asks for more than its partition has and will never start: correct the profile",
    "PartitionConfig": "it asks for more than its partition has and will never start: correct the profile",
    "BadConstraints": "no node is like what it asks for, so it will never start: correct the profile",
    "ReqNodeNotAvail": "the nodes it needs are out of service or reserved",
    "Reservation": "its reservation has not begun",
    "Licenses": "all licences are in use",
    "NodeDown": "a node is out of service",
    "launch failed requeued held": "it could not be started on its node: ask the facility's computing staff",
}


def why_waiting(entry: Entry, listing: Listing, now: datetime | None = None) -> str:
    """Such as "waiting: 2 jobs before you; likely to start 14:20"."""
    before = listing.before(entry)
    if entry.reason in ("Resources", "Priority") and before:
        words = f"{before} job{'s' if before > 1 else ''} before you"
    else:
        words = _reason(entry.reason)
    start = _clock(entry.start, now or datetime.now(UTC))
    return f"waiting: {words}{f'; likely to start {start}' if start else ''}"


def _reason(reason: str) -> str:
    short = reason.strip("()").split(",")[0]
    if known := _REASONS.get(short):
        return known
    if short.startswith(("QOS", "Assoc", "MaxJobs", "MaxCpu")):
        return f"the account's share of the cluster is used up by its other jobs ({short})"
    return f"SLURM says {short}"


def _clock(start: str, now: datetime) -> str:
    """The local hour and minute, with the day where it is another one; empty for what is past or not known."""
    if not start:
        return ""
    moment = datetime.fromisoformat(start).replace(tzinfo=UTC)
    if moment <= now:
        return ""
    local = moment.astimezone()
    return f"{local:%H:%M}" if local.date() == now.astimezone().date() else f"{local:%a %d %b %H:%M}"
