"""What a recipe's removal of stripes is said to do to a slice."""

from __future__ import annotations

from pathlib import Path

import pytest

from stp3.preview import Preview
from stp3.recipe import Recipe
from stp3.ring_meter import ring_effect
from stp3.rings import lost_detail, stripe_score
from stp3.scan import open_scan
from stp3.stripe_methods import with_stripe_steps
from stp3.testing import Truth, write_practice_scan


def test_it_compares_the_slice_with_and_without_removal(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    write_practice_scan(path, columns=192, rows=2, angles=180, faults={"rings"}, seed=3)
    recipe = Recipe.default().with_values({"rotation_axis.column": Truth.load(path).rotation_axis})
    preview, ran = Preview(open_scan(path)), []
    without = with_stripe_steps(recipe, ())
    raw, clean = Preview(open_scan(path)).slice(without, 1), preview.slice(recipe, 1)
    effect = ring_effect(preview, recipe, 1, on_step=ran.append)
    assert effect.left == pytest.approx(
        stripe_score(clean, half_turn=True).rings / stripe_score(raw, half_turn=True).rings
    )
    assert effect.detail_kept == pytest.approx(1 - lost_detail(raw, clean).detail)
    assert effect.left < 0.9
    assert effect.share > 0.01
    assert ran == ["rotation_axis", "fbp", "circle_mask"]
    assert ring_effect(preview, without, 1).left is None
