"""STP3: interactive tomography, from a scan to a volume.

>>> import stp3
>>> scan = stp3.open_scan("scan.h5")                                # doctest: +SKIP
>>> recipe = stp3.Recipe.default()                                  # doctest: +SKIP
>>> image = stp3.Preview(scan).slice(recipe, row=scan.rows // 2)    # doctest: +SKIP
>>> volume = stp3.reconstruct(scan, recipe, "volume/")                      # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stp3.axis import AxisReport, find_rotation_axis
    from stp3.plan import Plan, resolve
    from stp3.preview import Preview
    from stp3.recipe import Recipe
    from stp3.run import reconstruct
    from stp3.scan import Scan, open_scan
    from stp3.sweep import axis_sweep
    from stp3.volume import Volume, open_volume

__version__ = "0.1.0"

__all__ = [
    "AxisReport",
    "Plan",
    "Preview",
    "Recipe",
    "Scan",
    "Volume",
    "__version__",
    "axis_sweep",
    "find_rotation_axis",
    "open_scan",
    "open_volume",
    "reconstruct",
    "resolve",
]

# Importing stp3 costs nothing: each name brings its module when it is first used.
_HOMES = {
    "axis": ("AxisReport", "find_rotation_axis"),
    "plan": ("Plan", "resolve"),
    "preview": ("Preview",),
    "recipe": ("Recipe",),
    "run": ("reconstruct",),
    "scan": ("Scan", "open_scan"),
    "sweep": ("axis_sweep",),
    "volume": ("Volume", "open_volume"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"stp3.{module}"), name)
    raise AttributeError(f"module 'stp3' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
