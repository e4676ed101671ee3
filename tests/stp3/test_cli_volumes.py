"""`stp3 verify` says which file of a volume is damaged or missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from stp3.cli import main
from stp3.recipe import Recipe
from stp3.run import reconstruct
from stp3.scan import open_scan
from stp3.testing import write_practice_scan
from stp3.volume import claim, open_volume


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("volume")
    write_practice_scan(folder / "scan.h5", columns=48, rows=6, angles=60)
    recipe = Recipe.default().with_values({"rotation_axis.column": 23.5, "output.dtype": "uint16"})
    reconstruct(open_scan(folder / "scan.h5"), recipe, folder / "volume")
    return folder / "volume"


@pytest.fixture
def volume(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "volume"))


def test_an_untouched_volume_is_as_written(volume: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(volume)]) == 0
    said = capsys.readouterr()
    assert "all is as written" in said.out
    assert main(["verify", str(volume), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["damaged"] == []
    assert content["units"] == 6 + 3 + 1  # slices, thumbnails, the recipe
    assert content["bytes"] == sum(unit.bytes for unit in open_volume(volume).files)


def test_every_damage_is_named(volume: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"slices/slice_0000{row}.tif" for row in (1, 3, 5)]
    (volume / names[0]).unlink()
    content = bytearray((volume / names[1]).read_bytes())
    content[-7] ^= 4
    (volume / names[1]).write_bytes(content)
    (volume / names[2]).write_bytes(content[:-1])
    assert main(["verify", str(volume)]) == 1
    said = capsys.readouterr().out
    assert f"{names[0]} is missing" in said
    assert f"{names[1]} holds other bytes than were written" in said
    assert f"{names[2]} is {len(content) - 1} bytes long instead of {len(content)}" in said
    assert "3 of 10 files are damaged or missing" in said
    assert main(["verify", str(volume), "--json"]) == 1
    assert [one["path"] for one in json.loads(capsys.readouterr().out)["damaged"]] == names


def test_without_a_finished_volume_the_call_is_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path)]) == 2
    assert "holds no volume" in capsys.readouterr().err
    claim(tmp_path / "claimed", "someone")
    assert main(["verify", str(tmp_path / "claimed")]) == 2


def test_the_grey_range_turns_values_back_and_the_histogram_counts_them(volume: Path) -> None:
    content = json.loads((volume / "volume.json").read_text())
    histogram = content["histogram"]
    stored = open_volume(volume)
    voxels = [stored.slice(z) for z in range(6)]
    assert sum(histogram["counts"]) == 6 * 48 * 48
    assert histogram["minimum"] == min(image.min() for image in voxels)
    lowest = sum(int((image == 0).sum()) for image in voxels)
    highest = sum(int((image == 65535).sum()) for image in voxels)
    assert content["clipped_percent"] == pytest.approx([100 * lowest / (6 * 48 * 48), 100 * highest / (6 * 48 * 48)])
    assert lowest > 0
