"""Scans and volumes from one format into another, piece by piece, there complete or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from stp3.durable import in_bytes, refusal, sync_folder, write_json
from stp3.errors import Stp3Error, UsageFault
from stp3.provenance import now, user_name, versions
from stp3.scan import Scan
from stp3.scan_files import KINDS, SCAN_FILES, ScanFile, frames_of
from stp3.volume import Volume, claim, complete, describe, is_volume, open_volume, store
from stp3.writers import find_writer

Progress = Callable[[int, int], None]
_PIECE_BYTES = 1 << 26
_ORIGIN = "converted.json"


def convert_scan(
    scan: Scan, output: Path, format: str, *, overwrite: bool = False, on_progress: Progress | None = None
) -> list[str]:
    """Writes the scan to a file (for "tiff": a folder) in that format; gives in words what that cannot hold.

    Every frame keeps its numbers, every angle its bits. `on_progress(bytes_done, bytes_total)` may raise to stop.
    Raises Stp3Error.
    """
    if format not in SCAN_FILES:
        raise UsageFault(f'scans cannot be written as "{format}". Known: {", ".join(sorted(SCAN_FILES))}.')
    stacks = [stack for kind in KINDS if (stack := frames_of(scan, kind))]
    total = sum(int(np.prod(stack.shape, dtype=np.int64)) * stack.dtype.itemsize for stack in stacks)
    with _making(output, scan.path, total, overwrite) as hidden:
        file = SCAN_FILES[format](scan, hidden)
        file.begin()
        try:
            _copy(scan, file, total, on_progress)
        finally:
            file.close()
        scan.check_unchanged()
        if hidden.is_dir():
            write_json(hidden / _ORIGIN, _origin(scan))
    return file.not_kept()


def convert_volume(
    volume: Volume, output: Path, format: str, *, overwrite: bool = False, on_progress: Progress | None = None
) -> Volume:
    """The finished volume in another format, in a new folder; every voxel and all that is known of it are kept.

    Raises Stp3Error.
    """
    if not volume.is_complete:
        raise UsageFault(f"{volume.folder} is not finished. Finish its job, then convert it.")
    find_writer(format)
    layout, owner = volume.layout, uuid.uuid4().hex
    slice_bytes = max(layout.nbytes // len(layout.rows), 1)
    slab_rows = max(_PIECE_BYTES // slice_bytes, 1)
    slab_rows = min(slab_rows - slab_rows % 8 if slab_rows > 8 else slab_rows, len(layout.rows))
    origin = {"format": layout.format, "folder": str(volume.folder.resolve()), **_who()}
    with _making(output, volume.folder, layout.nbytes, overwrite) as hidden:
        made = replace(
            layout, folder=hidden, format=format, slab_rows=slab_rows,
            provenance={**layout.provenance, "converted": [*layout.provenance.get("converted", ()), origin]},
        )  # fmt: skip
        writer = find_writer(format)(made)
        claim(hidden, owner)
        describe(made, owner)
        writer.prepare()
        records = []
        for start in range(layout.rows.start, layout.rows.stop, slab_rows):
            rows = range(start, min(start + slab_rows, layout.rows.stop))
            records.append(store(writer, rows, np.stack([volume.slice(row - layout.rows.start) for row in rows])))
            if on_progress:
                on_progress((rows.stop - layout.rows.start) * slice_bytes, layout.nbytes)
        complete(writer, records, owner)
    return open_volume(output)


def _copy(scan: Scan, file: ScanFile, total: int, on_progress: Progress | None) -> None:
    done = 0
    for kind in KINDS:
        if (stack := frames_of(scan, kind)) is None:
            continue
        frames, rows, columns = stack.shape
        by_rows = file.by_rows or (scan.format == "tdf" and file.takes_rows)
        for numbers, lines in _pieces(frames, rows, columns * stack.dtype.itemsize, by_rows=by_rows):
            data = stack.read(lines, np.arange(numbers.start, numbers.stop))
            file.put(kind, numbers, lines, data)
            done += data.nbytes
            if on_progress:
                on_progress(done, total)


def _pieces(frames: int, rows: int, line_bytes: int, *, by_rows: bool) -> Iterator[tuple[range, range]]:
    """Frames and rows of each piece: all frames of some rows, or all rows of some frames."""
    many, other = (rows, frames) if by_rows else (frames, rows)
    step = max(_PIECE_BYTES // (other * line_bytes), 1)
    for start in range(0, many, step):
        some = range(start, min(start + step, many))
        yield (range(frames), some) if by_rows else (some, range(rows))


@contextmanager
def _making(output: Path, source: Path, size: int, overwrite: bool) -> Iterator[Path]:
    """A hidden place beside `output`, which takes its name once all is written. Raises Stp3Error."""
    _check(output, source, size, overwrite)
    hidden = output.with_name(f".{output.name}.{os.getpid()}.part")
    _remove(hidden)
    try:
        yield hidden
        _sync(hidden)
        if output.is_dir():
            old = output.with_name(f".{output.name}.{os.getpid()}.old.part")
            output.rename(old)
            hidden.rename(output)
            _remove(old)
        else:
            hidden.replace(output)
        sync_folder(output.parent)
    except OSError as error:
        raise refusal(error, output, size) from error
    finally:
        _remove(hidden)


def _check(output: Path, source: Path, size: int, overwrite: bool) -> None:
    """Raises UsageFault or Stp3Error when the output may not or cannot be made there."""
    if not output.parent.is_dir():
        raise UsageFault(f"the folder {output.parent} does not exist. Make it first, or write elsewhere.")
    real, raw = output.resolve(), source.resolve()
    if real == raw or raw.is_relative_to(real) or real.is_relative_to(raw):
        raise UsageFault(f"{output} and {source} lie in each other. Write elsewhere.")
    if output.exists() and not overwrite:
        raise UsageFault(f"{output} exists already. Write elsewhere, or say --overwrite.")
    if output.is_dir() and any(output.iterdir()) and not (is_volume(output) or (output / _ORIGIN).exists()):
        raise UsageFault(f"{output} is a folder that STP3 did not make: it is not written over. Write elsewhere.")
    free = shutil.disk_usage(output.parent).free
    if size > free:
        raise Stp3Error(
            f"{output} needs {in_bytes(size)}, the disk has {in_bytes(free)} free. Free space or write elsewhere."
        )


def _sync(path: Path) -> None:
    """All that was written below a path is on disk when this returns."""
    if path.is_dir():
        os.sync()
        return
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def _origin(scan: Scan) -> dict[str, object]:
    """What a converted scan was made of."""
    return {"format": scan.format, "scan": vars(scan.identity), **_who()}


def _who() -> dict[str, object]:
    return {"user": user_name(), "time": now(), "versions": versions()}
