"""The hub's pages in a real browser: nothing from outside, no errors, from login to widgets and back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SWITCHES = ["--no-sandbox", "--headless", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    if program is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=SWITCHES)
        yield browser
        browser.close()


class Window:
    """A window of somebody logged in, and what went wrong in it."""

    def __init__(self, chromium: Any, hub: Any, name: str, **options: Any) -> None:
        self.hub = hub
        self.page = chromium.new_context(viewport={"width": 1200, "height": 800}, **options).new_page()
        self.errors: list[str] = []
        self.outside: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("request", lambda request: self._note(request.url))
        self.page.goto(hub.base_url)
        self.page.fill("#user", name)
        self.page.fill("#password", hub.users[name])
        self.page.click("button.main")
        self.page.wait_for_url("**/hub/home")

    def _note(self, url: str) -> None:
        if not url.startswith((self.hub.base_url, "http://localhost:", "data:", "blob:")):
            self.outside.append(url)


@pytest.mark.browser
def test_from_login_to_widgets_and_out(chromium: Any, hub: Any) -> None:
    window = Window(chromium, hub, "victor")
    page = window.page
    page.click("#tile-workbench")
    page.wait_for_selector("text=Ready -", timeout=60_000)  # the kernel holds no token: the notebook shows a dash
    page.goto(f"{hub.base_url}/hub/home")
    page.click("#logout")
    page.wait_for_selector("#user")
    assert window.errors == []
    assert window.outside == []


@pytest.mark.browser
def test_the_jobs_page_refreshes_itself(chromium: Any, hub: Any) -> None:
    window = Window(chromium, hub, "ada")
    window.page.click("#tile-jobs")
    folder = hub.var / "jobs" / "vera" / "job-9"
    folder.mkdir(parents=True)
    state = {"id": "job-9", "state": "running", "scan": "/data/rock.h5", "rows_done": 32, "rows_total": 64}
    (folder / "state.json").write_text(json.dumps(state | {"seconds_left": 200}))
    row = window.page.locator("tr", has_text="job-9")
    row.wait_for(timeout=10_000)
    assert "50 %" in row.inner_text()
    assert "about 3 min" in row.inner_text()
    (folder / "state.json").unlink()
    row.wait_for(state="detached", timeout=10_000)
    assert window.errors == []
    assert window.outside == []


@pytest.mark.browser
def test_lab_opens_in_the_own_notebooks_and_asks_nobody(chromium: Any, hub: Any) -> None:
    window = Window(chromium, hub, "sam")
    window.page.click("#tile-lab")
    window.page.wait_for_selector(".jp-DirListing-item >> text=reconstruct.ipynb", timeout=90_000)
    window.page.wait_for_timeout(1500)
    assert window.page.locator("text=Jupyter news").count() == 0
    assert window.outside == []
    assert Path(hub.var, "home", "sam", "notebooks", "reconstruct.ipynb").exists()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(chromium: Any, hub: Any, scheme: str) -> None:
    page = Window(chromium, hub, "vera", color_scheme=scheme).page
    for selector in ("h1", ".lead", ".stp3-tile.first span", ".stp3-list .detail", ".stp3-list .side", ".stp3-user"):
        text, ground = page.eval_on_selector(selector, COLOURS)
        assert contrast(text, ground) >= 4.5, (selector, text, ground)


COLOURS = """element => {
  const text = getComputedStyle(element).color;
  let ground = "rgba(0, 0, 0, 0)";
  for (let node = element; node && /, 0\\)$/.test(ground); node = node.parentElement)
    ground = getComputedStyle(node).backgroundColor;
  const numbers = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
  return [numbers(text), numbers(ground)];
}"""


def contrast(first: list[float], second: list[float]) -> float:
    """The contrast ratio of two colours, as WCAG 2 defines it."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: list[float]) -> float:
    """The relative luminance of an sRGB colour, as WCAG 2 defines it."""
    parts = [part / 255 for part in colour]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
