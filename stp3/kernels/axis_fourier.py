"""The rotation axis from the Fourier transform of a whole-turn sinogram: Vo et al., Opt. Express 22:19078 (2014).

Half a turn and its mirror image make a whole turn. Only with the right axis is that the sinogram of something, whose
transform leaves a double wedge empty. How much energy lands there is, as a function of the axis, a sum of cosines:
one transform gives it for all candidates at once.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from stp3.kernels.axis_pairs import Estimate

Lines = NDArray[np.float32]

_RIM = 1 / 30  # share of the columns over which both sides fade out
_LOPSIDED = 0.2  # difference between both sides, of the most anywhere
_LEAST_OVERLAP = 0.16
_FINER = 16  # candidates in a column
_WHOLE_TURN = 1.9 * np.pi
_CLEAR = 4.7  # standard deviations below the mean at which the least energy is believed


def axis_by_fourier(sinogram: Lines, theta: NDArray[np.float64]) -> Estimate | None:
    """The axis of one sinogram (angles, columns) of line integrals; None when it covers less than half a turn.

    The halves of a whole turn are measured each and averaged; None, too, for a half acquisition, of which no half turn
    shows the sample.
    """
    if np.ptp(theta) < _WHOLE_TURN:
        return _of_half_turn(sinogram, theta)
    if _is_lopsided(sinogram):
        return None
    middle = len(theta) // 2
    halves = (slice(None, middle + 1), slice(middle - 1, None))
    found = [found for half in halves if (found := _of_half_turn(sinogram[half], theta[half]))]
    if not found:
        return None
    clarity = np.array([estimate.clarity for estimate in found])
    column = float(np.average([estimate.column for estimate in found], weights=np.maximum(clarity, 1e-6)))
    agree = abs(found[0].column - found[-1].column) <= 2
    return Estimate(column, float(clarity.mean()) if agree else 0.0)


def _of_half_turn(sinogram: Lines, theta: NDArray[np.float64]) -> Estimate | None:
    turn = half_turn(sinogram - sinogram.mean(axis=0), theta)
    if turn is None:
        return None
    angles, columns = turn.shape
    padded = scipy.fft.next_fast_len(2 * columns, real=True)
    highest = int(padded * min(0.25, 0.4 * angles / (np.pi * columns / 2)))
    if highest < 4:
        return None
    spectrum = scipy.fft.rfft(turn * _fade(columns), padded, axis=1)[:, 2 : highest + 1]
    whole = scipy.fft.fft(spectrum, 2 * angles, axis=0)
    harmonic = np.fft.fftfreq(2 * angles, 1 / (2 * angles)).astype(np.intp)
    reach = columns / 2 * 2 * np.pi / padded * np.arange(2, highest + 1)
    empty = np.abs(harmonic)[:, None] > reach + 2
    mirrored = np.conj(whole[-harmonic]) * np.where(harmonic % 2, np.float32(-1), np.float32(1))[:, None]
    energy = (np.abs(whole) ** 2 * empty).sum(axis=0)
    cross = (whole.conj() * mirrored * empty).sum(axis=0) / np.maximum(energy, 1e-30)
    return _least(np.concatenate([np.zeros(2), cross]), padded, columns)


def _is_lopsided(sinogram: Lines) -> bool:
    """Whether much more goes on at one side of the detector than at the other."""
    width = max(4, int(sinogram.shape[1] * _RIM))
    variation = uniform_filter1d(sinogram.std(axis=0), width)
    return bool(abs(variation[width // 2] - variation[-width // 2 - 1]) > _LOPSIDED * variation.max())


def half_turn(sinogram: Lines, theta: NDArray[np.float64]) -> Lines | None:
    """The sinogram at even angles over the half turn from the first one on; None when they do not cover it."""
    turned = np.abs(np.unwrap(theta) - theta[0])
    turned, first = np.unique(np.round(turned, 9), return_index=True)
    step = np.pi / max(len(turned) - 1, 1) if len(turned) < 3 else float(np.median(np.diff(turned)))
    count = round(np.pi / step)
    if count < 8 or turned[-1] < np.pi - 1.5 * step:
        return None
    wanted = np.arange(count) * (np.pi / count)
    after = np.clip(np.searchsorted(turned, wanted), 1, len(turned) - 1)
    weight = np.clip((wanted - turned[after - 1]) / (turned[after] - turned[after - 1]), 0, 1).astype(np.float32)
    before, after = first[after - 1], first[after]
    return np.asarray(sinogram[before] * (1 - weight[:, None]) + sinogram[after] * weight[:, None])


def _fade(columns: int) -> Lines:
    """1, falling smoothly to 0 at both ends: a sample that is cut off shall not look like an edge."""
    width = max(4, int(columns * _RIM))
    rim = np.sin(np.pi / 2 * (np.arange(width) + 0.5) / width) ** 2
    window = np.ones(columns, np.float32)
    window[:width], window[columns - width :] = rim, rim[::-1]
    return window


def _least(cross: NDArray[np.complex128], padded: int, columns: int) -> Estimate:
    """The candidate with the least energy in the wedge."""
    length = padded * _FINER // 2
    candidates = np.arange(columns * _FINER) / _FINER
    energy = scipy.fft.fft(cross, length).real[: len(candidates)]
    overlap = (np.minimum(candidates, columns - 1 - candidates) * 2 + 1) / columns
    allowed = np.flatnonzero(overlap >= _LEAST_OVERLAP)
    best = allowed[np.argmin(energy[allowed])]
    return Estimate(float(candidates[best]), float(-energy[best] / (np.std(energy[allowed]) + 1e-30) / _CLEAR))
