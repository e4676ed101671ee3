"""Phantoms of ellipsoids: their projections and slices are known in closed form.

Geometry (the same as the reconstruction's): lengths are in columns, (x, y) is relative to the rotation axis, x to
the right and y up in the slice; z runs down the detector and is 0 at its middle row. A point is seen at

    column = rotation_axis + x cos(theta) + y sin(theta)

and a slice of N x N pixels has the rotation axis at its centre: x = image column - (N - 1) / 2 and
y = (N - 1) / 2 - image row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

_FINE = 16  # strips into which a pixel of a slice is cut; along them its average is exact
_BAND = 64  # columns


class Ellipsoid(BaseModel):
    """An ellipsoid that adds `attenuation` (1/cm) where it is; `c` None makes it an endless upright cylinder.

    `a` and `b` are the half axes in the slice, turned anticlockwise by `turn_deg`; `c` is the upright half axis.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    x: float
    y: float
    z: float = 0.0
    a: float
    b: float
    c: float | None = None
    turn_deg: float = 0.0
    attenuation: float

    def half_width(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Half the width of its shadow at each angle, in columns."""
        turned = theta - np.deg2rad(self.turn_deg)
        return np.asarray(np.sqrt((self.a * np.cos(turned)) ** 2 + (self.b * np.sin(turned)) ** 2))

    def girth(self, z: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """The square of how much of `a` and `b` is left at each height: 1 at its middle, 0 above and below it."""
        if self.c is None:
            return np.ones_like(np.asarray(z, np.float64))
        return np.maximum(1 - ((np.asarray(z, np.float64) - self.z) / self.c) ** 2, 0.0)


class View(BaseModel):
    """How the detector sees the phantom: its columns, the rotation axis at the middle row, and the axis' tilt.

    Going down the rows by one, the axis moves to the right by tan(tilt).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: int
    rotation_axis: float
    tilt_deg: float = 0.0


def make_phantom(rng: np.random.Generator, size: float, height: float, attenuation: float) -> tuple[Ellipsoid, ...]:
    """A body with pores, grains and a resolution pattern in a tube: `size` columns wide, seen over `height` rows.

    The body attenuates by `attenuation` (1/cm), pores are empty, grains and the pattern are denser.
    """
    upright = max(0.9 * size, 2.0 * height)
    body = Ellipsoid(
        x=0.015 * size, y=-0.01 * size, a=0.41 * size, b=0.36 * size, c=upright,
        turn_deg=float(rng.uniform(0, 180)), attenuation=attenuation,
    )  # fmt: skip
    tube = (
        Ellipsoid(x=-0.008 * size, y=0.006 * size, a=0.47 * size, b=0.47 * size, attenuation=0.4 * attenuation),
        Ellipsoid(x=-0.008 * size, y=0.006 * size, a=0.455 * size, b=0.455 * size, attenuation=-0.4 * attenuation),
    )
    rods = tuple(_pattern(body, size))
    return (*tube, body, *rods, *_inclusions(rng, body, rods, size, height))


def _pattern(body: Ellipsoid, size: float) -> Iterator[Ellipsoid]:
    """Groups of three upright rods, 1 to 8 columns thick, as far apart as they are thick."""
    x = body.x - 0.17 * size
    for thick in (8.0, 6.0, 4.0, 3.0, 2.0, 1.0):
        if size < 30 * thick:
            continue
        for number in range(3):
            y = body.y + (number - 1) * 2 * thick
            yield Ellipsoid(x=x, y=y, a=thick / 2, b=thick / 2, attenuation=body.attenuation)
        x += 2 * thick + 0.012 * size


def _inclusions(
    rng: np.random.Generator, body: Ellipsoid, rods: tuple[Ellipsoid, ...], size: float, height: float
) -> list[Ellipsoid]:
    """Pores and grains in the body that touch neither each other nor the rods of the pattern."""
    taken: list[Ellipsoid] = []
    for _ in range(400):
        wide = size * float(0.05 * rng.power(0.6) + 0.008)
        angle, out = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random()) * (0.34 * size - 1.4 * wide)
        pore = rng.random() < 0.6
        new = Ellipsoid(
            x=body.x + out * np.cos(angle), y=body.y + out * np.sin(angle),
            z=float(rng.uniform(-0.5, 0.5)) * (height + wide),
            a=wide, b=wide * float(rng.uniform(0.6, 1)), c=wide * float(rng.uniform(0.6, 1.3)),
            turn_deg=float(rng.uniform(0, 180)),
            attenuation=-body.attenuation if pore else body.attenuation * float(rng.uniform(0.4, 1.2)),
        )  # fmt: skip
        if not any(_touch(new, other) for other in (*rods, *taken)):
            taken.append(new)
    return taken[:80]


def _touch(one: Ellipsoid, other: Ellipsoid) -> bool:
    apart = np.hypot(np.hypot(one.x - other.x, one.y - other.y), one.z - other.z if other.c else 0)
    return bool(apart < 1.3 * (one.a + other.a) + 1)


