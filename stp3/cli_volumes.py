"""Commands on what was written: verify, convert."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TextIO

from stp3.cli_arguments import Commands, add_command, show
from stp3.errors import UsageFault

_VERIFY = """\
  stp3 verify volume           0: all is as it was written, 1: something is damaged or missing, 2: no finished volume
  stp3 verify volume --json    {"volume", "units", "bytes", "damaged": [{"path", "offset", "reason"}]}
"""
_CONVERT = """\
  stp3 convert scan.h5 scan.nxs --format nxtomo
  stp3 convert volume volume_zarr --format zarr

formats of scans: data-exchange, nxtomo, tdf (files), tiff (a folder)
formats of volumes: tiff, hdf5, zarr (folders)

Every number is kept. What else a format cannot hold is told.
"""


def add_commands(commands: Commands) -> None:
    verify = add_command(commands, "verify", _verify, "check that the files of a volume are what was written", _VERIFY)
    verify.add_argument("volume", metavar="VOLUME", type=Path, help="the folder of a finished volume")

    convert = add_command(commands, "convert", _convert, "write a scan or a volume in another format", _CONVERT)
    convert.add_argument("input", metavar="IN", type=Path, help="a scan, or the folder of a finished volume")
    convert.add_argument("output", metavar="OUT", type=Path, help="the file or folder to make")
    convert.add_argument("--format", required=True, metavar="FORMAT", help="one of those below")
    convert.add_argument("--overwrite", action="store_true", help="replace OUT; only what STP3 made, if it is a folder")


def _convert(arguments: argparse.Namespace) -> int:
    from stp3.volume import is_volume

    with Progress("converted", sys.stderr) as progress:
        convert = _convert_volume if is_volume(arguments.input) else _convert_scan
        not_kept = convert(arguments, progress)
    content = {
        "input": str(arguments.input),
        "output": str(arguments.output),
        "format": arguments.format,
        "not_kept": not_kept,
    }
    lost = [f"{arguments.format} has no room for {what}." for what in not_kept]
    return show(arguments, content, [f"{arguments.output}: {arguments.format}", *lost])


def _convert_volume(arguments: argparse.Namespace, progress: Progress) -> list[str]:
    from stp3.convert import convert_volume
    from stp3.volume import open_volume

    convert_volume(
        open_volume(arguments.input), arguments.output, arguments.format,
        overwrite=arguments.overwrite, on_progress=progress.show,
    )  # fmt: skip
    return []


def _convert_scan(arguments: argparse.Namespace, progress: Progress) -> list[str]:
    from stp3.convert import convert_scan
    from stp3.scan import open_scan

    return convert_scan(
        open_scan(arguments.input), arguments.output, arguments.format,
        overwrite=arguments.overwrite, on_progress=progress.show,
    )  # fmt: skip


def _verify(arguments: argparse.Namespace) -> int:
    from stp3.durable import in_bytes
    from stp3.volume import open_volume

    volume = open_volume(arguments.volume)
    if not volume.is_complete:
        raise UsageFault(f"{arguments.volume} is not finished: there is nothing to check it against. Finish its job.")
    with Progress("checked", sys.stderr) as progress:
        damaged = volume.check_files(progress.show)
    content = {
        "volume": str(arguments.volume),
        "units": len(volume.files),
        "bytes": volume.bytes,
        "damaged": [{"path": one.unit.path, "offset": one.unit.offset, "reason": one.reason} for one in damaged],
    }
    verdict = f"{len(damaged)} of {len(volume.files)} files are damaged or missing" if damaged else "all is as written"
    lines = [*map(str, damaged), f"{arguments.volume}: {verdict} ({in_bytes(volume.bytes)})"]
    show(arguments, content, lines)
    return 1 if damaged else 0


class Progress:
    """`40 % checked  1.2 GB/s  1:05 left` on one line, which goes when the work is done."""

    def __init__(self, done: str, stream: TextIO) -> None:
        from stp3.cli_jobs import ProgressLine

        self._line = ProgressLine(stream)
        self._done = done
        self._start = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.end()

    def show(self, bytes_done: int, bytes_total: int) -> None:
        """Called from time to time; the time left follows from the rate so far."""
        from stp3.cli_jobs import clock

        seconds = time.monotonic() - self._start
        rate = bytes_done / seconds if seconds else 0.0
        parts = [f"{100 * bytes_done // max(bytes_total, 1)} % {self._done}"]
        if rate and seconds > 1:
            parts += [f"{rate / 1e9:.2f} GB/s", f"{clock((bytes_total - bytes_done) / rate)} left"]
        self._line.show("  ".join(parts))
