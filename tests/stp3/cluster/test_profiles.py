"""Profiles: sized from the machine, the site's own beside the shipped ones, faults in words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from stp3.cluster.profiles import Profile, describe, find_profile, profiles, size
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
