"""A volume: the slices of a reconstruction in a folder, with all that is known of how they were made.

`volume.json` stands in the folder from the first moment: whoever puts it there owns the folder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stp3.durable import Unit, in_bytes, refusal, sync_folder, write_text, write_unit
from stp3.errors import Stp3Error, UsageFault
from stp3.histogram import Histogram
from stp3.provenance import now
from stp3.writers import Layout, SlabRecord, Writer, find_writer, histogram_of
from stp3.writers.thumbnails import keep_sections, remove_sections, write_thumbnails

if TYPE_CHECKING:
    from stp3.verify import Damage

_FORMAT = 1
_DESCRIPTION = "volume.json"
_RECIPE = "recipe.yaml"


class Volume:
    """The slices in a folder; those that a running job has finished can be read already."""

    def __init__(self, folder: Path, writer: Writer, content: Mapping[str, Any]) -> None:
        self.folder = folder
        self.is_complete = content.get("state") == "complete"
        self.files = tuple(Unit.from_dict(unit) for unit in content.get("files", []))
        self._writer = writer

    @property
    def layout(self) -> Layout:
        return self._writer.layout

    @property
    def shape(self) -> tuple[int, int, int]:
        """(z, y, x)."""
        return self.layout.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.layout.dtype

    @property
    def rows(self) -> range:
        """The detector rows, one for each slice."""
        return self.layout.rows

    @property
    def voxel_size_um(self) -> float | None:
        return self.layout.voxel_size_um

    @property
    def grey_range(self) -> tuple[float, float] | None:
        """The values that the lowest and the highest integer stand for; None where voxels are stored as floats."""
        return self.layout.grey_range

    @property
    def provenance(self) -> Mapping[str, Any]:
        return self.layout.provenance

    @property
    def done_rows(self) -> list[int]:
        """The detector rows whose slices are there, in order."""
        return self._writer.done_rows()

    def slice(self, z_index: int) -> NDArray[Any]:
        """One slice as stored, shape (y, x). Raises UsageFault (no such slice) or Stp3Error (not there yet)."""
        if not 0 <= z_index < len(self.rows):
            raise UsageFault(
                f"slice must be between 0 and {len(self.rows) - 1} (the volume has {len(self.rows)}), got {z_index}."
            )
        row = self.rows[z_index]
        try:
            return self._writer.read(row)
        except (OSError, KeyError, ValueError) as error:
            raise Stp3Error(f"slice {z_index} (row {row}) of {self.folder} cannot be read yet: {error}.") from error

    @property
    def bytes(self) -> int:
        """What the files of a finished volume take on disk."""
        return sum(unit.bytes for unit in self.files)

    def tidy(self) -> None:
        """Takes away what only the job needed."""
        self._writer.tidy()
        remove_sections(self.folder)

    def check_files(self, on_progress: Callable[[int, int], None] | None = None) -> list[Damage]:
        """The files of a finished volume that are no longer what was written; see `stp3.verify`."""
        from stp3.verify import check_units

        return check_units(self.folder, self.files, on_progress)


def open_volume(folder: str | os.PathLike[str]) -> Volume:
    """The volume in a folder, finished or not. Raises UsageFault when the folder holds none."""
    root = Path(folder)
    content = _described(root)
    if content is None or "shape" not in content:
        raise UsageFault(f"{root} holds no volume (there is no complete {_DESCRIPTION} in it).")
    layout = Layout(
        folder=root,
        format=content["format"],
        rows=range(*content["rows"]),
        slab_rows=content["slab_rows"],
        slice_shape=(content["shape"][1], content["shape"][2]),
        dtype=np.dtype(content["dtype"]),
        voxel_size_um=content["voxel_size_um"],
        grey_range=tuple(content["grey_range"]) if content["grey_range"] else None,
        fingerprint=content["recipe_fingerprint"],
        recipe=content["recipe"],
        provenance=content["provenance"],
        unit=content.get("unit", ""),
    )
    return Volume(root, find_writer(layout.format)(layout), content)


def is_volume(folder: Path) -> bool:
    """True when the folder holds a volume, finished or not."""
    content = _described(folder)
    return content is not None and "stp3_volume" in content


def is_owner(folder: Path, owner: str) -> bool:
    """True when the volume in the folder was begun by this owner."""
    content = _described(folder)
    return content is not None and content.get("owner") == owner


def check_free(folder: Path, owner: str) -> None:
    """Raises UsageFault when a folder holds anything that is not this owner's own volume."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageFault(f"{folder} is a file. Give a new or empty folder for the volume.")
    if is_owner(folder, owner):
        return
    if any(not path.name.endswith(".part") for path in folder.iterdir()):
        raise UsageFault(f"{folder} is not empty; a volume is never written over. Give a new or empty folder.")


