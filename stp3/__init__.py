"""STP3: interactive tomography, from a scan to a volume.

>>> import stp3
>>> scan = stp3.open_scan("scan.h5")                                # doctest: +SKIP
>>> recipe = stp3.Recipe.default()                                  # doctest: +SKIP
>>> image = stp3.Preview(scan).slice(recipe, row=scan.rows // 2)    # doctest: +SKIP
>>> volume = stp3.run(scan, recipe, "volume/")                      # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stp3.axis import AxisReport, find_rotation_axis
    from stp3.plan import Plan, resolve
    from stp3.preview import Preview
    from stp3.recipe import Recipe
    from stp3.run import run
    from stp3.scan import Scan, open_scan
    from stp3.volume import Volume, open_volume

__version__ = "0.1.0"

# Importing stp3 costs nothing: each name brings its module when it is first used.
_HOME = {
    "AxisReport": "axis",
    "find_rotation_axis": "axis",
    "Plan": "plan",
    "resolve": "plan",
    "Preview": "preview",
    "Recipe": "recipe",
    "run": "run",
    "Scan": "scan",
    "open_scan": "scan",
    "Volume": "volume",
    "open_volume": "volume",
}
__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'stp3' has no attribute {name!r}")
    return getattr(import_module(f"stp3.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