def line_integrals(
    phantom: Sequence[Ellipsoid], view: View, theta: NDArray[np.float64], heights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Attenuation times length in columns (1/cm x columns), averaged over each column: (angles, heights, columns).

    `theta` in radians; `heights` are rows from the middle row. Exact along the columns, sampled at the rows' middles.
    """
    out = np.zeros((len(theta), len(heights), view.columns))
    for ellipsoid in phantom:
        _add_shadow(out, ellipsoid, view, theta, heights)
    return out


def _add_shadow(
    out: NDArray[np.float64],
    ellipsoid: Ellipsoid,
    view: View,
    theta: NDArray[np.float64],
    heights: NDArray[np.float64],
) -> None:
    tilt = np.deg2rad(view.tilt_deg)
    slack = abs(np.sin(tilt)) * view.columns
    hit = np.arange(len(heights))
    if ellipsoid.c is not None:
        hit = hit[np.abs(heights - ellipsoid.z) < ellipsoid.c + slack]
    elif not tilt:
        hit = hit[:1]  # every row of an endless cylinder is the same
    if not len(hit):
        return
    half = ellipsoid.half_width(theta)
    middle = ellipsoid.x * np.cos(theta) + ellipsoid.y * np.sin(theta)
    reach = half.max() + 2 + abs(np.tan(tilt)) * np.abs(heights).max(initial=0)
    count = min(2 * int(np.ceil(reach)) + 1, view.columns)
    first = np.rint(view.rotation_axis + middle - count / 2).astype(int).clip(0, view.columns - count)
    edges = first[:, None] + np.arange(count + 1, dtype=np.float64) - 0.5 - view.rotation_axis
    mean = _mean_length(ellipsoid, half, middle, edges, heights[hit], tilt) * ellipsoid.attenuation
    rows = slice(None) if ellipsoid.c is None else slice(hit[0], hit[-1] + 1)
    if count > 48:
        for angle, start in enumerate(first):
            out[angle, rows, start : start + count] += mean[angle]
    else:
        numbers = np.arange(len(heights))[rows][None, :, None]
        out[np.arange(len(theta))[:, None, None], numbers, first[:, None, None] + np.arange(count)] += mean


def _mean_length(
    ellipsoid: Ellipsoid,
    half: NDArray[np.float64],
    middle: NDArray[np.float64],
    edges: NDArray[np.float64],
    heights: NDArray[np.float64],
    tilt: float,
) -> NDArray[np.float64]:
    """Length of the rays inside, averaged over each column: (angles, heights, columns).

    The shadow of an ellipse is 2ab/w sqrt(g - (s/w)^2), with the primitive ab g (t sqrt(1 - t^2) + asin t) of
    t = s / (w sqrt(g)).
    """
    half, middle = half[:, None, None], middle[:, None, None]
    area = ellipsoid.a * ellipsoid.b
    if not tilt:
        girth = ellipsoid.girth(heights)[None, :, None]
        reduced = (edges[:, None, :] - middle) / (half * np.sqrt(np.maximum(girth, 1e-12)))
        return np.asarray(area * girth * np.diff(_primitive(reduced), axis=2))
    across, down = edges[:, None, :], heights[None, :, None]
    centres = (across[..., 1:] + across[..., :-1]) / 2
    girth = ellipsoid.girth(np.sin(tilt) * centres + np.cos(tilt) * down)
    scale = half * np.sqrt(np.maximum(girth, 1e-12))
    turned = np.cos(tilt) * across - np.sin(tilt) * down - middle
    gained = _primitive(turned[..., 1:] / scale) - _primitive(turned[..., :-1] / scale)
    return np.asarray(area * girth * gained / np.cos(tilt))


def _primitive(reduced: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(reduced, -1, 1)
    return np.asarray(inside * np.sqrt(1 - inside**2) + np.arcsin(inside))


def attenuation_slice(phantom: Sequence[Ellipsoid], height: float, size: int) -> NDArray[np.float32]:
    """The true slice at `height` rows from the middle row: (size, size), 1/cm, averaged over each pixel."""
    out = np.zeros((size, size))
    for ellipsoid in phantom:
        girth = float(ellipsoid.girth(height))
        if girth > 0:
            _add_ellipse(out, ellipsoid, np.sqrt(girth))
    return out.astype(np.float32)


def _add_ellipse(out: NDArray[np.float64], ellipsoid: Ellipsoid, scale: float) -> None:
    """Adds an ellipse a band of columns at a time, so that large slices need little memory."""
    size, middle = len(out), (len(out) - 1) / 2
    turn = np.deg2rad(ellipsoid.turn_deg)
    wide = scale * np.hypot(ellipsoid.a * np.cos(turn), ellipsoid.b * np.sin(turn))
    first, last = (round(middle + ellipsoid.x + sign * (wide + 1)) for sign in (-1, 1))
    for left in range(max(first, 0), min(last + 1, size), _BAND):
        _add_band(out, ellipsoid, scale, wide, range(left, min(left + _BAND, last + 1, size)))


def _add_band(out: NDArray[np.float64], ellipsoid: Ellipsoid, scale: float, wide: float, band: range) -> None:
    """Cuts each pixel in upright strips and adds the exact share of each strip that lies inside."""
    size, middle = len(out), (len(out) - 1) / 2
    a, b, turn = ellipsoid.a * scale, ellipsoid.b * scale, np.deg2rad(ellipsoid.turn_deg)
    columns = np.arange(band.start, band.stop)
    strips = (columns[:, None] + (np.arange(_FINE) + 0.5) / _FINE - 0.5).ravel() - middle - ellipsoid.x
    chord = a * b / wide * np.sqrt(np.maximum(1 - (strips / wide) ** 2, 0))
    centre = strips * (a * a - b * b) * np.sin(turn) * np.cos(turn) / wide**2
    top, bottom = middle - ellipsoid.y - centre - chord, middle - ellipsoid.y - centre + chord
    rows = np.arange(max(int(top.min()) - 1, 0), min(int(bottom.max()) + 2, size))[:, None]
    if len(rows):
        share = np.clip(np.minimum(bottom, rows + 0.5) - np.maximum(top, rows - 0.5), 0, 1)
        patch = share.reshape(len(rows), len(band), _FINE).mean(axis=2)
        out[rows[0, 0] : rows[-1, 0] + 1, band.start : band.stop] += patch * ellipsoid.attenuation
