"""The refractive index n = 1 - delta + i beta of materials, from xraylib.

Schoonjans et al., Spectrochim. Acta B 66:776 (2011).
"""

from __future__ import annotations

import re
from functools import lru_cache

from stp3.errors import UsageFault

KEV_UM = 1.239841984e-3  # Planck's constant times the speed of light


def wavelength_um(energy_kev: float) -> float:
    """The wavelength of X-rays of that photon energy."""
    return KEV_UM / energy_kev


@lru_cache(maxsize=64)
def delta_and_beta(material: str, density_g_cm3: float | None, energy_kev: float) -> tuple[float, float]:
    """delta and beta of a chemical formula (SiO2) or of a material in NIST's list (Bone, Cortical (ICRP)).

    A density of None stands for the known one, of elements and of NIST's materials. Raises UsageFault.
    """
    import xraylib

    density = known_density(material) if density_g_cm3 is None else density_g_cm3
    try:
        index = complex(xraylib.Refractive_Index(material, energy_kev, density))
    except ValueError as error:
        if "extrapolation" in str(error):
            raise UsageFault(
                f"the refractive index of {material} is not known at {energy_kev:g} keV; 1 to 800 keV are."
            ) from error
        raise UsageFault(
            f'"{material}" is neither a chemical formula (such as SiO2 or C10H8O4) nor a material of NIST\'s list '
            "(such as Water, Liquid)."
        ) from error
    return 1 - index.real, index.imag


def known_density(material: str) -> float:
    """The density of an element or of one of NIST's materials in g/cm3. Raises UsageFault."""
    import xraylib

    try:
        if re.fullmatch("[A-Z][a-z]?", material):
            return float(xraylib.ElementDensity(xraylib.SymbolToAtomicNumber(material)))
        return float(xraylib.GetCompoundDataNISTByName(material)["density"])
    except ValueError:
        raise UsageFault(f'the density of "{material}" is not known. Enter it in g/cm3.') from None
