"""What a recipe's removal of stripes does to one slice: the rings that are left, and the detail that is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stp3.preview import Preview
from stp3.recipe import Recipe
from stp3.rings import lost_detail, stripe_score
from stp3.stripe_methods import makes_half_rings, removes_stripes, with_stripe_steps


@dataclass(frozen=True)
class RingEffect:
    """Rings of a slice with and without the recipe's removal of stripes.

    `share` is how strong they are without it against the sample's detail (0.1 is plain to see, 0.01 is not seen),
    `left` the share of them that is left, `detail_kept` that of the detail's variance; None where nothing is removed.
    """

    share: float
    left: float | None = None
    detail_kept: float | None = None


def ring_effect(preview: Preview, recipe: Recipe, row: int, on_step: Callable[[str], None] | None = None) -> RingEffect:
    """That of the recipe on the slice of a detector row; what the preview has kept is not done again.

    `on_step` hears the name of each step that runs; it may raise to stop. Raises UsageFault, for one where the slice
    is too small to have rings, and what a preview raises.
    """
    before = preview.slice(with_stripe_steps(recipe, ()), row, on_step=on_step)
    half_turn = makes_half_rings(preview.scan)
    raw = stripe_score(before, preview.threads, half_turn=half_turn)
    if not any(removes_stripes(use) for use in recipe.running):
        return RingEffect(raw.share)
    after = preview.slice(recipe, row, on_step=on_step)
    rings = stripe_score(after, preview.threads, half_turn=half_turn).rings
    lost = lost_detail(before, after).detail
    return RingEffect(raw.share, rings / raw.rings if raw.rings else 1.0, max(1 - lost, 0.0))
