"""The table: passwords, parts in visits, and files that are off."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from stp3_hub.user_office.base import Credential, NoEntry, OfficeDown, make_office, visit_id
from stp3_hub.user_office.table import TableOffice, TableOptions, hash_password, password_is

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
RIGHT = hash_password("right horse")
TABLE = f"""
people:
  vera: {{name: Vera, password: "{RIGHT}", uid: 2001, gid: 2001}}
  lara: {{name: Lara, beamlines: [SYRMEP]}}
  0042: {{name: Number}}
visits:
  20260042: {{title: Rock, beamline: SYRMEP, start: 2026-11-16, end: 2026-11-20, pi: [vera], team: [victor]}}
  B: {{beamline: TwinMic, local-contact: [lara]}}
"""


@pytest.fixture
def table(tmp_path: Path) -> TableOffice:
    path = tmp_path / "people.yaml"
    path.touch(0o600)
    path.write_text(TABLE)
    return TableOffice(TableOptions(kind="table", path=path))


def roles(table: TableOffice, name: str) -> dict[str, str]:
    """What somebody is at each visit."""

    async def both() -> dict[str, str]:
        credential = Credential(name=name)
        found = await table.visits(credential, await table.identify(credential), NOW)
        return {visit.id: visit.role for visit in found}

    return asyncio.run(both())


def test_the_right_password(table: TableOffice) -> None:
    assert asyncio.run(table.enter("vera", "right horse")) == Credential(name="vera")


@pytest.mark.parametrize(
    ("name", "password"),
    [("vera", "wrong"), ("vera", ""), ("vera", RIGHT), ("lara", ""), ("nobody", ""), ("nobody", "right horse")],
)
def test_a_wrong_password(table: TableOffice, name: str, password: str) -> None:
    with pytest.raises(NoEntry):
        asyncio.run(table.enter(name, password))


@pytest.mark.parametrize("stored", ["", "right horse", "scrypt$$", "scrypt$x$y", "scrypt$AAAA$AAAA", "md5$AAAA$AAAA"])
def test_nothing_else_is_a_password(stored: str) -> None:
    assert not password_is("right horse", stored)
    assert not password_is("", stored)


def test_parts_in_visits(table: TableOffice) -> None:
    assert roles(table, "vera") == {"20260042": "pi", "B": "public"}
    assert roles(table, "lara") == {"20260042": "local-contact", "B": "local-contact"}


def test_who_is_not_listed_has_no_entry(table: TableOffice) -> None:
    with pytest.raises(NoEntry):
        roles(table, "victor")


def test_the_table_is_read_anew(table: TableOffice) -> None:
    table.table.path.write_text(TABLE.replace("pi: [vera]", "pi: []"))
    assert roles(table, "vera")["20260042"] == "public"


@pytest.mark.parametrize(
    "content",
    [
        "people: [vera]",
        "people: {vera: {nmae: Vera}}",
        "people: {vera: {uid: minus}}",
        "people: {vera: {uid: -1}}",
        "visits: {../x: {}}",
        "visits: {A: {start: soon}}",
        "visits: {A: {start: 2026-11-20, end: 2026-11-16}}",
        "visits: {A: {team: vera}}",
        "visitors: {}",
        "people: {vera: {}\n",
        "!!python/object/apply:os.system ['true']",
        "- 1",
        "\x00",
    ],
)
def test_a_file_that_is_off_lets_nobody_in(table: TableOffice, content: str) -> None:
    table.table.path.write_text("people: {vera: {}}\n" + content if content.startswith("visits:") else content)
    with pytest.raises(OfficeDown, match=r"people\.yaml"):
        roles(table, "vera")


def test_a_file_that_is_gone_lets_nobody_in(table: TableOffice) -> None:
    table.table.path.unlink()
    with pytest.raises(OfficeDown, match="No such file"):
        roles(table, "vera")


def test_the_probe_counts_and_looks_at_the_mode(table: TableOffice) -> None:
    assert "3 people and 2 visits" in asyncio.run(table.probe())
    table.table.path.chmod(0o644)
    with pytest.raises(OfficeDown, match="chmod 600"):
        asyncio.run(table.probe())


@pytest.mark.parametrize(
    ("text", "expected"),
    [("20260042", "20260042"), ("2026/42", "2026_2f42"), ("a_2f", "a_5f2f"), ("a_b", "a_b"), ("a__2f", "a__5f2f")],
)
def test_ids_of_visits_never_meet(text: str, expected: str) -> None:
    assert visit_id(text) == expected


@pytest.mark.parametrize("text", ["", "/a", "_a", "-a", ".", "ža", "a" * 65, None, 7])
def test_what_is_no_id_of_a_visit(text: object) -> None:
    with pytest.raises(OfficeDown):
        visit_id(text)


@pytest.mark.parametrize("kind", [None, "", "ldap", "../table"])
def test_an_unknown_kind_is_named_with_the_others(kind: object) -> None:
    with pytest.raises(ValueError, match="oidc, scicat, table, uop, vuo"):
        make_office({"kind": kind})


def test_every_kind_is_there(tmp_path: Path) -> None:
    assert isinstance(make_office({"kind": "table", "path": str(tmp_path)}), TableOffice)
