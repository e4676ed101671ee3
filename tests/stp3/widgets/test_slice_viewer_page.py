"""The page's half of the slice viewer, in a real browser."""

import base64
import time

import numpy as np
import pytest

from stp3.widgets.slice_viewer import SliceViewer

pytestmark = pytest.mark.browser
sync_api = pytest.importorskip("playwright.sync_api")

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
    "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
]  # fmt: skip
PAGE = """<!doctype html><style>html, body { margin: 0; height: 100%% } #box { width: 600px; height: 520px }</style>
<style>%s</style><div id="box"></div>
<script type="module">
  const source = document.getElementById("source").textContent;
  const module = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  const listeners = [];
  window.told = [];
  const model = {
    get: (name) => ({ hint: "Nothing here yet.", key: "1" })[name], send: (message) => window.told.push(message),
    on: (_, listener) => listeners.push(listener), off: () => listeners.pop(),
  };
  window.giveRaw = (message, view) => listeners.forEach((listener) => listener(message, [view]));
  window.give = (message, pixels) => {
    const bytes = Uint8Array.from(atob(pixels ?? ""), (letter) => letter.charCodeAt(0));
    for (const listener of listeners) listener(message, [new DataView(bytes.buffer)]);
  };
  module.default.initialize({ model });
  module.default.render({ model, el: document.getElementById("box") });
  window.started = true;
</script><script type="text/plain" id="source">%s</script>"""


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as play:
        try:
            chromium = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        except sync_api.Error as error:
            pytest.skip(f"no Chromium: {error}")
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 640, "height": 560})
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: message.type == "error" and faults.append(message.text))
    page.set_content(PAGE % (SliceViewer._css, SliceViewer._esm))
    page.wait_for_function("window.started")
    yield page
    page.close()
    assert faults == []


def give(page, image, frame=1, subject="scan", **settings):
    content = {
        "kind": "frame", "frame": frame, "shape": list(image.shape), "dtype": image.dtype.name, "pixel_size_um": None,
        "unit": "", "title": "row 3", "subject": subject, **settings,
    }  # fmt: skip
    page.evaluate("([message, pixels]) => give(message, pixels)", [content, base64.b64encode(image.tobytes()).decode()])
    page.wait_for_selector(f'.stp3-viewer[data-frame="{frame}"]')


def colours(page, points):
    """The colours drawn at points given as parts of the canvas, (n, 3)."""
    script = """(points) => {
      const canvas = document.querySelector(".stp3-v-canvas"), flat = document.createElement("canvas");
      [flat.width, flat.height] = [canvas.width, canvas.height];
      const context = flat.getContext("2d");
      context.drawImage(canvas, 0, 0);
      return points.map(([x, y]) => [...context.getImageData(x * flat.width | 0, y * flat.height | 0, 1, 1).data]);
    }"""
    return np.array(page.evaluate(script, points))


def until(condition):
    """Waits for what the page does by itself, such as drawing."""
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("it did not happen in time")


def ramp(dtype):
    values = np.tile(np.linspace(0, 200, 64), (64, 1))
    return values.astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "uint16", "uint8"])
def test_grey_follows_the_values(page, dtype):
    give(page, ramp(dtype))
    left, middle, right = colours(page, [(0.16, 0.5), (0.5, 0.5), (0.84, 0.5)])[:, 0].astype(int)
    assert left < 20
    assert 110 < middle < 145
    assert right > 235


def test_nothing_is_drawn_outside_the_picture_and_for_missing_values(page):
    image = ramp("float32")
    image[20:44, 20:44] = np.nan
    give(page, image)
    outside, missing, inside = colours(page, [(0.02, 0.5), (0.5, 0.5), (0.3, 0.5)])[:, 3]
    assert (outside, missing, inside) == (0, 0, 255)


