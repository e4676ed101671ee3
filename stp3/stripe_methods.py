"""Which removal of stripes suits a scan: each is tried on a few rows, through the engine, and measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from math import log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stp3.errors import UsageFault
from stp3.preview import Preview
from stp3.recipe import Recipe, StepUse
from stp3.rings import Loss, StripeScore, disturbance, lost_detail, stripe_score
from stp3.scan import Scan
from stp3.steps import find_step, step_names

_WHOLE_TURN = 1.9 * np.pi
Slices = tuple[NDArray[np.float32], ...]


@dataclass(frozen=True)
class StripeTrial:
    """Steps that remove stripes (none: the scan as it is), and what became of the slices.

    `rings_left` is a share of the rings without removal, `loss` what changed beside them, `disturbance` the number
    that trials are ranked by, all over the rows together; `slices` are those of the rows, (y, x) each.
    """

    uses: tuple[StepUse, ...]
    rings_left: float
    loss: Loss
    disturbance: float
    seconds: float
    slices: Slices

    @property
    def title(self) -> str:
        return " + ".join(use.step.title for use in self.uses) or "No removal"


@dataclass(frozen=True)
class StripeReport:
    """Trials, the best first, on detector rows `rows`; `rings_share` is how strong rings are without removal."""

    rows: tuple[int, ...]
    rings_share: float
    trials: tuple[StripeTrial, ...]

    @property
    def best(self) -> StripeTrial:
        return self.trials[0]


def suggest_stripe_method(
    scan: Scan,
    recipe: Recipe,
    rows: Sequence[int] | None = None,
    *,
    threads: int = 1,
    on_trial: Callable[[str], None] | None = None,
) -> StripeReport:
    """The removals of stripes ranked on those rows (default: two), the rest of the recipe as it is.

    `on_trial` hears the title of each before it runs; it may raise to stop. Raises UsageFault for rows that the scan
    has not, and what a preview raises.
    """
    chosen = tuple(rows) if rows is not None else _two_rows(scan)
    if not chosen:
        raise UsageFault("name at least one detector row to try the methods on.")
    preview = Preview(scan, threads=threads)
    before, _ = _tried(preview, with_stripe_steps(recipe, ()), chosen)
    meter = partial(stripe_score, threads=threads, half_turn=makes_half_rings(scan))
    scores = [meter(image) for image in before]
    trials = [_judged((), meter, scores, before, before, 0.0)]
    for uses in _candidates(scan.columns, recipe):
        if on_trial:
            on_trial(" + ".join(use.step.title for use in uses))
        after, seconds = _tried(preview, with_stripe_steps(recipe, uses), chosen)
        trials.append(_judged(uses, meter, scores, before, after, seconds))
    ranked = tuple(sorted(trials, key=lambda trial: trial.disturbance))
    return StripeReport(chosen, _mean([score.share for score in scores]), ranked)


def with_stripe_steps(recipe: Recipe, uses: tuple[StepUse, ...]) -> Recipe:
    """The recipe with these steps in place of those that remove stripes; without any, first in the sinogram domain."""
    places = [place for place, use in enumerate(recipe.uses) if removes_stripes(use)]
    later = (place for place, use in enumerate(recipe.uses) if use.step.domain != "projection")
    place = places[0] if places else next(later, len(recipe.uses))
    before, after = recipe.uses[:place], recipe.uses[place:]
    return Recipe((*before, *uses, *(use for use in after if not removes_stripes(use))))


def removes_stripes(use: StepUse) -> bool:
    """Whether the step takes stripes out of sinograms."""
    return use.name.startswith("stripes_")


def makes_half_rings(scan: Scan) -> bool:
    """Whether a stripe of the scan goes half around its slices: after a whole turn it goes all around."""
    return float(np.ptp(scan.theta)) < _WHOLE_TURN


def _two_rows(scan: Scan) -> tuple[int, ...]:
    return tuple(sorted({scan.rows // 3, 2 * scan.rows // 3}))


def _tried(preview: Preview, recipe: Recipe, rows: Sequence[int]) -> tuple[Slices, float]:
    start = time.perf_counter()
    slices = tuple(preview.slice(recipe, row) for row in rows)
    return slices, (time.perf_counter() - start) / len(rows)


def _judged(
    uses: tuple[StepUse, ...],
    meter: Callable[[NDArray[np.float32]], StripeScore],
    scores: Sequence[StripeScore],
    before: Slices,
    after: Slices,
    seconds: float,
) -> StripeTrial:
    found = [meter(image) for image in after]
    losses = [lost_detail(old, new) for old, new in zip(before, after, strict=True)]
    ranks = [disturbance(*three) for three in zip(found, scores, losses, strict=True)]
    rings = sum(score.rings for score in scores)
    left = sum(score.rings for score in found) / rings if rings else 1.0
    loss = Loss(*(_mean(values) for values in zip(*(astuple(loss) for loss in losses), strict=True)))
    return StripeTrial(uses, left, loss, _mean(ranks), seconds, after)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _candidates(columns: int, recipe: Recipe) -> list[tuple[StepUse, ...]]:
    """What is tried: the recipe's own steps, and each method with widths that suit the detector."""
    narrow = max(columns // 100, 4) | 1
    levels = min(max(round(log2(columns / 80)), 2), 6)
    fourier: list[tuple[str, dict[str, Any]]] = [
        ("stripes_wavelet_fft", {"levels": levels}),
        ("stripes_wavelet_fft", {"levels": levels, "sigma": 2.0}),
        ("stripes_raven", {}),
        ("stripes_titarenko", {}),
        ("stripes_titarenko", {"alpha": 0.02, "blocks": 8}),
    ]
    others: list[tuple[str, dict[str, Any]]] = [
        ("stripes_all", {}),
        ("stripes_sorting", {}),
        ("stripes_fitting", {}),
        ("stripes_filtering", {}),
        ("stripes_rivers", {"width": min(narrow, 99)}),
        ("stripes_oimoen", {"across": narrow, "along": 201}),
        ("stripes_sijbers_postnov", {}),
    ]
    known = [_use(*one) for one in (*fourier, *others) if one[0] in step_names()]
    pairs = [(_use("stripes_all", {}), _use(*one)) for one in (fourier[0], fourier[2])]
    own = tuple(use for use in recipe.running if removes_stripes(use))
    singles = [(use,) for use in known]
    return [own, *(uses for uses in (*singles, *pairs) if uses != own)] if own else [*singles, *pairs]


def _use(name: str, values: dict[str, Any]) -> StepUse:
    return StepUse(name, find_step(name).Parameters(**values))
