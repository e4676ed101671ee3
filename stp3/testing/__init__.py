"""Practice scans with known truth, and contracts that a new reader must keep.

>>> from stp3.testing import write_practice_scan
>>> truth = write_practice_scan("scan.h5", columns=256, rows=4, faults={"rings", "noise"})     # doctest: +SKIP
>>> truth.rotation_axis, truth.slice(row=2)                                                    # doctest: +SKIP
"""

from stp3.testing.practice import FAULTS, PracticeScan, write_practice_scan
from stp3.testing.truth import Truth, truth_path

__all__ = ["FAULTS", "PracticeScan", "Truth", "truth_path", "write_practice_scan"]
