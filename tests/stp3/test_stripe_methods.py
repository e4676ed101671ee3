"""Which removal of stripes is proposed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stp3 import cli
from stp3.errors import UsageFault
from stp3.preview import Preview
from stp3.recipe import Recipe
from stp3.rings import lost_detail, stripe_score
from stp3.scan import Scan, open_scan
from stp3.stripe_methods import suggest_stripe_method, with_stripe_steps
from stp3.testing import Truth, write_practice_scan


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stripes") / "scan.h5"
    write_practice_scan(path, columns=192, rows=4, angles=180, faults={"rings", "noise"}, seed=3)
    return path


def prepared(path: Path) -> tuple[Scan, Recipe]:
    axis = Truth.load(path).rotation_axis
    return open_scan(path), Recipe.default().with_values({"rotation_axis.column": axis})


def test_methods_are_ranked_and_better_than_none(path: Path) -> None:
    scan, recipe = prepared(path)
    report = suggest_stripe_method(scan, recipe)
    assert report.rows == (1, 2)
    ranks = [trial.disturbance for trial in report.trials]
    assert ranks == sorted(ranks)
    none = next(trial for trial in report.trials if not trial.uses)
    assert none.rings_left == 1
    assert report.best.uses
    assert report.best.rings_left < 0.6
    assert report.best.disturbance < 0.5 * none.disturbance
    assert len({trial.uses for trial in report.trials}) == len(report.trials) >= 9
    image = Preview(scan).slice(with_stripe_steps(recipe, report.best.uses), 2)
    np.testing.assert_array_equal(report.best.slices[1], image)


def test_without_rings_nothing_is_removed(tmp_path: Path) -> None:
    """Flats without noise: with any, even a perfect detector makes faint rings."""
    path = tmp_path / "clean.h5"
    write_practice_scan(path, columns=512, rows=1, angles=300, seed=4)
    scan, recipe = prepared(path)
    report = suggest_stripe_method(scan, recipe, [0])
    assert not report.best.uses
    assert report.rings_share < 0.02


def test_steps_take_the_place_of_the_recipes_own() -> None:
    recipe = Recipe.default()
    own = recipe.use("stripes_all")
    new = Recipe.from_dict({"steps": ["minus_log", "stripes_raven", "rotation_axis", "fbp"]}).use("stripes_raven")
    names = [use.name for use in recipe.uses]
    place = names.index("stripes_all")
    assert [use.name for use in with_stripe_steps(recipe, (own, new)).uses] == [
        *names[: place + 1], "stripes_raven", *names[place + 1 :]
    ]  # fmt: skip
    bare = with_stripe_steps(recipe, ())
    assert "stripes_all" not in [use.name for use in bare.uses]
    again = [use.name for use in with_stripe_steps(bare, (own,)).uses]
    assert again.index("minus_log") < again.index("stripes_all") < again.index("fbp")


def test_no_rows_are_refused_and_a_trial_can_stop_it(path: Path) -> None:
    scan, recipe = prepared(path)
    with pytest.raises(UsageFault, match="at least one detector row"):
        suggest_stripe_method(scan, recipe, [])
    with pytest.raises(UsageFault, match="row"):
        suggest_stripe_method(scan, recipe, [4])

    def stop(title: str) -> None:
        raise KeyboardInterrupt(title)

    with pytest.raises(KeyboardInterrupt, match="Remove rings"):
        suggest_stripe_method(scan, recipe, [1], on_trial=stop)


def test_the_command_prints_the_table(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    axis = f"rotation_axis.column={Truth.load(path).rotation_axis}"
    assert cli.main(["stripes", str(path), "--row", "1", "--set", axis, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["rows"] == [1]
    assert content["trials"][0]["rings_left"] < 0.6
    assert Recipe.from_dict(content["recipe"]).running
    steps = content["trials"][0]["steps"]
    assert [use["step"] for use in content["recipe"]["steps"] if use["step"].startswith("stripes")] == [
        step["step"] for step in steps
    ]
    assert cli.main(["stripes", str(path), "--row", "1", "--set", axis]) == 0
    out = capsys.readouterr().out
    assert "No removal" in out
    assert "100 %" in out
    assert steps[0]["step"] in out
    assert cli.main(["stripes", str(path), "--row", "9", "--set", axis]) == 2


def test_rings_of_a_measured_scan_go(measured: Path) -> None:
    """Strong rings and phase fringes."""
    scan = open_scan(measured / "tomo_00076_rows01.h5")
    recipe = Recipe.default().with_values({"rotation_axis.column": 1274.8})
    preview = Preview(scan, threads=2)
    before = preview.slice(with_stripe_steps(recipe, ()), 0)
    wavelet = Recipe.from_dict({"steps": [{"step": "stripes_wavelet_fft", "levels": 5}, "rotation_axis", "fbp"]}).use(
        "stripes_wavelet_fft"
    )
    after = preview.slice(with_stripe_steps(recipe, (wavelet,)), 0)
    assert stripe_score(before, half_turn=True).share > 0.2
    assert stripe_score(after, half_turn=True).rings < 0.05 * stripe_score(before, half_turn=True).rings
    assert lost_detail(before, after).detail < 0.01
