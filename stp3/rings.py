"""Rings in slices, measured: how strong they are, and how much of the sample went with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stp3.errors import UsageFault

_LEAST_SIDE = 32
_INNERMOST = 20  # pixels: nearer to the axis an eighth of a turn is as short as a grain of the sample
_DISTURBING = 4.0  # rings, left or made, are seen where noise of this many times their strength is not
_SHADES = 0.25  # a wide shade is little seen, and wide rings go as one

Image = NDArray[np.floating]


@dataclass(frozen=True)
class StripeScore:
    """How strong rings are: they make pixels of the slice deviate by `rings` (RMS, in the slice's units).

    `detail` is how far pixels deviate (RMS) from the mean along an eighth of a turn, which rings do not.
    """

    rings: float
    detail: float

    @property
    def share(self) -> float:
        """Rings against detail: 0.1 is plain to see, 0.01 is not seen."""
        return self.rings / self.detail if self.detail else 0.0


@dataclass(frozen=True)
class Loss:
    """What changed between two slices, as shares of variance: the sample's `detail`, and its wide `shades`.

    `ringlike` is what changed as rings do, narrow along the radius and long around the axis, as a share of the
    detail's variance: the rings that went, and what was taken for rings.
    """

    detail: float
    shades: float
    ringlike: float


def stripe_score(image: Image, threads: int = 1, *, half_turn: bool = False) -> StripeScore:
    """How strong the rings are in a slice (y, x) centred on the rotation axis. Raises UsageFault.

    The polar image is freed of what is wide along the radius, steps included; its medians over each half of each
    eighth of a turn are multiplied: rings, alike in both halves, remain, noise and the sample's detail average out.
    In a slice of a `half_turn` each stripe makes half a ring: only what is alike in the eighths of one half, and not
    there across, is taken for a ring. The wall of a capillary hardly is.
    """
    from stp3.kernels import polar

    around = polar.to_polar(_checked(image))
    energy_of = polar.half_ring_energy if half_turn else polar.ring_energy
    energies = energy_of(polar.sharp_along_radius(around, threads=threads))
    energy = max(_mean(energies[:, None], _innermost(around)), 0.0)
    return StripeScore(float(np.sqrt(energy)), float(np.sqrt(_power(around - polar.slow_along_turn(around)))))


def lost_detail(before: Image, after: Image) -> Loss:
    """What the removal of rings took from a slice (or added) beside rings, both (y, x). Raises UsageFault.

    What changes quickly along a turn is detail; what changes slowly is a ring where it is narrow along the radius,
    else a shade.
    """
    from stp3.kernels import polar

    if before.shape != after.shape:
        raise UsageFault(f"the slices must have one shape, got {before.shape} and {after.shape}.")
    old, new = polar.to_polar(_checked(before)), polar.to_polar(_checked(after))
    change = new - old
    slow, slow_change = polar.slow_along_turn(old), polar.slow_along_turn(change)
    wide, wide_change = polar.wide_along_radius(slow), polar.wide_along_radius(slow_change)
    shades = _share(_power(wide_change - _mean(wide_change)), _power(wide - _mean(wide)))
    detail, narrow = _power(old - slow), slow_change - wide_change
    ringlike = _mean(narrow * narrow, _innermost(narrow))
    return Loss(_share(_power(change - slow_change), detail), shades, _share(ringlike, detail))


def disturbance(after: StripeScore, before: StripeScore, loss: Loss) -> float:
    """One number to rank removals by: rings that are left, as strong as they are seen, and all that was lost.

    Of what changed as rings do, more than the rings that went is a wall of the sample that is gone, or a new ring.
    """
    left = _share(after.rings**2, before.detail**2)
    gone = _share(before.rings**2 - after.rings**2, before.detail**2)
    return _DISTURBING**2 * (left + max(loss.ringlike - gone, 0.0)) + loss.detail + _SHADES * loss.shades


def _innermost(around: NDArray[np.float32]) -> int:
    return min(_INNERMOST, len(around) // 2)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _power(values: NDArray[np.float32]) -> float:
    return _mean(values * values)


def _mean(values: NDArray[np.floating], first: int = 0) -> float:
    """The mean over the disk from radius `first`: pixels at large radii are many."""
    means = values.mean(axis=1, dtype=np.float64)[first:]
    return float(np.average(means, weights=np.arange(len(means)) + first + 0.125))


def _checked(image: Image) -> NDArray[np.float32]:
    if image.ndim != 2 or min(image.shape) < _LEAST_SIDE:
        raise UsageFault(f"a slice must have two axes of at least {_LEAST_SIDE} pixels, got shape {image.shape}.")
    return np.asarray(image, np.float32)
