"""Removal of stripes that stay the same, or change slowly, over the angles."""

from __future__ import annotations

from typing import Any, Literal

from stp3.steps.base import Slab, Step, StepParameters, parameter

Wavelet = Literal["db1", "db2", "db3", "db4", "db5", "db6", "db7", "db8", "db9", "db10"]


class _SlowStripes(Step):
    """A step that finds its stripes in weighted means over the angles."""

    domain = "sinogram"

    @classmethod
    def method(cls, parameters: Any, angles: int, columns: int) -> Any:
        """What finds the stripes, from `stp3.kernels.slow_stripes`, which brings SciPy: reading a recipe must not."""
        raise NotImplementedError

    @classmethod
    def memory_fixed(cls, parameters: Any, angles: int, columns: int) -> int:
        return 4 * angles * angles  # at most as many lines of weights as there are angles, there and back

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """The sinograms without stripes, each row by itself."""
        angles, _, columns = slab.data.shape
        out = slab.target()
        cls.method(parameters, angles, columns).remove(slab.data, out, slab.threads)
        return slab.with_data(out)


class StripesWaveletFft(_SlowStripes):
    """Removes stripes that are narrow across columns and long over the angles: the low frequencies of wavelet bands."""

    name = "stripes_wavelet_fft"
    title = "Remove rings: wavelet and Fourier"
    paper = "Münch, Trtik, Marone & Stampanoni, Opt. Express 17:8567 (2009)"

    class Parameters(StepParameters):
        wavelet: Wavelet = parameter(
            "db5",
            "Daubechies' wavelet that splits the picture into fine and coarse. Higher numbers separate stripes from "
            "the sample more cleanly, but reach further at edges.",
            title="Wavelet",
            expert=True,
        )
        levels: int = parameter(
            4,
            "How wide the widest stripes are: each level doubles it; 4 reaches 16 columns. More levels also take "
            "away wide round features of the sample.",
            title="Levels",
            ge=2,
            le=8,
        )
        sigma: float = parameter(
            1.0,
            "How far a stripe may change over the angles, in waves along the scan. Higher takes stripes that show in "
            "a part of the scan, and more of the sample.",
            title="Strength",
            gt=0.0,
            le=10.0,
        )

    @classmethod
    def method(cls, parameters: Any, angles: int, columns: int) -> Any:
        from stp3.kernels.slow_stripes import wavelet_fft

        return wavelet_fft(angles, columns, int(parameters.wavelet[2:]), parameters.levels, parameters.sigma)


class StripesTitarenko(_SlowStripes):
    """Removes the least stripes that make neighbouring columns alike."""

    name = "stripes_titarenko"
    title = "Remove rings: regularisation"
    paper = "V. Titarenko, J. Synchrotron Rad. 23:1447 (2016)"

    class Parameters(StepParameters):
        alpha: float = parameter(
            0.1,
            "How much is left in place. Lower removes wider rings, to about 6 / sqrt(alpha) columns, and more of the "
            "sample's round features.",
            title="Regularisation",
            gt=0.0,
            le=100.0,
        )
        blocks: int = parameter(
            1,
            "Into how many parts the scan is cut: more follow stripes that change during the scan, and take more of "
            "the sample.",
            title="Parts of the scan",
            ge=1,
            le=100,
        )

    @classmethod
    def method(cls, parameters: Any, angles: int, columns: int) -> Any:
        from stp3.kernels.slow_stripes import titarenko

        return titarenko(angles, columns, parameters.alpha, parameters.blocks)


class StripesRaven(_SlowStripes):
    """Smooths along the columns what hardly changes over the angles: a low-pass in Fourier space."""

    name = "stripes_raven"
    title = "Remove rings: Fourier filter"
    paper = "C. Raven, Rev. Sci. Instrum. 69:2978 (1998)"

    class Parameters(StepParameters):
        rows: int = parameter(
            3,
            "How many of the lowest frequencies over the angles are smoothed. 1 takes only stripes that are the same "
            "at all angles.",
            title="Frequencies over the angles",
            ge=1,
            le=50,
        )
        cutoff: float = parameter(
            0.05,
            "The finest detail along the columns that these frequencies keep, as a share of what the detector can "
            "hold. Lower removes wider rings.",
            title="Cut-off",
            gt=0.0,
            le=1.0,
        )

    @classmethod
    def method(cls, parameters: Any, angles: int, columns: int) -> Any:
        from stp3.kernels.slow_stripes import raven

        return raven(angles, columns, parameters.rows, parameters.cutoff)


class StripesRivers(_SlowStripes):
    """Subtracts from each column how far its mean is from the median of its neighbours' means."""

    name = "stripes_rivers"
    title = "Remove rings: mean less median"
    paper = "M. Rivers, GSECARS tomography software (1998)"

    class Parameters(StepParameters):
        width: int = parameter(
            3,
            "Columns that the median looks at: over twice as wide as the ring lines. Even numbers count as the next "
            "odd one.",
            title="Width",
            unit="columns",
            ge=3,
            le=99,
        )

    @classmethod
    def method(cls, parameters: Any, angles: int, columns: int) -> Any:
        from stp3.kernels.slow_stripes import rivers

        return rivers(angles, parameters.width)


class StripesBoinHaibel(Step):
    """Multiplies each column so that the sums over all angles become smooth along the columns."""

    name = "stripes_boin_haibel"
    title = "Remove rings: scaled columns"
    domain = "sinogram"
    paper = "Boin & Haibel, Opt. Express 14:12071 (2006)"

    class Parameters(StepParameters):
        width: int = parameter(
            3,
            "Columns over which the sums are averaged. Wider removes more of a ring and spreads the rest over more "
            "columns. Even numbers count as the next odd one.",
            title="Width",
            unit="columns",
            ge=3,
            le=99,
        )

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """The sinograms with scaled columns, each row by itself; columns of air stay as they are."""
        from stp3.kernels.slow_stripes import without_ratio

        out = slab.target()
        without_ratio(slab.data, parameters.width, out, slab.threads)
        return slab.with_data(out)
