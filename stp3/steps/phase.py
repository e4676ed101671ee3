"""Phase retrieval for samples of one material: what they absorb, from pictures that propagation has sharpened."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from stp3.errors import UsageFault
from stp3.kernels.phase import GeneralisedPaganin, Paganin, spread
from stp3.kernels.threads import pieces, share
from stp3.scan import Scan
from stp3.steps.base import AUTO, Slab, StepParameters, parameter
from stp3.steps.projection_filter import ProjectionFilter

Auto = Literal["auto"]
_FLOOR = 1e-3  # as in minus_log
_TOGETHER = 16


class Optics(StepParameters):
    """How the scan was taken; "auto" asks the scan."""

    energy_kev: Annotated[float, Field(ge=1.0, le=800.0)] | Auto = parameter(
        AUTO, "Photon energy of the beam, 1 to 800. Auto asks the scan.", unit="keV", title="Energy"
    )
    distance_mm: Annotated[float, Field(gt=0.0, le=100_000.0)] | Auto = parameter(
        AUTO,
        "From the sample to the detector; in a cone-like beam divided by the magnification. Auto asks the scan.",
        unit="mm",
        title="Distance",
    )
    pixel_size_um: Annotated[float, Field(gt=0.0, le=1000.0)] | Auto = parameter(
        AUTO, "Size of a pixel at the sample. Auto asks the scan.", unit="µm", title="Pixel size"
    )


def asked(name: str, parameters: Any, scan: Scan) -> Any:
    """The optics with what the scan says wherever they say "auto". Raises UsageFault when it does not say it."""
    said = {field: getattr(scan, field) for field in Optics.model_fields if getattr(parameters, field) == AUTO}
    for field, value in said.items():
        if value is None:
            raise UsageFault(f"the scan does not say its {field}. Enter {name}.{field}.")
    try:
        return type(parameters)(**{**parameters.model_dump(), **said})
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0])
        raise UsageFault(f"the scan says that its {field} is {said[field]}. Enter {name}.{field}.") from error


def known_spread(parameters: Any) -> float:
    """The spread of settled optics; see `stp3.kernels.phase`. Raises UsageFault where they still say "auto"."""
    from stp3.kernels.materials import wavelength_um

    values = [getattr(parameters, field) for field in Optics.model_fields]
    if AUTO in values:
        raise UsageFault("energy_kev, distance_mm and pixel_size_um must be numbers: resolve the recipe to a plan.")
    energy_kev, distance_mm, pixel_size_um = values
    return spread(wavelength_um(energy_kev), distance_mm, pixel_size_um)


def check_reach(name: str, rows: int) -> None:
    """Raises UsageFault for optics that spread a pixel over more rows than any detector has."""
    from stp3.kernels.projection_filter import MOST_REACH

    if rows >= MOST_REACH:
        raise UsageFault(
            f"with this energy, distance and pixel size {name} would mix over {MOST_REACH} rows. Check their units "
            "(keV, mm, µm), and the ratio delta / beta."
        )


class SampleOptics(Optics):
    """The optics, and what the sample is made of."""

    delta_beta: float = parameter(
        200.0,
        "How much more the sample shifts the wave than it absorbs. Larger smooths more. Metals have some tens, rock "
        "and bone some hundreds, soft tissue and plastics around a thousand. Not used where a material, or delta and "
        "beta, are given.",
        title="Ratio delta / beta",
        gt=0.0,
        le=1e6,
    )
    material: str = parameter(
        "",
        "What the sample is made of, in place of the ratio: a chemical formula such as SiO2, or a name of NIST's list "
        "such as Water, Liquid.",
        title="Material",
        max_length=80,
    )
    density_g_cm3: Annotated[float, Field(gt=0.0, le=30.0)] | Auto = parameter(
        AUTO,
        "Density of the material. Auto knows those of elements and of NIST's materials.",
        unit="g/cm³",
        title="Density",
    )
    delta: float | None = parameter(
        None, "Decrement of the refractive index, together with beta.", title="delta", gt=0.0, le=0.1, expert=True
    )
    beta: float | None = parameter(
        None, "Absorption index, together with delta.", title="beta", gt=0.0, le=0.1, expert=True
    )

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> SampleOptics:
        if (self.delta is None) != (self.beta is None):
            raise ValueError("delta and beta are given together, or neither")
        if self.material and self.delta is not None:
            raise ValueError("a material is given, or delta and beta, not both")
        return self


class PhasePaganin(ProjectionFilter):
    """The line integral of attenuation of a sample of one material, by the transport of intensity."""

    name = "phase_paganin"
    title = "Phase retrieval (Paganin)"
    needs = "transmission"
    gives = "line integrals"
    paper = "Paganin et al., J. Microsc. 206:33 (2002)"
    method: ClassVar[type[Paganin | GeneralisedPaganin]] = Paganin

    class Parameters(SampleOptics):
        pass

    @classmethod
    def settle_for(cls, parameters: Any, scan: Scan) -> Any:
        settled = asked(cls.name, parameters, scan)
        settled = settled.model_copy(update={"delta_beta": ratio(settled)})
        check_reach(cls.name, cls.halo(settled))
        return settled

    @classmethod
    def response(cls, parameters: Any) -> Paganin | GeneralisedPaganin:
        return cls.method(known_spread(parameters) * ratio(parameters))

    @classmethod
    def apply(cls, slab: Slab, parameters: Any) -> Slab:
        """mu times thickness, without a unit, at most 6.9: slices come out in 1/cm and need no minus_log."""
        done = cls.filtered(slab, parameters)
        minus_log(done.data, slab.threads)
        return done


class PhasePaganinGeneralised(PhasePaganin):
    """The same with the Laplacian of pixels: sharper where the retrieved picture would be blurred by a few pixels."""

    name = "phase_paganin_generalised"
    title = "Phase retrieval (Paganin, generalised)"
    paper = "Paganin et al., J. Opt. 22:115607 (2020)"
    method = GeneralisedPaganin


def minus_log(transmission: NDArray[np.float32], threads: int) -> None:
    """Takes -ln in place, of no less than 0.001."""

    def take(some: slice) -> None:
        part = transmission[some]
        np.fmax(part, np.float32(_FLOOR), out=part)
        np.negative(np.log(part, out=part), out=part)

    share(take, pieces(len(transmission), _TOGETHER), threads)


def ratio(parameters: SampleOptics) -> float:
    """delta / beta however it is given, for settled optics. Raises UsageFault for a material that is not known."""
    if parameters.delta is not None and parameters.beta is not None:
        return parameters.delta / parameters.beta
    if not parameters.material:
        return parameters.delta_beta
    from stp3.kernels.materials import delta_and_beta

    density = None if parameters.density_g_cm3 == AUTO else parameters.density_g_cm3
    delta, beta = delta_and_beta(parameters.material, density, float(parameters.energy_kev))
    return delta / beta
