"""HDF5 files whose datasets a site has named."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from numpy.testing import assert_allclose, assert_array_equal

from stp3.cli import main
from stp3.errors import ScanFault, UsageFault
from stp3.readers.by_layout import ByLayout, Layout
from stp3.scan import open_scan
from stp3.testing import Truth, write_practice_scan
from stp3.testing.reader_contract import ReaderContract

FRAMES = np.arange(6 * 2 * 4, dtype=np.uint16).reshape(6, 2, 4)
LAYOUT = {
    "projections": "/run/frames",
    "flats": "/run/before",
    "flats_after": "/run/after",
    "darks": "/run/dark",
    "theta": "/run/angle",
    "theta_unit": "rad",
    "currents": "/run/ring",
    "sample": "/run/what",
    "pixel_size": {"path": "/run/pixel", "unit": "mm"},
    "energy": {"value": 21500, "unit": "eV"},
    "distance": {"path": "/run/distance"},
}


class TestByLayout(ReaderContract):
    """Practice scans in Data Exchange, read by a layout that says where their datasets are."""

    reader = ByLayout(
        "practice",
        Layout.model_validate({
            "projections": "/mine/data", "flats": "/mine/white", "flats_after": "/mine/white_after",
            "darks": "/mine/dark", "theta": "/exchange/theta", "sample": "/measurement/sample/name",
            "pixel_size": {"path": "/measurement/instrument/detector/pixel_size"},
            "energy": {"path": "/measurement/instrument/monochromator/energy"},
            "distance": {"path": "/measurement/instrument/detector/distance"},
        }),
    )  # fmt: skip

    @pytest.fixture(autouse=True)
    def site(self, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
        file = tmp_path_factory.mktemp("site") / "layouts.yaml"
        file.write_text(yaml.safe_dump({"practice": self.reader._layout.model_dump(exclude_none=True)}))
        monkeypatch.setenv("STP3_LAYOUTS", str(file))

    def write(self, path: Path) -> Truth:
        truth = write_practice_scan(path, columns=32, rows=5, angles=12, faults={"noise"})
        with h5py.File(path, "a") as file:
            flats = file["exchange/data_white"][()]
            file["mine/white"], file["mine/white_after"] = flats[: truth.flats_before], flats[truth.flats_before :]
            file["mine/dark"], file["mine/data"] = file["exchange/data_dark"], file["exchange/data"]
        return truth


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of no format that is known, and the site's layout for it."""
    (tmp_path / "layouts.yaml").write_text(yaml.safe_dump({"id19": LAYOUT}))
    monkeypatch.setenv("STP3_LAYOUTS", str(tmp_path / "layouts.yaml"))
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        run = file.create_group("run")
        run["frames"], run["angle"], run["ring"] = FRAMES, np.linspace(0, 3, 6), np.linspace(200, 190, 6)
        run["before"], run["after"], run["dark"] = FRAMES[:2], FRAMES[:1], FRAMES[:3]
        run["pixel"], run["what"], run["distance"] = 0.0065, "a tooth", 0.15
        run["distance"].attrs["units"] = "m"
    return tmp_path / "scan.h5"


def test_a_file_of_the_sites_layout_opens_by_itself(path: Path) -> None:
    scan = open_scan(path)
    assert scan.format == "layout id19"
    assert_array_equal(scan.projections.read(), FRAMES)
    assert_allclose(scan.theta, np.linspace(0, 3, 6))
    assert_array_equal(scan.flat_times, [-0.5, -0.5, 5.5])
    assert scan.currents is not None
    assert_allclose(scan.currents, np.linspace(200, 190, 6))
    assert (scan.pixel_size_um, scan.energy_kev, scan.distance_mm) == pytest.approx((6.5, 21.5, 150))
    assert (scan.sample, scan.problems) == ("a tooth", ())


def test_sinograms_are_read_as_the_layout_says(path: Path) -> None:
    layout = {"projections": "/run/frames", "axes": "y:theta:x"}
    path.with_name("layouts.yaml").write_text(yaml.safe_dump({"sino": layout}))
    assert_array_equal(open_scan(path).projections.read(), FRAMES.swapaxes(0, 1))


def test_one_of_several_layouts_is_chosen_by_name(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = {"projections": "/run/frames", "theta": "/run/angle"}
    path.with_name("layouts.yaml").write_text(yaml.safe_dump({"id19": LAYOUT, "other": other}))
    assert open_scan(path, layout="other").flats is None
    assert main(["info", str(path), "--layout", "other"]) == 0
    assert "layout other" in capsys.readouterr().out
    with pytest.raises(UsageFault, match=r"no layout 'none'. Known: id19, other"):
        open_scan(path, layout="none")


def test_what_a_file_lacks_of_the_layout_is_told(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["run/dark"]
    with pytest.raises(ScanFault, match=r"layout id19: It has no /run/dark; .*data-exchange: It has no /exchange/data"):
        open_scan(path)
    with pytest.raises(ScanFault, match=r"not of layout id19. It has no /run/dark"):
        open_scan(path, layout="id19")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({"a": {"flats": "/b"}}, r"projections: Field required"),
        ({"a": {"projections": "/b", "colour": 1}}, r"colour: Extra inputs"),
        ({"a": {"projections": "/b", "energy": {"value": 3}}}, r"energy: .*unit of the value"),
        ({"a": {"projections": "/b", "energy": {}}}, r"energy: .*either a path or a value"),
        ([1, 2], r"no list of layouts"),
    ],
)
def test_faults_of_the_sites_file_are_told(path: Path, content: object, fault: str) -> None:
    path.with_name("layouts.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(UsageFault, match=fault):
        open_scan(path)


def test_a_unit_that_is_none_of_the_kind_is_refused(path: Path) -> None:
    layout = LAYOUT | {"energy": {"value": 3, "unit": "mm"}}
    path.with_name("layouts.yaml").write_text(yaml.safe_dump({"id19": layout}))
    with pytest.raises(UsageFault, match=r"energy of the layout has the unit 'mm'"):
        open_scan(path)


def test_too_few_angles_are_refused(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["run/angle"]
        file["run/angle"] = np.arange(5.0)
    with pytest.raises(ScanFault, match=r"/run/angle states 5 angles for 6"):
        open_scan(path)
