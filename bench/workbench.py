"""The workbench in a real browser: how soon the picture follows the hand.

python bench/workbench.py FOLDER SCAN.h5 [--steps 20] [--seconds 3]

Starts the practice facility with FOLDER as data, logs in, opens the scan, and tells for single steps of a control the
time from the key to the next picture (coarse or whole) and to the whole one at rest, and for a dragged slider how many
pictures came a second and the longest task of the page's main thread. p50 and p95 in milliseconds. Chromium draws by
software here, which costs it most of its time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.conftest import start_practice
from tests.test_end_to_end import CHROMIUM, FLAGS, Visitor, open_workbench

WATCH = """() => {
  const viewer = document.querySelector('.stp3-viewer');
  window.seen = []; window.keys = []; window.tasks = [];
  const { dataset } = viewer;
  const note = () => seen.push([performance.now(), +dataset.frame, dataset.state, +dataset.binning]);
  new MutationObserver(note)
    .observe(viewer, { attributes: true, attributeFilter: ['data-frame', 'data-state'] });
  document.addEventListener('keydown', () => keys.push(performance.now()), true);
  document.addEventListener('pointermove', () => keys.push(performance.now()), true);
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => tasks.push(entry.duration)))
    .observe({ type: 'longtask' });
}"""


def main() -> None:
    options = parse()
    with (
        tempfile.TemporaryDirectory() as var,
        start_practice(Path(var), STP3_DATA=str(options.folder.resolve())) as hub,
        sync_playwright() as play,
    ):
        page = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS).new_page(
            viewport={"width": 1440, "height": 900}
        )
        page.set_default_timeout(60_000)
        visitor = Visitor(page, hub.base_url)
        visitor.log_in("vera", hub.users["vera"])
        open_workbench(visitor)
        print(f"{options.scan}: first picture at rest after {visitor.choose('(data)', options.scan):.1f} s")
        page.evaluate(WATCH)
        for name, control in (("axis", ".stp3-axis-slider"), ("row", ".stp3-row")):
            handle = page.locator(f"{control} .noUi-handle")
            if handle.count():
                steps(page, name, handle, options.steps)
                drag(page, name, handle, options.seconds)
        print("errors:", visitor.errors or "none")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("scan")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=3.0)
    return parser.parse_args()


def steps(page: Page, name: str, handle: Any, count: int) -> None:
    """Keys pressed one by one, each when the page is at rest."""
    first, whole = [], []
    for _ in range(count):
        page.evaluate("() => { seen.length = keys.length = 0 }")
        handle.press("ArrowRight")
        page.wait_for_function(
            """() => seen.length && document.querySelector('.stp3-viewer').dataset.state === 'idle'
                     && seen.some(([, , , binning], at) => binning === 1 && at === seen.length - 1)"""
        )
        page.wait_for_timeout(300)
        seen, keys = page.evaluate("() => [seen, keys]")
        frames = [(at, binning) for at, frame, _, binning in seen if frame != seen[0][1] or len(seen) == 1]
        frames = frames or [(seen[-1][0], 1)]
        first.append(frames[0][0] - keys[0])
        whole.append(max(at for at, *_ in seen) - keys[0])
    print(f"{name}, a step: picture after {spread(first)}, whole and at rest after {spread(whole)}")


def drag(page: Page, name: str, handle: Any, seconds: float) -> None:
    """The slider moved to and fro by the mouse."""
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.evaluate("() => { seen.length = keys.length = tasks.length = 0 }")
    page.mouse.move(x, y)
    page.mouse.down()
    start = time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds:
        page.mouse.move(x + 40 * np.sin(3 * passed), y)
        page.wait_for_timeout(16)
    page.mouse.up()
    seen, keys, tasks = page.evaluate("() => [seen, keys, tasks]")
    moments = sorted({frame: at for at, frame, *_ in reversed(seen)}.values())
    after = [next((at for at in moments if at > key), None) for key in keys]
    waits = [at - key for at, key in zip(after, keys, strict=True) if at is not None]
    page.wait_for_timeout(1500)
    print(
        f"{name}, dragged: {len(moments) / seconds:.0f} pictures a second, the next one after {spread(waits)}, "
        f"longest task {max(tasks, default=0):.0f} ms, {sum(task > 100 for task in tasks)} over 100 ms"
    )


def spread(values: list[float]) -> str:
    return "{:.0f} / {:.0f} ms".format(*np.percentile(values, [50, 95])) if values else "nothing"


if __name__ == "__main__":
    main()
