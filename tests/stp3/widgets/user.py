"""What a test does as the user of a workbench, and what it should see then."""

import asyncio
import time

from stp3.preview import Preview
from stp3.recipe import Recipe
from stp3.scan import open_scan

AXIS = 66.2


async def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


async def choose(bench, name):
    labels = bench.scans.scans.options
    bench.scans.scans.index = next(place for place, label in enumerate(labels) if name in label)
    await until(lambda: bench.viewer.state in ("idle", "error") and (bench.shown or bench.viewer.state == "error"))


async def settled(bench):
    await until(lambda: bench.viewer.state != "busy")


def reference(bench, **values):
    scan = open_scan(bench.shown.path)
    found = {"rotation_axis.column": bench.shown.rotation_axis} | values
    return Preview(scan).slice(Recipe.default().with_values(found), bench.shown.row)
