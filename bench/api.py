"""The job service under load: 100 requests a second, mixed, with many jobs, on SQLite and on PostgreSQL.

    python bench/api.py [--jobs 100000] [--seconds 20] [--rate 100]

Requests come at fixed times, whether the ones before are answered or not; the service is a process of its own. Its jobs
are read from real run directories first, so the time of `rebuild` and of a look at all of them is told too.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import multiprocessing
import random
import shutil
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
from stp3_hub.jobs.__main__ import rebuild
from stp3_hub.jobs.database import open_database
from stp3_hub.jobs.follower import Follower
from stp3_hub.models import Visit
from stp3_hub.settings import Settings
from stp3_hub.testing import PostgresMissing, person, postgresql, running_service, write_run
from stp3_hub.visits import record_visits

VISITS = [Visit(id=f"V{number}", beamline=f"Beamline {number % 5}") for number in range(200)]
USERS = [f"user{number}" for number in range(400)]
MIX = {  # share in percent
    "/api/jobs": 40,
    "/api/jobs?state=failed": 10,
    "/api/jobs/{owner}/{job}": 20,
    "/api/jobs/{owner}/{job}/events": 8,
    "/api/volumes": 5,
    "/api/scans": 5,
    "/api/recipes": 5,
    "POST /api/recipes": 3,
    "admin /api/jobs": 3,
    "admin /api/statistics": 1,
}


def make_runs(settings: Settings, number: int) -> None:
    """Run directories of half a year."""
    dice, now = random.Random(1), datetime.now(UTC)
    for user in range(len(USERS)):
        record_visits(settings, USERS[user], VISITS[user % 200 :: 200] + VISITS[(7 * user) % 200 :: 200])
    for place in range(number):
        user = place % len(USERS)
        created = now - timedelta(days=180 * dice.random())
        times = {"created": created.isoformat(), "started": created.isoformat()}
        times["ended"] = (created + timedelta(seconds=dice.lognormvariate(6, 1))).isoformat()
        scan = settings.visit_folder(VISITS[user % 200].id) / f"scan_{dice.randrange(200):03d}.h5"
        state = dice.choices(("done", "failed", "cancelled"), (88, 8, 4))[0]
        folder = settings.jobs_folder(USERS[user])
        write_run(folder.parent, USERS[user], f"job-{place:06d}", state=state, scan=str(scan), rows_done=1, **times)


def people() -> dict[str, dict[str, Any]]:
    """Tokens of all users, each with two visits, and of an administrator."""
    found = {"admin": person("ada", "role:admin")}
    for number, name in enumerate(USERS):
        visits = {VISITS[number % 200].id, VISITS[(7 * number) % 200].id}
        found[name] = person(name, "role:visitor", *(f"visit:{visit}" for visit in visits))
    return found


def serve(settings: Settings, pipe: Any) -> None:
    """The service, until something comes through the pipe."""
    with running_service(settings, people(), trusted_seconds=5) as (url, _):
        pipe.send(url)
        pipe.recv()


async def load(url: str, jobs: int, rate: float, seconds: float) -> list[tuple[str, float, int]]:
    """What was asked, the time of the answer in seconds, its status."""
    dice, answers = random.Random(2), []
    client = httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=200, keepalive_expiry=2))

    async def ask(kind: str, due: float) -> None:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        place = dice.randrange(jobs)
        user = USERS[place % len(USERS)]
        token = "admin" if kind.startswith("admin") else user
        path = kind.rpartition(" ")[2].format(owner=user, job=f"job-{place:06d}")
        body = {"json": {"kind": "user", "name": f"r{dice.random()}", "content": {"steps": []}}}
        verb = "POST" if kind.startswith("POST") else "GET"
        headers = {"Authorization": f"Bearer {token}"}
        answer = await client.request(verb, url + path, headers=headers, **(body if verb == "POST" else {}))
        answers.append((kind, time.perf_counter() - due, answer.status_code))

    begin = time.perf_counter() + 0.5
    kinds = dice.choices(list(MIX), list(MIX.values()), k=int(rate * seconds))
    await asyncio.gather(*(ask(kind, begin + place / rate) for place, kind in enumerate(kinds)))
    await client.aclose()
    return answers


def percentile(values: list[float], percent: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * percent / 100))]


def measure(name: str, settings: Settings, given: argparse.Namespace) -> None:
    print(f"{name}: {rebuild(settings)}")
    engine = open_database(settings)
    follower = Follower(settings, engine)
    follower.round(everything=True)
    began = time.process_time()
    follower.round(everything=True)
    whole = time.process_time() - began
    began = time.process_time()
    for _ in range(5):
        follower.round()
    print(f"  a look at every job: {whole:.2f} s of a core; a round: {(time.process_time() - began) / 5 * 1e3:.0f} ms")
    engine.dispose()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(settings, theirs))
    server.start()
    url = ours.recv()
    asyncio.run(load(url, given.jobs, given.rate, 3))  # connections and statistics warm
    before = sum(psutil.Process(server.pid).cpu_times()[:2])
    answers = asyncio.run(load(url, given.jobs, given.rate, given.seconds))
    cpu = psutil.Process(server.pid).cpu_times()
    ours.send("end")
    server.join()
    cores = (cpu.user + cpu.system - before) / given.seconds
    print(f"  the service used {cores:.2f} cores, {cores / given.rate * 1e3:.1f} ms of a core an answer")
    wrong = [status for _, _, status in answers if status >= 400]
    print(f"  {len(answers)} answers at {given.rate:g}/s, {len(wrong)} of them refusals or faults")
    rows = {"all": [seconds for _, seconds, _ in answers]}
    for kind, group in itertools.groupby(sorted(answers), key=lambda answer: answer[0]):
        rows[kind] = [seconds for _, seconds, _ in group]
    for kind, times in rows.items():
        figures = "  ".join(f"p{p:g} {percentile(times, p) * 1e3:6.1f} ms" for p in (50, 95, 99))
        print(f"  {kind:34} {figures}  ({len(times)})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="stp3-api-"))
    try:
        settings = Settings(practice=True, var=folder)
        began = time.monotonic()
        make_runs(settings, given.jobs)
        print(f"{given.jobs} run directories written in {time.monotonic() - began:.0f} s")
        if given.database != "postgresql":
            measure("SQLite", settings, given)
        if given.database != "sqlite":
            with ExitStack() as stack:
                url = stack.enter_context(postgresql())
                measure("PostgreSQL", settings.model_copy(update={"database_url": url}), given)
    except PostgresMissing as missing:
        print(f"PostgreSQL left out: {missing}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
