"""Dynamic flat field correction: the beam of each projection, found in the projection itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stp3.errors import UsageFault
from stp3.steps.base import AUTO, Slab, Step, StepParameters, parameter
from stp3.steps.flat_field import flats_together

if TYPE_CHECKING:
    from stp3.scan import Scan

_PICTURE_COLUMNS = 64
_LEAST_DOWNSAMPLE = 4  # single pixels show noise, which hides how bright the eigen-flats are


class FlatFieldDynamic(Step):
    """(I - D) / (F - D) with a beam F for each projection: the mean flat, and weights of how flats vary."""

    name = "flat_field_dynamic"
    title = "Flat field, dynamic"
    paper = "Van Nieuwenhove et al., Opt. Express 23:27975 (2015)"
    domain = "projection"
    needs = "counts"
    gives = "transmission"
    takes_counts = True

    class Parameters(StepParameters):
        components: Annotated[int, Field(ge=0, le=10)] | Literal["auto"] = parameter(
            AUTO,
            "In how many ways the beam varies: 1 where it only moves up and down, 2 or 3 usually. Auto counts "
            "those that stand out of the noise of the flats, of which 10 or more are needed; 0 divides by their mean.",
            title="Components",
        )
        downsample: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"] = parameter(
            AUTO,
            "The beam is looked for in projections reduced by this much. Less finds finer patterns of the beam and "
            "is disturbed by noise; auto leaves about 64 columns, and averages 4 x 4 pixels at least.",
            title="Reduced by",
            expert=True,
        )
        median: int = parameter(
            1,
            "Noise in the ways the beam varies is taken away by a median over this many pixels, an odd number; "
            "1 leaves them as they are.",
            title="Median",
            unit="pixels",
            ge=1,
            le=15,
            expert=True,
        )

    @classmethod
    def settle(cls, parameters: Parameters, columns: int) -> Parameters:
        if parameters.downsample != AUTO:
            return parameters
        return parameters.model_copy(update={"downsample": max(_LEAST_DOWNSAMPLE, columns // _PICTURE_COLUMNS)})

    @classmethod
    def measure(cls, parameters: Parameters, scan: Scan, threads: int) -> dict[str, NDArray[np.float64]]:
        """`weights` (angles, components) of the eigen-flats, and `coefficients` (flats, components) that make them."""
        from stp3.kernels.eigen_flats import fit_weights, flat_statistics, pictures_of

        parameters = cls.settle(parameters, scan.columns)
        flats = scan.flats.shape[0] if scan.flats else 0
        none = {"weights": np.empty((scan.angles, 0)), "coefficients": np.empty((flats, 0))}
        if scan.flats is None or flats < 2 or parameters.components == 0:
            return none
        beam = flat_statistics(scan.flats, scan.darks, int(parameters.downsample), threads)
        wanted = beam.components() if parameters.components == AUTO else int(parameters.components)
        count = min(wanted, flats - 1)
        if count == 0:
            return none
        near = _between_flats(beam.of_flats(count), scan.flat_times, scan.angles)
        weights = fit_weights(pictures_of(scan.projections, beam, threads), beam, near, threads)
        return {"weights": weights, "coefficients": beam.coefficients(count)}

    @classmethod
    def settle_measured(cls, parameters: Parameters, measured: Mapping[str, NDArray[Any]]) -> Parameters:
        return parameters.model_copy(update={"components": measured["weights"].shape[1]})

    @classmethod
    def halo(cls, parameters: Parameters) -> int:
        return parameters.median // 2

    @classmethod
    def memory_factor(cls, parameters: Parameters) -> float:
        return 2.2

    @classmethod
    def apply(cls, slab: Slab, parameters: Parameters) -> Slab:
        """Transmission; pixels without signal in the flats, and values that are not numbers, become 1.

        A scan without flats is taken to hold transmission already. Raises UsageFault for a slab of nothing measured.
        """
        from stp3.kernels.eigen_flats import divide, weighted_sum
        from stp3.kernels.sliding_median import median_of_frames

        weights, coefficients = _measured(slab)
        rows, columns = slab.data.shape[1:]
        dark, light, out = np.zeros((rows, columns), np.float32), np.ones((rows, columns), np.float32), slab.target()
        eigen = np.empty((0, rows, columns), np.float32)
        if slab.flats is not None and len(slab.flats):
            if slab.darks is not None and len(slab.darks):
                dark = _mean(slab.darks)
            light = _mean(slab.flats) - dark
            eigen = np.array([weighted_sum(slab.flats, one) for one in coefficients.T], np.float32)
            eigen = eigen.reshape(-1, rows, columns)
        if parameters.median > 1 and len(eigen):
            eigen = median_of_frames(eigen, parameters.median | 1, slab.threads)
        divide(slab.data, out, dark, light, eigen, weights, slab.threads)
        return slab.with_data(out)


def _mean(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.mean(frames, axis=0, dtype=np.float64), np.float32)


def _measured(slab: Slab) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights and coefficients, as many as the slab has projections and flats. Raises UsageFault."""
    flats = 0 if slab.flats is None else len(slab.flats)
    try:
        weights, coefficients = slab.measured["weights"], slab.measured["coefficients"]
    except KeyError:
        raise UsageFault("flat_field_dynamic needs what it measures in the whole scan. Run it in a plan.") from None
    if weights.shape[0] != len(slab.data) or coefficients.shape[0] != flats:
        raise UsageFault(
            f"flat_field_dynamic was measured with {weights.shape[0]} projections and {coefficients.shape[0]} flats, "
            f"the slab has {len(slab.data)} and {flats}. Make a new plan."
        )
    return weights, coefficients


def _between_flats(weights: NDArray[np.float64], times: NDArray[np.float64], angles: int) -> NDArray[np.float64]:
    """The flats' weights (flats, components) interpolated at each projection; 0, the mean, where no times are known."""
    if len(times) != len(weights):
        return np.zeros((angles, weights.shape[1]))
    groups = flats_together(times)
    moments = [times[group].mean() for group in groups]
    means = np.array([weights[group].mean(axis=0) for group in groups])
    return np.stack([np.interp(np.arange(angles), moments, one) for one in means.T], axis=1)
