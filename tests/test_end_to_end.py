"""What a visitor does, from the login to the volume at home, in a real browser against the real facility.

Screenshots are kept in tests/artifacts.
"""

from __future__ import annotations

import shutil
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from stp3 import Preview, Recipe, open_scan, open_volume
from stp3.testing import Truth

sync_api = pytest.importorskip("playwright.sync_api")

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
]  # fmt: skip
ARTIFACTS = Path(__file__).parent / "artifacts"
LOCAL = {"127.0.0.1", "localhost", ""}
KNOWN_AXES = {"i13_24737_nxtomo.nxs": 85.8, "tooth.h5": 296.0}


class Visitor:
    """A person at a browser, with an ear for what goes wrong behind the page."""

    def __init__(self, page: sync_api.Page, home: str) -> None:
        self.page, self.home = page, home
        self.errors: list[str] = []
        self.foreign: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._see)

    def _hear(self, message: sync_api.ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _see(self, request: sync_api.Request) -> None:
        if urlsplit(request.url).hostname not in LOCAL | {None}:
            self.foreign.append(request.url)

    def log_in(self, name: str, password: str) -> None:
        self.page.goto(self.home)
        self.page.fill("#user", name)
        self.page.fill("#password", password)
        self.shot("1-login")
        self.page.click("button.main")
        self.page.wait_for_url("**/hub/home")
        self.shot("2-home")

    def shot(self, name: str) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"{name}.png")

    @property
    def frame(self) -> int:
        return int(self.page.get_attribute(".stp3-viewer", "data-frame") or 0)

    def wait_for_picture(self, after: int, seconds: float = 60) -> float:
        """How long it took until a newer picture than `after` was there and nothing more was under way."""
        start = time.perf_counter()
        self.page.wait_for_function(
            """after => { const viewer = document.querySelector('.stp3-viewer').dataset;
                          return +viewer.frame > after && viewer.state !== 'busy' }""",
            arg=after,
            timeout=1000 * seconds,
        )
        state = self.page.get_attribute(".stp3-viewer", "data-state")
        assert state == "idle", self.page.inner_text(".stp3-viewer")
        return time.perf_counter() - start

    def choose(self, visit: str, scan: str) -> float:
        """Opens a scan and waits for its first picture; the seconds from click to picture."""
        options = self.page.locator(".stp3-visit-select select option")
        options.filter(has_text=visit).first.wait_for(state="attached")
        label = options.filter(has_text=visit).first.inner_text()
        self.page.select_option(".stp3-visit-select select", label=label)
        entry = self.page.locator(".stp3-scan-select option").filter(has_text=scan).first
        entry.wait_for(state="attached")
        before = self.frame
        self.page.select_option(".stp3-scan-select select", label=entry.inner_text())
        return self.wait_for_picture(before)

    @property
    def axis(self) -> float:
        return float(self.page.input_value(".stp3-axis input"))

    def set_field(self, css: str, value: str) -> float:
        """Types a value; the seconds until the picture that follows."""
        before = self.frame
        self.page.fill(css, value)
        self.page.press(css, "Enter")
        return self.wait_for_picture(before)


@pytest.fixture
def visitor(practice_hub, measured: Path, tmp_path: Path) -> Iterator[Visitor]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
        context.set_default_timeout(60_000)
        yield Visitor(context.new_page(), practice_hub.base_url)
        browser.close()


def open_workbench(visitor: Visitor) -> float:
    start = time.perf_counter()
    visitor.page.click("#tile-workbench")
    visitor.page.wait_for_selector(".stp3-scan-select", timeout=90_000)
    return time.perf_counter() - start


def test_from_login_to_volume(visitor: Visitor, practice_hub, measured: Path, tmp_path: Path, record_property) -> None:
    page = visitor.page
    visitor.log_in("vera", practice_hub.users["vera"])
    cold = open_workbench(visitor)
    visitor.shot("3-workbench")
    page.goto(f"{visitor.home}/hub/home")
    warm = open_workbench(visitor)

    first = visitor.choose("(A)", "rock.h5")
    truth = Truth.load(practice_hub.var / "data" / "A" / "rock.h5")
    assert visitor.axis == pytest.approx(truth.rotation_axis, abs=0.5)
    visitor.shot("4-practice-scan")
    changes = [
        visitor.set_field(".stp3-axis input", f"{truth.rotation_axis + shift:.2f}") for shift in (0.5, 1, 2, -1, 0)
    ]

    for scan, known in KNOWN_AXES.items():
        visitor.choose("(data)", scan)
        assert visitor.axis == pytest.approx(known, abs=0.5), scan
        visitor.shot(f"5-{scan}")

    downloaded = reconstruct_and_download(visitor, tmp_path)
    compare_with_library(downloaded, measured / "i13_24737_nxtomo.nxs")
    assert visitor.errors == []
    assert visitor.foreign == []
    # Not asserted, for machines differ: docs/measured.md holds them.
    for name, seconds in {"cold": cold, "warm": warm, "first": first, "change": sorted(changes)[2]}.items():
        record_property(name, f"{seconds:.2f}")
        print(f"{name}: {seconds:.2f} s")


def reconstruct_and_download(visitor: Visitor, folder: Path) -> Path:
    """The unpacked volume of the i13 scan, made with a recipe of the visitor's own."""
    page = visitor.page
    visitor.choose("(data)", "i13_24737_nxtomo.nxs")
    before = visitor.frame
    page.select_option(".stp3-field-fbp-filter select", label="hann")
    visitor.wait_for_picture(before)
    visitor.set_field(".stp3-axis input", "85.75")
    visitor.set_field(".stp3-row-number input", "40")
    visitor.shot("6-tuned")
    page.click(".stp3-submit")
    page.wait_for_selector(".stp3-job[data-job-state=running], .stp3-job[data-job-state=done]")
    visitor.shot("7-job")
    page.reload()  # the tab is closed and opened again: the job goes on
    page.wait_for_selector(".stp3-job[data-job-state=done]", timeout=180_000)
    before = visitor.frame
    page.click(".stp3-open-volume")
    visitor.wait_for_picture(before)
    visitor.shot("8-volume")
    with page.expect_download() as coming:
        page.click(".stp3-download")
    target = folder / "volume.zip"
    coming.value.save_as(target)
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        archive.extractall(folder / "home")
    return next((folder / "home").rglob("volume.json")).parent


def compare_with_library(folder: Path, scan_path: Path) -> None:
    """The volume taken home is what the preview showed, to the bit, and tells how it was made."""
    volume, recipe = open_volume(folder), Recipe.load(folder / "recipe.yaml")
    assert recipe.use("rotation_axis").parameters.model_dump()["column"] == 85.75
    assert recipe.use("fbp").parameters.model_dump()["filter"] == "hann"
    assert volume.shape == (135, 160, 160)
    preview = Preview(open_scan(scan_path))
    for row in (0, 40, 134):
        np.testing.assert_array_equal(volume.slice(row), preview.slice(recipe, row))
