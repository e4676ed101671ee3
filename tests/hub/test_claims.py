"""The truth table of who gets in, and as whom."""

from __future__ import annotations

import pytest
from stp3_hub.claims import ClaimsFault, person_from_claims, username

A, B = {"id": "A"}, {"id": "B", "title": "Teeth", "start": "2026-11-16", "end": "2026-11-20"}


@pytest.mark.parametrize(
    ("claims", "groups"),
    [
        ({"visits": [A]}, ("role:visitor", "visit:A")),
        ({"visits": ["A", "B"]}, ("role:visitor", "visit:A", "visit:B")),
        ({"visits": [A, B], "roles": ["scientist"]}, ("role:scientist", "role:visitor", "visit:A", "visit:B")),
        ({"visits": [], "roles": ["admin"]}, ("role:admin",)),
        ({"roles": ["visitor"]}, ("role:visitor",)),
        ({"visits": [A], "roles": ["janitor"]}, ("role:visitor", "visit:A")),
        ({"visits": [A], "roles": ["Admin", "ADMIN"]}, ("role:visitor", "visit:A")),
        ({"visits": [A], "groups": ["role:admin"], "admin": True}, ("role:visitor", "visit:A")),
    ],
)
def test_who_gets_in(claims: dict, groups: tuple[str, ...]) -> None:
    assert person_from_claims({"sub": "vera", **claims}).groups == groups


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "vera"},
        {"sub": "vera", "visits": [], "roles": []},
        {"sub": "vera", "roles": ["janitor"]},
        {"sub": "vera", "visits": "A"},
        {"sub": "vera", "visits": {"A": 1}},
        {"sub": "vera", "visits": None},
        {"sub": "vera", "visits": [A], "roles": "admin"},
        {"sub": "vera", "visits": [A], "roles": [1]},
        {"sub": "vera", "visits": [{"title": "no id"}]},
        {"sub": "vera", "visits": ["../A"]},
        {"sub": "vera", "visits": ["A/B"]},
        {"sub": "vera", "visits": ["A\n"]},
        {"sub": "vera", "visits": [""]},
        {"sub": "vera", "visits": [A, A]},
        {"sub": "vera", "visits": [{"id": "A", "start": "2026-11-20", "end": "2026-11-16"}]},
        {"visits": [A]},
        {"sub": "", "visits": [A]},
        {"sub": None, "visits": [A]},
        {"sub": 1001, "visits": [A]},
        {"sub": "a\nb", "visits": [A]},
        {"sub": "v" * 101, "visits": [A]},
        {"email": "vera@example.org", "preferred_username": "vera", "visits": [A]},
    ],
)
def test_who_does_not(claims: dict) -> None:
    with pytest.raises(ClaimsFault):
        person_from_claims(claims)


def test_other_names_of_claims() -> None:
    person = person_from_claims(
        {"sub": "v", "name": " Vera ", "beamtimes": [A], "rights": ["admin"], "roles": ["scientist"]},
        visits_claim="beamtimes",
        roles_claim="rights",
    )
    assert person.groups == ("role:admin", "role:visitor", "visit:A")
    assert person.display_name == "Vera"


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("vera", "vera"),
        ("0f8e-17", "0f8e-17"),
        ("Vera", "_56era"),
        ("_56era", "_5f56era"),
        ("auth0|17", "auth0_7c17"),
        ("name.surname", "name_2esurname"),
        ("..", "_2e_2e"),
        ("../x", "_2e_2e_2fx"),
        ("-rf", "_2drf"),
        ("ž", "_c5_be"),
    ],
)
def test_names_are_safe_and_never_meet(subject: str, name: str) -> None:
    assert username(subject) == name