def claim(folder: Path, owner: str) -> None:
    """Makes the folder this owner's: of two that ask at the same time one is refused. Raises UsageFault."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if is_owner(folder, owner):
            return
        check_free(folder, owner)
        draft = folder / f".{_DESCRIPTION}.{os.getpid()}.part"
        draft.write_text(json.dumps({"stp3_volume": _FORMAT, "state": "claimed", "owner": owner}))
        try:
            os.link(draft, folder / _DESCRIPTION)
        finally:
            draft.unlink()
        sync_folder(folder)
    except FileExistsError:
        raise UsageFault(f"{folder} has just been taken by another job. Give a new or empty folder.") from None
    except OSError as error:
        raise refusal(error, folder, 0) from error


def check_space(writer: Writer, bytes_there: int = 0) -> None:
    """Raises Stp3Error when the disk cannot hold what is missing of the volume."""
    layout = writer.layout
    needed = int(layout.nbytes * writer.space_factor) - bytes_there
    free = shutil.disk_usage(layout.folder).free
    if needed > free:
        raise Stp3Error(
            f"the volume needs {in_bytes(needed)} in {layout.folder}, the disk has {in_bytes(free)} free. "
            "Free space, choose another folder or fewer rows."
        )


def store(writer: Writer, rows: range, slices: NDArray[Any], start: float | None = None) -> SlabRecord:
    """Stores a slab, what thumbnails will show of it and how often its values occur; on disk when this returns.

    `start` is the moment (time.perf_counter) at which work on the slab began. Raises Stp3Error.
    """
    start = time.perf_counter() if start is None else start
    units = (*writer.write(rows, slices), keep_sections(writer.layout, rows, slices))
    histogram = Histogram.of(slices)
    return SlabRecord(rows, units, time.perf_counter() - start, os.getpid(), histogram)


def complete(writer: Writer, records: list[SlabRecord], owner: str) -> None:
    """Makes the finished volume of all slabs. May be called again after a crash. Raises Stp3Error."""
    records = sorted(records, key=lambda record: record.rows.start)
    layout = replace(writer.layout, provenance={**writer.layout.provenance, "ended": now()})
    writer, histogram = type(writer)(layout), histogram_of(records)
    files = writer.finish(records)
    files += write_thumbnails(layout, records, histogram)
    describe(layout, owner, files=files, histogram=histogram)
    writer.tidy()
    remove_sections(layout.folder)


def describe(
    layout: Layout, owner: str, *, files: Iterable[Unit] | None = None, histogram: Histogram | None = None
) -> None:
    """Writes what is known of a volume beside it; with `files` it is complete. Raises Stp3Error."""
    recipe = write_unit(layout.folder, _RECIPE, [layout.recipe.encode()])
    content = {
        "stp3_volume": _FORMAT,
        "state": "writing" if files is None else "complete",
        "owner": owner,
        "format": layout.format,
        "shape": list(layout.shape),
        "dtype": layout.dtype.name,
        "rows": [layout.rows.start, layout.rows.stop],
        "slab_rows": layout.slab_rows,
        "voxel_size_um": layout.voxel_size_um,
        "grey_range": layout.grey_range,
        "value": layout.value_name,
        "unit": layout.unit,
        "histogram": histogram.in_words() if histogram else None,
        "clipped_percent": histogram.clipped_percent if histogram and layout.grey_range else None,
        "recipe_fingerprint": layout.fingerprint,
        "recipe": layout.recipe,
        "provenance": dict(layout.provenance),
        "files": [unit.as_dict() for unit in [*files, recipe]] if files is not None else [],
    }
    write_text(layout.folder / _DESCRIPTION, _as_json(content))


def _as_json(content: Any) -> str:
    """Plain data as JSON for people to read: lists of numbers stand on one line."""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    return re.sub(r"\[\n[\d\s,.eE+-]*\n *\]", lambda found: " ".join(found[0].split()), text) + "\n"


def _described(folder: Path) -> dict[str, Any] | None:
    try:
        content = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
