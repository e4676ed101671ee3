"""Profiles: sized from the machine, the site's own beside the shipped ones, faults in words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from stp3.cluster.profiles import Profile, SlurmProfile, describe, find_profile, for_visit, profiles, size
from stp3.errors import UsageFault
from stp3.plan import free_memory_bytes


def test_local_uses_the_processors_it_may_use() -> None:
    sized = size(find_profile("local"))
    processors = len(os.sched_getaffinity(0))
    assert 1 <= sized.workers * sized.threads <= processors
    assert 0 < sized.workers * sized.memory_bytes < free_memory_bytes()


def test_given_numbers_stand() -> None:
    profile = Profile(name="small", workers=3, threads=2, memory_gib=0.5)
    sized = size(profile)
    assert (sized.workers, sized.threads, sized.memory_bytes) == (3, 2, 1 << 29)
    assert "3 worker(s) with 2 thread(s) and 0.5 GiB" in describe(profile)


def test_the_site_adds_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site.yaml").write_text("night:\n  workers: 1\n")
    monkeypatch.setenv("STP3_PROFILES", str(tmp_path / "site.yaml"))
    assert set(profiles()) == {"local", "slurm", "night"}
    assert find_profile("night").workers == 1


@pytest.mark.parametrize(
    "text", ["night:\n  wrokers: 1\n", "- night\n", "night:\n", "Bad Name!:\n  workers: 1\n", "a: ["]
)
def test_a_faulty_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "site.yaml").write_text(text)
    monkeypatch.setenv("STP3_PROFILES", str(tmp_path / "site.yaml"))
    with pytest.raises(UsageFault, match=r"site\.yaml"):
        profiles()


def test_an_unknown_profile_is_named_with_the_known_ones() -> None:
    with pytest.raises(UsageFault, match="Known: local"):
        find_profile("cloud")


def test_a_name_cannot_carry_anything_into_a_script() -> None:
    with pytest.raises(ValidationError):
        Profile(name="x\n#SBATCH --wrap=rm")


def test_a_visit_fills_in_account_and_reservation() -> None:
    profile = SlurmProfile(name="beam", kind="slurm", account="proj-{visit}", reservation="{visit}")
    filled = for_visit(profile, "p1234")
    assert isinstance(filled, SlurmProfile)
    assert (filled.account, filled.reservation) == ("proj-p1234", "p1234")
    for visit in (None, "", "p1 --wrap=rm", "p1\n#SBATCH", "-p", "../x"):
        with pytest.raises(UsageFault, match="proj-"):
            for_visit(profile, visit)


@pytest.mark.parametrize(
    "change",
    [
        {"partition": "main\n#SBATCH --wrap=rm"}, {"account": "a b"}, {"account": "{user}"}, {"qos": "-x"},
        {"walltime": "4 hours"}, {"gres": "gpu:1 --wrap"}, {"constraint": "a;b"}, {"prologue": ["a\nb"]},
        {"python": "/a\nb"}, {"workers": 0}, {"memory": 3}, {"driver": "hub"},
    ],
)  # fmt: skip
def test_nothing_typed_can_reach_out_of_its_place(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SlurmProfile(**{"name": "beam", "kind": "slurm", **change})


def test_a_site_may_change_the_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site.yaml").write_text("slurm:\n  kind: slurm\n  partition: imaging\n  gres: gpu:a100:1\n")
    monkeypatch.setenv("STP3_PROFILES", str(tmp_path / "site.yaml"))
    profile = find_profile("slurm")
    assert isinstance(profile, SlurmProfile)
    assert (profile.partition, profile.gres) == ("imaging", "gpu:a100:1")
    assert "on SLURM for 04:00:00" in describe(profile)
    (tmp_path / "site.yaml").write_text("there:\n  kind: address\n  address: tcp://10.0.0.1:8786\n")
    with pytest.raises(UsageFault, match="tls"):
        profiles()