def test_zoom_and_limits_stay_between_pictures_and_go_with_the_subject(page):
    give(page, ramp("float32"))
    box = page.locator(".stp3-v-canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.5)
    page.mouse.wheel(0, -900)
    page.get_by_label("White at").fill("100")
    page.keyboard.press("Enter")
    until(lambda: colours(page, [(0.5, 0.5)])[0, 0] == 255)
    before = colours(page, [(0.1, 0.5), (0.5, 0.5)])
    give(page, ramp("float32"), frame=2)
    np.testing.assert_array_equal(colours(page, [(0.1, 0.5), (0.5, 0.5)]), before)
    assert before[1, 0] == 255
    assert before[0, 3] == 255  # zoomed in: the picture covers the margin
    give(page, ramp("float32"), frame=3, subject="another scan")
    assert colours(page, [(0.02, 0.5)])[0, 3] == 0


def test_the_point_under_the_cursor_stays_when_zooming(page):
    give(page, ramp("float32"))
    box = page.locator(".stp3-v-canvas").bounding_box()
    page.mouse.move(box["x"] + 400, box["y"] + 200)
    before = page.locator(".stp3-v-readout").text_content()
    page.mouse.wheel(0, -600)
    page.mouse.move(box["x"] + 400, box["y"] + 200)
    assert page.locator(".stp3-v-readout").text_content() == before
    assert before.startswith("x ")


def test_value_and_scale_have_units(page):
    give(page, ramp("float32"), pixel_size_um=2.0, unit="per column")
    assert page.locator(".stp3-v-scale").text_content().endswith("µm")
    page.locator(".stp3-v-canvas").hover()
    assert "mm)" in page.locator(".stp3-v-readout").text_content()
    assert page.locator(".stp3-v-readout").text_content().endswith("per column")
    give(page, ramp("float32"), frame=2)
    assert page.locator(".stp3-v-scale").text_content().endswith("pixels")


def test_keys_zoom_fit_and_turn_the_page(page):
    give(page, ramp("float32"))
    page.locator(".stp3-v-canvas").focus()
    for _ in range(4):
        page.keyboard.press("+")
    until(lambda: colours(page, [(0.02, 0.5)])[0, 3] == 255)
    page.keyboard.press("f")
    until(lambda: colours(page, [(0.02, 0.5)])[0, 3] == 0)
    page.keyboard.press("PageDown")
    assert {"kind": "step", "by": 1} in page.evaluate("told")


def test_a_right_drag_changes_the_limits_and_tells_them(page):
    give(page, ramp("float32"))
    box = page.locator(".stp3-v-canvas").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down(button="right")
    page.mouse.move(box["x"] + 260, box["y"] + 200, steps=4)
    page.mouse.up(button="right")

    def width():
        told = [message["limits"] for message in page.evaluate("told") if message["kind"] == "limits"]
        return told[-1][1] - told[-1][0] if told else 0

    until(lambda: width() > 240)


def test_the_next_picture_is_asked_for_after_drawing(page):
    assert page.evaluate("told") == [{"kind": "ready"}, {"kind": "want", "have": 0}]
    give(page, ramp("float32"), frame=7)
    page.wait_for_function("told.some((message) => message.kind == 'want' && message.have == 7)")


def test_states_and_faults_are_words_beside_the_picture(page):
    assert page.locator(".stp3-v-hint").text_content() == "Nothing here yet."
    page.evaluate("give({kind: 'status', state: 'busy', stage: 'Ring removal'})")
    assert page.locator(".stp3-v-stage-name").text_content() == "Ring removal"
    page.evaluate("give", {"kind": "status", "state": "error", "text": "<img src=x onerror=alert(1)>"})
    assert page.get_attribute(".stp3-viewer", "data-state") == "error"
    assert page.locator(".stp3-v-note").inner_text() == "<img src=x onerror=alert(1)>"
    assert page.locator(".stp3-v-note img").count() == 0


def test_a_cleared_viewer_is_empty_and_takes_the_next_picture(page):
    give(page, ramp("float32"))
    page.evaluate("give({kind: 'clear'})")
    assert colours(page, [(0.5, 0.5)])[0, 3] == 0
    assert page.locator(".stp3-v-title").text_content() == ""
    page.locator(".stp3-v-canvas").click()
    page.keyboard.press("a")
    give(page, ramp("float32"), frame=2)
    assert colours(page, [(0.5, 0.5)])[0, 3] == 255


def test_the_picture_comes_back_after_the_graphics_were_lost(page):
    give(page, ramp("float32"))
    page.evaluate("""() => {
      const gl = document.querySelector(".stp3-v-canvas").getContext("webgl2");
      window.lost = gl.getExtension("WEBGL_lose_context");
      window.lost.loseContext();
    }""")
    page.wait_for_timeout(200)
    page.evaluate("window.lost.restoreContext()")
    until(lambda: colours(page, [(0.84, 0.5)])[0, 0] > 235)


def test_the_viewer_follows_its_box(page):
    give(page, ramp("float32"))
    page.evaluate("document.getElementById('box').style.width = '300px'")
    until(lambda: colours(page, [(0.5, 0.02)])[0, 3] == 0)
    assert page.evaluate("document.querySelector('.stp3-v-canvas').clientWidth") == 298
    assert colours(page, [(0.5, 0.5)])[0, 3] == 255


def test_a_coarse_picture_takes_the_place_of_the_whole_one(page):
    whole = np.zeros((67, 67), np.float32)
    whole[20:40, 12:33] = 100
    give(page, whole, frame=1)
    box = page.locator(".stp3-v-canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.4)
    page.mouse.wheel(0, -300)
    places = [(0.1, 0.5), (0.3, 0.5), (0.5, 0.5), (0.75, 0.5), (0.3, 0.02), (0.3, 0.9)]
    fine = colours(page, places)
    coarse = whole[1:65, 1:65].reshape(16, 4, 16, 4).mean(axis=(1, 3)).astype(np.float32)
    coarse = np.ascontiguousarray(coarse)
    give(page, coarse, frame=2, binning=4, whole=[67, 67])
    assert page.locator(".stp3-viewer").get_attribute("data-binning") == "4"
    assert np.abs(colours(page, places).astype(int) - fine).max() < 30
    assert page.locator(".stp3-v-readout").text_content().startswith("x ")
