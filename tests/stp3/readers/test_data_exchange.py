"""The traps of Data Exchange files."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from stp3.errors import ScanFault
from stp3.readers.data_exchange import DataExchange
from stp3.scan import Scan
from stp3.testing.reader_contract import ReaderContract


class TestDataExchange(ReaderContract):
    reader = DataExchange()


def scan_with(path: Path, **changes: object) -> Scan:
    """A scan of 6 angles x 2 rows x 4 columns, opened; each change is a dataset of /exchange, None leaves it out."""
    content: dict[str, object] = {
        "data": np.full((6, 2, 4), 500, np.uint16),
        "data_white": np.full((2, 2, 4), 1000, np.uint16),
        "data_dark": np.full((3, 2, 4), 10, np.uint16),
        "theta": np.arange(6) * 30.0,
    }
    with h5py.File(path, "w") as file:
        for name, value in (content | changes).items():
            if value is not None:
                file[f"exchange/{name}"] = value
    return DataExchange().open(path)


def change(path: Path, name: str, value: object, **attributes: object) -> Scan:
    with h5py.File(path, "a") as file:
        if value is not None:
            file[name] = value
        file[name].attrs.update(attributes)
    return DataExchange().open(path)


def words(scan: Scan, level: str) -> str:
    return " ".join(problem.text for problem in scan.problems if problem.level == level)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scan.h5"


def test_angles_without_a_unit_are_degrees(path: Path) -> None:
    scan = scan_with(path)
    np.testing.assert_allclose(scan.theta, np.deg2rad(np.arange(6) * 30.0))
    assert not scan.problems


def test_angles_in_radians_are_believed_when_the_unit_says_so(path: Path) -> None:
    scan_with(path, theta=np.linspace(0, 3, 6))
    scan = change(path, "exchange/theta", None, units="radians")
    np.testing.assert_allclose(scan.theta, np.linspace(0, 3, 6))


def test_a_tiny_range_without_a_unit_is_pointed_out(path: Path) -> None:
    assert "radians" in words(scan_with(path, theta=np.linspace(0, 3.1, 6)), "amber")


def test_missing_angles_are_0_to_180_inclusive_and_told(path: Path) -> None:
    scan = scan_with(path, theta=None)
    np.testing.assert_allclose(scan.theta, np.linspace(0, np.pi, 6))
    assert "0 to 180" in words(scan, "amber")


def test_more_angles_than_frames_are_cut_and_told(path: Path) -> None:
    scan = scan_with(path, theta=np.arange(9) * 20.0)
    assert len(scan.theta) == 6
    assert "9 angles for 6" in words(scan, "amber")


def test_fewer_angles_than_frames_leave_frames_out(path: Path) -> None:
    scan = scan_with(path, theta=np.arange(4) * 40.0)
    assert scan.projections.shape == (4, 2, 4)
    assert scan.projections.read().shape == (4, 2, 4)
    assert "4 angles for 6" in words(scan, "red")


def test_angles_that_are_no_numbers_are_refused(path: Path) -> None:
    with pytest.raises(ScanFault, match="1 of 6 angles"):
        scan_with(path, theta=np.array([0, 30, np.nan, 90, 120, 150]))


def test_repeated_and_unordered_angles_are_told(path: Path) -> None:
    told = words(scan_with(path, theta=np.array([0.0, 30, 30, 120, 90, 150])), "amber")
    assert "more than once" in told
    assert "not in order" in told


def test_missing_flats_and_darks_are_told(path: Path) -> None:
    scan = scan_with(path, data_white=None, data_dark=np.empty((0, 2, 4), np.uint16))
    assert scan.flats is None
    assert scan.darks is None
    assert "no flat frames" in words(scan, "amber")
    assert "no dark frames" in words(scan, "amber")


def test_transmissions_need_no_flats(path: Path) -> None:
    scan_with(path, data=np.full((6, 2, 4), 0.5, np.float32))
    scan = change(path, "exchange/data", None, units="transmission")
    assert scan.flats is None
    assert scan.darks is None
    assert "transmissions" in words(scan, "info")


def test_flats_of_another_size_are_refused(path: Path) -> None:
    with pytest.raises(ScanFault, match=r"\(2, 5\) rows and columns, the projections \(2, 4\)"):
        scan_with(path, data_white=np.ones((2, 2, 5)))


def test_flats_are_placed_by_the_angle_they_were_taken_at(path: Path) -> None:
    scan = scan_with(path, data_white=np.ones((4, 2, 4)), theta_white=np.array([0.0, 60, 180, 180]))
    np.testing.assert_allclose(scan.flat_times, [-0.5, 1.5, 5.5, 5.5])
    falling = scan_with(
        path, data_white=np.ones((2, 2, 4)), theta=-np.arange(6) * 30.0, theta_white=np.array([0, -180.0])
    )
    np.testing.assert_allclose(falling.flat_times, [-0.5, 5.5])


@pytest.mark.parametrize(
    ("name", "value", "unit", "field", "expected"),
    [
        ("monochromator/energy", 22000.0, "eV", "energy_kev", 22),
        ("monochromator/energy", 22.0, "KeV", "energy_kev", 22),
        ("detector/pixel_size", 2.2e-6, "m", "pixel_size_um", 2.2),
        ("detector/pixel_size", 2.2, "µm", "pixel_size_um", 2.2),
        ("detector/pixel_size", 2200.0, "nm", "pixel_size_um", 2.2),
        ("detector/pixel_size", 0.0022, "mm", "pixel_size_um", 2.2),
        ("detector/pixel_size", 2.2, "microns", "pixel_size_um", 2.2),
        ("detector/distance", 0.15, "m", "distance_mm", 150),
        ("detector/distance", 15.0, "cm", "distance_mm", 150),
        ("detector/distance", np.array([150.0]), np.array([b"mm"]), "distance_mm", 150),
    ],
)
def test_quantities_are_converted_from_their_units(
    path: Path, name: str, value: float, unit: str, field: str, expected: float
) -> None:
    scan_with(path)
    scan = change(path, f"measurement/instrument/{name}", value, units=unit)
    assert getattr(scan, field) == pytest.approx(expected)


@pytest.mark.parametrize("unit", ["", "furlong"])
def test_a_quantity_of_unknown_unit_is_left_out_and_told(path: Path, unit: str) -> None:
    scan_with(path)
    scan = change(path, "measurement/instrument/detector/distance", 5.0, units=unit)
    assert scan.distance_mm is None
    assert "distance" in words(scan, "amber")


def test_the_name_of_the_sample_is_one_printable_line(path: Path) -> None:
    scan_with(path)
    assert change(path, "measurement/sample/name", "tooth\n\x1b[31m of a\tcow").sample == "tooth [31m of a cow"


def test_sinograms_stored_one_after_the_other_are_not_taken_for_projections(path: Path) -> None:
    scan_with(path)
    with h5py.File(path, "a") as file:
        file["exchange/data"].attrs["axes"] = "y:theta:x"
    assert "Tomo Data Format" in (DataExchange().misfit(path) or "")


def test_the_names_of_references_in_early_files_are_known(path: Path) -> None:
    early = {"white_data": np.full((2, 2, 4), 900, np.uint16), "dark_data": np.full((3, 2, 4), 9, np.uint16)}
    scan = scan_with(path, data_white=None, data_dark=None, **early)
    assert scan.flats is not None
    assert scan.darks is not None
    assert (scan.flats.read()[0, 0, 0], scan.darks.read()[0, 0, 0]) == (900, 9)


@pytest.mark.parametrize("axes", ["x:y:theta", "theta:x:y"])
def test_another_order_of_axes_is_refused(path: Path, axes: str) -> None:
    scan_with(path)
    with pytest.raises(ScanFault, match=f"has the axes {axes}; theta:y:x is read"):
        change(path, "exchange/data", None, axes=axes)
    change(path, "exchange/data", None, axes="theta:y:x")


def test_something_flat_is_no_stack(path: Path) -> None:
    with pytest.raises(ScanFault, match="3 dimensions"):
        scan_with(path, data=np.ones((6, 4)))
