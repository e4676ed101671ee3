"""What the readers say of real scans."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stp3.scan import open_scan


@pytest.mark.parametrize(
    ("name", "format", "shape", "flats", "darks", "degrees", "levels"),
    [
        ("tooth.h5", "data-exchange", (181, 2, 640), 10, 10, (0, 179.0055), []),
        ("tomo_00076_rows01.h5", "data-exchange", (2000, 2, 2560), 10, 10, (0, 180), []),
        ("i13_24737_nxtomo.nxs", "nxtomo", (91, 135, 160), 1, 1, (-88.2, 91.8), []),
        ("neutron360_sino.h5", "data-exchange", (459, 1, 503), 0, 0, (0, 360), ["info"]),
        ("i12_dendrite_sino.h5", "data-exchange", (360, 1, 1260), 0, 0, (16740.454, 16919.961), ["info"]),
    ],
)
def test_measured_scans_open_and_read(
    measured: Path,
    name: str,
    format: str,
    shape: tuple[int, int, int],
    flats: int,
    darks: int,
    degrees: tuple[float, float],
    levels: list[str],
) -> None:
    scan = open_scan(measured / name)
    assert scan.format == format
    assert scan.projections.shape == shape
    assert (scan.flats.shape[0] if scan.flats else 0, scan.darks.shape[0] if scan.darks else 0) == (flats, darks)
    np.testing.assert_allclose(np.rad2deg(scan.theta[[0, -1]]), degrees, atol=1e-3)
    assert [problem.level for problem in scan.problems] == levels
    row = scan.projections.read(range(1))
    assert row.shape == (shape[0], 1, shape[2])
    assert row.std() > 0


def test_the_tooth_has_its_name(measured: Path) -> None:
    assert open_scan(measured / "tooth.h5").sample == "Tooth"


def test_frames_of_the_nxtomo_scan_are_darker_than_its_flat(measured: Path) -> None:
    scan = open_scan(measured / "i13_24737_nxtomo.nxs")
    assert scan.flats is not None
    assert scan.darks is not None
    assert scan.darks.read().mean() < scan.projections.read().mean() < scan.flats.read().mean()
