"""The workbench in Voilà and a real browser: its own template, no other host, no console error."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from stp3.testing import write_practice_scan

pytestmark = pytest.mark.browser
sync_api = pytest.importorskip("playwright.sync_api")

CHECKOUT = Path(__file__).resolve().parents[3]
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
    "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
]  # fmt: skip
DRAWN = """(frame) => {
  const viewer = document.querySelector(".stp3-viewer").dataset;
  return +viewer.frame > frame && viewer.state === "idle";
}"""


@pytest.fixture(scope="module")
def voila(tmp_path_factory):
    folder = tmp_path_factory.mktemp("voila")
    (folder / "data").mkdir()
    write_practice_scan(folder / "data" / "scan.h5", columns=96, rows=4, angles=120, faults={"rings"})
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "STP3_DATA": str(folder / "data"), "STP3_JOBS": str(folder / "jobs"), "STP3_THREADS": "1",
        "JUPYTER_PATH": str(CHECKOUT / "extensions" / "voila-template"), "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"), "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
    }  # fmt: skip
    command = [
        sys.executable, "-m", "voila", str(CHECKOUT / "notebooks" / "dashboards" / "workbench.ipynb"), "--no-browser",
        f"--port={port}", "--template=stp3", "--Voila.ip=127.0.0.1", "--Voila.base_url=/user/vera/",
        "--VoilaConfiguration.allow_template_override=NO",
    ]  # fmt: skip
    with open(folder / "log", "wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    address = f"http://127.0.0.1:{port}/user/vera/"
    try:
        _wait_for(address + "voila/static/voila.js", server, folder / "log")
        yield address
    finally:
        server.terminate()
        server.wait(20)
        print((folder / "log").read_text())


def _wait_for(address, server, log):
    for _ in range(300):
        assert server.poll() is None, log.read_text()
        try:
            urlopen(address, timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"Voilà did not start: {log.read_text()}")


@pytest.fixture
def page(voila):
    with sync_api.sync_playwright() as play:
        try:
            browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        except sync_api.Error as error:
            pytest.skip(f"no Chromium: {error}")
        page = browser.new_context(viewport={"width": 1280, "height": 860}).new_page()
        faults, outside = [], []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console", lambda message: message.type == "error" and faults.append(f"{message.text} {message.location}")
        )
        page.on(
            "request", lambda request: request.url.startswith(("data:", "blob:", voila)) or outside.append(request.url)
        )
        page.goto(voila, wait_until="commit")
        yield page
        browser.close()
        assert faults == []
        assert outside == []


def frame(page):
    return int(page.get_attribute(".stp3-viewer", "data-frame"))


def after(page, act):
    """Acts and waits for the picture that comes of it."""
    before = frame(page)
    act()
    try:
        page.wait_for_function(DRAWN, arg=before, timeout=90_000)
    except sync_api.TimeoutError:
        pytest.fail(
            f"no new picture: {page.locator('.stp3-viewer').inner_text()} / {page.locator('.stp3-panel').inner_text()}"
        )


def test_from_the_first_paint_to_the_volume(page):
    page.wait_for_selector("#loading .stp3-bone-view")
    assert page.title() == "STP3 workbench"
    assert page.get_by_role("link", name="Home").get_attribute("href") == "/hub/home"
    page.wait_for_selector(".stp3-scan-select option", state="attached", timeout=60_000)
    page.wait_for_selector("#loading", state="detached")
    after(page, lambda: page.locator(".stp3-scan-select select").select_option(index=0))
    assert "scan.h5 · row 2" in page.locator(".stp3-v-title").text_content()
    assert page.locator(".stp3-verdict .stp3-note").count() == 1
    after(page, lambda: page.locator(".stp3-field-fbp-filter select").select_option("hann"))
    after(page, lambda: page.locator(".stp3-stripes input").uncheck())
    after(page, lambda: (page.locator(".stp3-axis input").fill("47"), page.keyboard.press("Enter")))
    assert page.locator(".stp3-axis input").input_value() == "47"
    assert "Set by hand" in page.locator(".stp3-verdict").text_content()
    after(page, lambda: page.locator(".stp3-undo").click())
    page.locator(".stp3-v-canvas").focus()
    after(page, lambda: page.keyboard.press("PageDown"))
    assert "row 3" in page.locator(".stp3-v-title").text_content()
    page.locator(".stp3-submit").dblclick()
    page.wait_for_selector('.stp3-job[data-job-state="done"]', timeout=90_000)
    assert page.locator(".stp3-job-select option").count() == 1
    after(page, lambda: page.locator(".stp3-open-volume").click())
    assert "Volume" in page.locator(".stp3-v-title").text_content()
    another = page.context.new_page()
    another.goto(page.url, wait_until="commit")
    another.wait_for_selector('.stp3-job[data-job-state="done"]', timeout=60_000)


def films_drawn(page, count):
    page.wait_for_function("(n) => +document.querySelector('.stp3-films').dataset.drawn === n", arg=count)


@pytest.fixture
def scan_shown(page):
    page.wait_for_selector(".stp3-scan-select option", state="attached", timeout=60_000)
    page.wait_for_selector("#loading", state="detached")
    after(page, lambda: page.locator(".stp3-scan-select select").select_option(index=0))
    return page


def test_a_sweep_is_walked_along_with_keys_and_chosen_from(scan_shown):
    page = scan_shown
    found = float(page.locator(".stp3-axis input").input_value())
    page.locator(".stp3-sweep").click()
    films_drawn(page, 9)
    assert page.get_by_role("listbox", name="Centre of rotation").get_by_role("option").count() == 9
    after(page, lambda: page.locator(".stp3-film").nth(7).click())
    assert float(page.locator(".stp3-axis input").input_value()) == pytest.approx(found + 1.5)
    after(page, lambda: page.keyboard.press("ArrowLeft"))
    page.wait_for_selector('.stp3-films[data-chosen="6"]')
    assert float(page.locator(".stp3-axis input").input_value()) == pytest.approx(found + 1.0)
    assert page.locator('.stp3-film[aria-selected="true"] b').text_content() == f"{found + 1.0:g}"
    after(page, lambda: page.locator(".stp3-undo").click())
    after(page, lambda: page.locator(".stp3-stripes input").uncheck())
    page.wait_for_selector('.stp3-films[data-stale="true"]')
    page.locator(".stp3-strip-again").click()
    page.wait_for_selector('.stp3-films[data-stale="false"]')
    films_drawn(page, 9)
    page.locator(".stp3-strip-close").click()
    page.wait_for_selector(".stp3-films", state="hidden")


def test_a_step_is_added_told_what_is_wrong_with_it_and_removed(scan_shown):
    page = scan_shown
    page.locator(".stp3-expert-toggle").click()
    page.locator(".stp3-add-choice select").select_option(label="Projections · Phase retrieval (Paganin)")
    page.wait_for_function("document.querySelector('.stp3-add-help').textContent.includes('transport of intensity')")
    after(page, lambda: page.locator(".stp3-add-step").click())
    assert "Added after Minus logarithm" in page.locator(".stp3-add-said").text_content()
    ratio = page.locator(".stp3-field-phase_paganin-delta_beta input")
    ratio.fill("-3")
    ratio.press("Enter")
    page.wait_for_selector(".stp3-parameter:has(.stp3-field-phase_paganin-delta_beta) .stp3-bad")
    after(page, lambda: (ratio.fill("50"), ratio.press("Enter")))
    assert page.locator(".stp3-parameter .stp3-bad:visible").count() == 0
    after(page, lambda: page.locator(".stp3-remove-phase_paganin").click())
    page.wait_for_selector(".stp3-field-phase_paganin-delta_beta", state="detached")


def test_ways_to_remove_rings_are_shown_and_one_is_taken(scan_shown):
    page = scan_shown
    page.locator(".stp3-suggest").click()
    page.wait_for_function("document.querySelectorAll('.stp3-film-detail:not(:empty)').length > 8", timeout=60_000)
    films_drawn(page, page.locator(".stp3-film").count())
    other = page.locator('.stp3-film[aria-selected="false"]').filter(has_not_text="No removal").first
    name = other.locator("b").text_content().split(". ")[1].split(",")[0]
    after(page, other.click)
    assert name in page.locator(".stp3-stripes-method").text_content()
