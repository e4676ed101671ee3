"""Phase retrieval for samples that hardly absorb, by the contrast transfer of free space."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from stp3.kernels.phase import ContrastTransfer, Rings
from stp3.kernels.threads import pieces, share
from stp3.scan import Scan
from stp3.steps.base import Slab, parameter
from stp3.steps.phase import Optics, asked, check_reach, known_spread
from stp3.steps.projection_filter import ProjectionFilter

_TOGETHER = 16
_PAPER = "Moosmann, Hofmann & Baumbach, Opt. Express 19:12066 (2011)"


class Regularised(Optics):
    """The optics, and how far lost frequencies are amplified."""

    regularisation: float = parameter(
        2.5,
        "Minus the decimal logarithm of what keeps lost frequencies from growing without bounds. Larger keeps more of "
        "the slow variations across the sample, and of noise and shades.",
        title="Regularisation",
        ge=0.01,
        le=5.0,
    )


class Thresholded(Regularised):
    """The same, and how wide the rings around lost frequencies are."""

    threshold: float = parameter(
        0.1,
        "Frequencies beyond the first maximum of contrast that keep less than this share of it are not trusted.",
        title="Threshold",
        ge=0.01,
        le=1.0,
    )


class PhaseCTF(ProjectionFilter):
    """The phase that a weakly absorbing sample gives the wave."""

    name = "phase_ctf"
    title = "Phase retrieval (contrast transfer)"
    needs = "transmission"
    gives = "line integrals"
    shows_phase = True
    paper = "Cloetens et al., J. Phys. D 29:133 (1996)"
    rings: ClassVar[Rings] = "kept"
    half_sine: ClassVar[bool] = False
    Parameters: ClassVar[type[Regularised]] = Regularised

    @classmethod
    def settle_for(cls, parameters: Any, scan: Scan) -> Any:
        settled = asked(cls.name, parameters, scan)
        check_reach(cls.name, cls.halo(settled))
        return settled

    @classmethod
    def response(cls, parameters: Any) -> ContrastTransfer:
        threshold = getattr(parameters, "threshold", 0.0)
        return ContrastTransfer(
            known_spread(parameters), parameters.regularisation, threshold, cls.rings, cls.half_sine
        )

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """How far the sample turns the phase back, in radians: slices show radians per cm, 2 pi delta / wavelength."""
        contrast = slab.target()

        def lost(some: slice) -> None:
            np.subtract(np.float32(1), slab.data[some], out=contrast[some])

        share(lost, pieces(len(contrast), _TOGETHER), slab.threads)
        done = cls.filtered(slab.with_data(contrast, may_overwrite=True), parameters)
        return done.with_data(done.data, may_overwrite=slab.may_overwrite)


class PhaseCTFHalfSine(PhaseCTF):
    """The same from the frequencies up to the first that is lost."""

    name = "phase_ctf_half_sine"
    title = "Phase retrieval (contrast transfer, first half sine)"
    half_sine = True


class PhaseQuasiparticle(PhaseCTF):
    """The same without the rings of frequencies around those that are lost; sees stronger phase shifts."""

    name = "phase_quasiparticle"
    title = "Phase retrieval (quasiparticle)"
    paper = _PAPER
    rings: ClassVar[Rings] = "removed"
    Parameters = Thresholded


class PhaseQuasiparticleHalfSine(PhaseQuasiparticle):
    """The same from the frequencies up to the first that is lost."""

    name = "phase_quasiparticle_half_sine"
    title = "Phase retrieval (quasiparticle, first half sine)"
    half_sine = True


class PhaseProjectedCTF(PhaseQuasiparticle):
    """The same with the rings kept, none amplified more than their rims."""

    name = "phase_projected_ctf"
    title = "Phase retrieval (projected contrast transfer)"
    rings: ClassVar[Rings] = "levelled"
