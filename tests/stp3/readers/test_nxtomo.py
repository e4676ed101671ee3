"""The traps of NXtomo files."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from stp3.errors import ScanFault
from stp3.readers.nxtomo import NXtomo
from stp3.scan import Scan
from stp3.testing.reader_contract import ReaderContract

# dark, flat, projection, invalid, projection, flat, projection, projection, flat
KEYS = np.array([2, 1, 0, 3, 0, 1, 0, 0, 1])
ANGLES = np.array([0.0, 0, 0, 22, 45, 45, 90, 135, 180])


class TestNXtomo(ReaderContract):
    reader = NXtomo()
    suffix = ".nxs"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scan.nxs"


def write(path: Path, entry: str = "entry", **changes: object) -> None:
    """Nine frames of 2 rows x 4 columns; frame k counts k everywhere. Changes by dataset name, None leaves it out."""
    content: dict[str, object] = {
        "instrument/detector/data": np.arange(9, dtype=np.uint16)[:, None, None] * np.ones((2, 4), np.uint16),
        "instrument/detector/image_key": KEYS,
        "sample/rotation_angle": ANGLES,
    }
    with h5py.File(path, "a") as file:
        for name, value in (content | changes).items():
            if value is not None:
                file[f"{entry}/{name}"] = value


def frames_of(scan: Scan) -> list[int]:
    return scan.projections.read()[:, 0, 0].tolist()


def words(scan: Scan, level: str) -> str:
    return " ".join(problem.text for problem in scan.problems if problem.level == level)


def test_frames_are_told_apart_by_their_key(path: Path) -> None:
    write(path)
    scan = NXtomo().open(path)
    assert scan.flats is not None
    assert scan.darks is not None
    assert frames_of(scan) == [2, 4, 6, 7]
    assert scan.flats.read()[:, 0, 0].tolist() == [1, 5, 8]
    assert scan.darks.read()[:, 0, 0].tolist() == [0]
    np.testing.assert_allclose(np.rad2deg(scan.theta), [0, 45, 90, 135])
    np.testing.assert_allclose(scan.flat_times, [-0.5, 1.5, 3.5])
    assert "1 frames are marked as invalid" in words(scan, "info")


@pytest.mark.parametrize("entry", ["entry0000", "entry1/tomo_entry"])
@pytest.mark.parametrize("detector", ["detector", "pco4000"])
def test_entries_and_detectors_go_by_many_names(path: Path, entry: str, detector: str) -> None:
    write(path)
    with h5py.File(path, "a") as file:
        file.move("entry/instrument/detector", f"entry/instrument/my_{detector}")
        file.move("entry", f"/{entry}")
    assert frames_of(NXtomo().open(path)) == [2, 4, 6, 7]


def test_the_key_may_be_called_control_or_stand_in_the_data_group(path: Path) -> None:
    write(path, **{"instrument/detector/image_key": None, "instrument/detector/image_key_control": KEYS})
    assert frames_of(NXtomo().open(path)) == [2, 4, 6, 7]
    other = path.with_name("other.nxs")
    write(other)
    with h5py.File(other, "a") as file:
        file.move("entry/instrument/detector", "entry/data")
    assert frames_of(NXtomo().open(other)) == [2, 4, 6, 7]


def test_data_may_be_reached_by_a_soft_link(path: Path) -> None:
    write(path)
    with h5py.File(path, "a") as file:
        file.move("entry/instrument/detector/data", "measured/frames")
        file["entry/instrument/detector/data"] = h5py.SoftLink("/measured/frames")
        file.move("entry/sample/rotation_angle", "measured/rotation")
        file["entry/sample/rotation_angle"] = h5py.SoftLink("../../measured/rotation")  # HDF5 knows no ".."
        file["entry/data/rotation_angle"] = h5py.SoftLink("/measured/rotation")
    scan = NXtomo().open(path)
    assert frames_of(scan) == [2, 4, 6, 7]
    np.testing.assert_allclose(np.rad2deg(scan.theta), [0, 45, 90, 135])


def test_angles_of_projections_only_are_taken_too(path: Path) -> None:
    write(path, **{"sample/rotation_angle": np.array([1.0, 2, 3, 4])})
    np.testing.assert_allclose(np.rad2deg(NXtomo().open(path).theta), [1, 2, 3, 4])


def test_more_angles_than_frames_are_told(path: Path) -> None:
    write(path, **{"sample/rotation_angle": np.append(ANGLES, [200.0, 210.0])})
    scan = NXtomo().open(path)
    np.testing.assert_allclose(np.rad2deg(scan.theta), [0, 45, 90, 135])
    assert "11 angles for 9 frames" in words(scan, "amber")


def test_missing_angles_are_0_to_180_inclusive_and_told(path: Path) -> None:
    write(path, **{"sample/rotation_angle": None})
    scan = NXtomo().open(path)
    np.testing.assert_allclose(scan.theta, np.linspace(0, np.pi, 4))
    assert "0 to 180" in words(scan, "amber")


def test_too_few_angles_are_refused(path: Path) -> None:
    write(path, **{"sample/rotation_angle": np.arange(6.0)})
    with pytest.raises(ScanFault, match="6 angles for 9 frames, 4 of them projections"):
        NXtomo().open(path)


def test_an_interrupted_scan_is_read_as_far_as_it_goes(path: Path) -> None:
    write(path, **{"instrument/detector/data": np.ones((7, 2, 4), np.uint16)})
    scan = NXtomo().open(path)
    assert scan.projections.shape[0] == len(scan.theta) == 3
    assert "announces 9 frames, the stack has 7" in words(scan, "red")


def test_fewer_keys_than_frames_are_refused(path: Path) -> None:
    write(path, **{"instrument/detector/image_key": KEYS[:5]})
    with pytest.raises(ScanFault, match="tells what 5 frames are, the stack has 9"):
        NXtomo().open(path)


def test_no_projections_are_refused(path: Path) -> None:
    write(path, **{"instrument/detector/image_key": np.ones(9, int)})
    with pytest.raises(ScanFault, match="no projections"):
        NXtomo().open(path)


def test_missing_flats_and_darks_are_told(path: Path) -> None:
    write(path, **{"instrument/detector/image_key": np.zeros(9, int)})
    told = words(NXtomo().open(path), "amber")
    assert "no flat frames" in told
    assert "no dark frames" in told


@pytest.mark.parametrize(
    ("name", "value", "unit", "field", "expected"),
    [
        ("instrument/detector/x_pixel_size", 0.65, "um", "pixel_size_um", 0.65),
        ("instrument/detector/x_pixel_size", 6.5e-7, "m", "pixel_size_um", 0.65),
        ("instrument/detector/distance", 0.03, "m", "distance_mm", 30),
        ("instrument/beam/incident_energy", 19000.0, "eV", "energy_kev", 19),
        ("beam/incident_energy", 19.0, "keV", "energy_kev", 19),
        ("instrument/monochromator/energy", 19.0, "keV", "energy_kev", 19),
    ],
)
def test_quantities_are_converted_from_their_units(
    path: Path, name: str, value: float, unit: str, field: str, expected: float
) -> None:
    write(path, **{name: value})
    with h5py.File(path, "a") as file:
        file[f"entry/{name}"].attrs["units"] = unit
    assert getattr(NXtomo().open(path), field) == pytest.approx(expected)


def test_a_volume_is_no_scan(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["entry/definition"] = "NXtomoproc"
        file["entry/data/data"] = np.zeros((3, 4, 4), np.float32)
    assert "image_key" in (NXtomo().misfit(path) or "")


def test_pictures_to_align_the_sample_are_no_projections(path: Path) -> None:
    control = np.where(np.arange(9) == 7, -1, KEYS)
    write(path, **{"instrument/detector/image_key_control": control})
    scan = NXtomo().open(path)
    assert frames_of(scan) == [2, 4, 6]
    np.testing.assert_allclose(np.rad2deg(scan.theta), [0, 45, 90])


def test_the_stack_may_stand_in_the_group_of_plots_alone(path: Path) -> None:
    frames = np.arange(9, dtype=np.uint16)[:, None, None] * np.ones((2, 4), np.uint16)
    write(path, **{"instrument/detector/data": None, "data/data": frames})
    assert frames_of(NXtomo().open(path)) == [2, 4, 6, 7]


def test_of_several_scans_in_a_file_the_first_is_opened_and_told(path: Path) -> None:
    write(path, "entry0000")
    write(path, "entry0001")
    scan = NXtomo().open(path)
    assert "2 scans: /entry0000 is opened, not /entry0001" in words(scan, "amber")


def test_the_pixel_size_at_the_sample_comes_before_the_detectors(path: Path) -> None:
    write(path, **{"instrument/detector/x_pixel_size": 6.5e-6, "sample/x_pixel_size": 0.65e-6})
    with h5py.File(path, "a") as file:
        for name in ("instrument/detector", "sample"):
            file[f"entry/{name}/x_pixel_size"].attrs["units"] = "m"
    assert NXtomo().open(path).pixel_size_um == pytest.approx(0.65)


def test_links_are_followed_within_the_visit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processed files of a visit refer to its raw ones, in another folder."""
    visit = tmp_path / "visit"
    for name in ("raw", "processing"):
        (visit / name).mkdir(parents=True)
    frames = np.arange(9, dtype=np.uint16)[:, None, None] * np.ones((2, 4), np.uint16)
    path = visit / "processing" / "scan.nxs"
    for file in (visit / "raw" / "frames.h5", tmp_path / "secret.h5"):
        with h5py.File(file, "w") as raw:
            raw["frames"] = frames
    write(path, **{"instrument/detector/data": h5py.ExternalLink("../raw/frames.h5", "/frames")})
    with pytest.raises(ScanFault, match="outside its folder"):
        NXtomo().open(path)
    monkeypatch.setenv("STP3_DATA", str(visit))
    assert frames_of(NXtomo().open(path)) == [2, 4, 6, 7]
    with h5py.File(path, "a") as scan:
        del scan["entry/instrument/detector/data"]
        scan["entry/instrument/detector/data"] = h5py.ExternalLink("../../secret.h5", "/frames")
    with pytest.raises(ScanFault, match="outside its folder"):
        NXtomo().open(path)
