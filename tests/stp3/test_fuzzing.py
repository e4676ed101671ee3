"""Scans and recipes changed at random: each is used or refused in words. Nothing crashes, hangs or fails inside.

The changes are the same in every run. STP3_FUZZ_EXAMPLES sets how many of each kind are tried, for a long run by night.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stp3 import limited
from stp3.errors import RecipeFault, Stp3Error
from stp3.preflight import preflight_file
from stp3.recipe import Recipe
from stp3.testing import write_practice_scan

EXAMPLES = int(os.environ.get("STP3_FUZZ_EXAMPLES") or 25)
LONG_AGO = 1_700_000_000
few = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
many = settings(few, max_examples=10 * EXAMPLES)

Change = Callable[[bytearray], None]


def put(place: float, value: bytes) -> Change:
    """Other bytes at a place between 0 (the start) and 1 (the end)."""

    def change(content: bytearray) -> None:
        start = int(place * max(len(content) - len(value), 0))
        content[start : start + len(value)] = value

    return change


def cut(place: float) -> Change:
    def change(content: bytearray) -> None:
        del content[int(place * len(content)) :]

    return change


def pushed(place: float, value: bytes) -> Change:
    def change(content: bytearray) -> None:
        start = int(place * len(content))
        content[start:start] = value

    return change


PLACES = st.floats(0, 1, exclude_max=True) | st.floats(0, 0.1)
NUMBERS = st.sampled_from([0, 1, 0x7F, 0x80, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1])
VALUES = st.binary(min_size=1, max_size=8) | NUMBERS.map(lambda number: struct.pack("<Q", number))
CHANGES = st.lists(
    st.builds(put, PLACES, VALUES) | st.builds(cut, st.floats(0.1, 1)) | st.builds(pushed, PLACES, VALUES),
    min_size=1,
    max_size=12,
)


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small scan of each HDF5 format and layout."""
    folder = tmp_path_factory.mktemp("scans")
    for name, kind, layout in (("scan.h5", "data-exchange", "contiguous"), ("scan.nxs", "nxtomo", "frames")):
        write_practice_scan(folder / name, columns=32, rows=2, angles=12, flats=2, darks=2, format=kind, layout=layout)
    return folder


@pytest.fixture(scope="module")
def picture() -> bytes:
    """A TIFF as a camera writes it, made of its parts: 16 bit, one strip."""
    width, height = 32, 4
    tags = [
        (256, 3, 1, width), (257, 3, 1, height), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, 1, 8), (277, 3, 1, 1), (278, 3, 1, height), (279, 4, 1, 2 * width * height),
    ]  # fmt: skip
    pixels = struct.pack(f"<{width * height}H", *range(1000, 1000 + width * height))
    entries = b"".join(struct.pack("<HHIHH" if kind == 3 else "<HHII", *_entry(kind, tag, count, value))
                       for tag, kind, count, value in tags)  # fmt: skip
    return b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + struct.pack("<H", len(tags)) + entries + bytes(4)


def _entry(kind: int, tag: int, count: int, value: int) -> tuple[int, ...]:
    return (tag, kind, count, value, 0) if kind == 3 else (tag, kind, count, value)


def used_or_refused(path: Path) -> None:
    """The report on a scan, or a fault in words; in time, and without harm to this process or its helper."""
    began = time.monotonic()
    with suppress(Stp3Error):
        assert all(finding.text for finding in preflight_file(path).findings)
    assert time.monotonic() - began < 2 * limited.SECONDS


@pytest.mark.parametrize("name", ["scan.h5", "scan.nxs"])
@few
@given(changes=CHANGES)
def test_hdf5(scans: Path, tmp_path: Path, name: str, changes: list[Change]) -> None:
    content = bytearray((scans / name).read_bytes())
    for change in changes:
        change(content)
    (tmp_path / name).write_bytes(content)
    os.utime(tmp_path / name, (LONG_AGO, LONG_AGO))
    used_or_refused(tmp_path / name)


def test_the_whole_picture_is_read(tmp_path: Path, picture: bytes) -> None:
    for number in range(4):
        (tmp_path / f"tomo_{number:04}.tif").write_bytes(picture)
        os.utime(tmp_path / f"tomo_{number:04}.tif", (LONG_AGO, LONG_AGO))
    assert preflight_file(tmp_path).verdict != "red"


@few
@given(changes=CHANGES, number=st.integers(0, 3))
def test_tiff(tmp_path: Path, picture: bytes, changes: list[Change], number: int) -> None:
    content = bytearray(picture)
    for change in changes:
        change(content)
    for place in range(4):
        path = tmp_path / f"tomo_{place:04}.tif"
        path.write_bytes(content if place == number else picture)
        os.utime(path, (LONG_AGO, LONG_AGO))
    used_or_refused(tmp_path)


def a_recipe_or_a_fault(text: str) -> None:
    with suppress(RecipeFault):
        assert Recipe.from_yaml(text).to_yaml()


@many
@given(changes=CHANGES)
def test_recipes_changed_in_places(changes: list[Change]) -> None:
    content = bytearray(Recipe.default().to_yaml().encode())
    for change in changes:
        change(content)
    a_recipe_or_a_fault(content.decode("utf-8", "replace"))


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates()
NESTED = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
)
STEPS = st.fixed_dictionaries(
    {"step": st.sampled_from(["fbp", "flat_field", "rotation_axis", "output", "angles", "crop", "no such"]) | NESTED},
    optional={"parameters": NESTED, "on": NESTED, "column": NESTED, "last": NESTED, "filter": NESTED},
)


@many
@given(steps=st.lists(STEPS | NESTED, max_size=5) | NESTED, version=st.just(1) | NESTED)
def test_recipes_of_anything(steps: object, version: object) -> None:
    a_recipe_or_a_fault(yaml.safe_dump({"stp3_recipe": version, "steps": steps}))


def test_recipes_that_unfold_without_end() -> None:
    """Each line stands for ten of the one before: 10^9 values if somebody wrote them out."""
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    began = time.process_time()
    a_recipe_or_a_fault("\n".join(lines) + "\nstp3_recipe: 1\nsteps: *a8\n")
    a_recipe_or_a_fault("stp3_recipe: 1\nsteps: " + "[" * 5000)
    assert time.process_time() - began < 20
