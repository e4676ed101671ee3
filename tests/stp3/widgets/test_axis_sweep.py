"""Which columns a sweep shows, and how far apart."""

import pytest

from stp3.axis import AxisReport
from stp3.widgets.axis_sweep import SPACINGS, columns_around, finer, first_spacing


def test_columns_lie_around_the_present_one():
    assert columns_around(100.25, 0.5, 200) == [98.25, 98.75, 99.25, 99.75, 100.25, 100.75, 101.25, 101.75, 102.25]


@pytest.mark.parametrize(
    ("column", "spacing", "wanted"), [(1.0, 5.0, [1.0, 6.0, 11.0, 16.0, 21.0]), (50.0, 20.0, [10.0, 30.0, 50.0])]
)
def test_none_lies_off_the_detector(column, spacing, wanted):
    assert columns_around(column, spacing, 60) == wanted


@pytest.mark.parametrize(
    ("verdict", "spread", "wanted"),
    [
        ("green", 0.1, 0.5), ("green", 3.0, 1.0), ("amber", 2.0, 1.0), ("amber", 12.0, 5.0), ("red", 0.0, 5.0),
        ("red", 1e4, 20.0),
    ],
)  # fmt: skip
def test_the_first_spacing_covers_what_methods_disagree_about(verdict, spread, wanted):
    assert first_spacing(AxisReport(50.0, spread, verdict, None, {})) == wanted


def test_finer_goes_down_to_the_narrowest():
    spacing, seen = SPACINGS[-1], []
    while spacing is not None:
        seen.append(spacing)
        spacing = finer(spacing)
    assert tuple(reversed(seen)) == SPACINGS
