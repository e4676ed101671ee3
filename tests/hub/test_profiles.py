"""Which server a person gets, which scopes exist, which visits a server is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from stp3_hub.models import Visit
from stp3_hub.profiles import DASHBOARDS, LAB, Refusal, profile_for
from stp3_hub.roles import ROLES, SERVER_SCOPES, unknown_scopes
from stp3_hub.settings import Settings
from stp3_hub.spawner import visit_records

VISITOR, SCIENTIST, ADMIN = {"role:visitor", "visit:A"}, {"role:scientist"}, {"role:admin"}


@pytest.mark.parametrize("groups", [VISITOR, SCIENTIST, ADMIN])
def test_everybody_gets_dashboards(groups: set[str]) -> None:
    assert profile_for("", groups) is DASHBOARDS


@pytest.mark.parametrize("groups", [SCIENTIST, ADMIN, VISITOR | SCIENTIST])
def test_scientists_and_administrators_get_lab(groups: set[str]) -> None:
    assert profile_for("lab", groups) is LAB


@pytest.mark.parametrize(
    ("server", "groups"),
    [
        ("lab", VISITOR),
        ("lab", set()),
        ("", set()),
        ("", {"visit:A"}),
        ("other", ADMIN),
        ("LAB", ADMIN),
        ("lab", {"visit:role:admin", "scientist", "xrole:admin"}),
    ],
)
def test_everything_else_is_refused(server: str, groups: set[str]) -> None:
    with pytest.raises(Refusal, match="home page"):
        profile_for(server, groups)


def test_all_scopes_are_known_to_the_hub() -> None:
    for _, scopes in ROLES.values():
        assert unknown_scopes(scopes) == []
    assert unknown_scopes(SERVER_SCOPES) == []
    assert unknown_scopes(("read:everything",)) == ["read:everything"]


def test_a_server_is_told_the_visits_of_office_and_hub_only(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path, data=None)
    visits = (Visit(id="A", title="Rock"), Visit(id="B"))
    expected = [{"id": "A", "title": "Rock", "data_root": str(tmp_path / "data" / "A")}]
    assert visit_records(settings, visits, frozenset({"visit:A", "visit:C", "role:visitor"})) == expected


def test_the_data_folder_is_for_practice_only(tmp_path: Path) -> None:
    folder = [{"id": "data", "title": "Data folder", "data_root": str(tmp_path)}]
    assert visit_records(Settings(var=tmp_path, data=tmp_path, practice=True), (), frozenset()) == folder
    assert visit_records(Settings(var=tmp_path, data=tmp_path), (), frozenset()) == []
