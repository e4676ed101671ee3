"""What stands around the voxels of an HDF5 volume, in the words of NeXus (NXtomoproc).

All of it is written before the first voxel. What is known only at the end has its room in the file: HDF5 opens the
file for writing once, and a process that is killed later can damage nothing but its own slab.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from stp3.histogram import MOST_BINS
from stp3.writers.base import Layout, SlabRecord, histogram_of

DATA = "/entry/data/data"
_TIME = "S24"


def describe(file: h5py.File, layout: Layout) -> None:
    """Everything but the voxels, whose room is the last in the file."""
    _group(file, "/", "NXroot", default="entry", creator="STP3")
    entry = _group(file, "entry", "NXentry", default="data")
    entry["definition"] = "NXtomoproc"
    entry["title"] = layout.title
    entry["program_name"] = "STP3"
    entry["start_time"] = str(layout.provenance.get("started", ""))
    _add_room(file, "entry/end_time", np.zeros((), _TIME))
    _group(file, "entry/instrument", "NXinstrument")
    _group(file, "entry/instrument/source", "NXsource")["probe"] = "x-ray"
    _group(file, "entry/sample", "NXsample")["name"] = layout.title
    _describe_process(file, layout)
    _describe_histogram(file, layout)
    _describe_data(file, layout)


def last_words(layout: Layout, records: Sequence[SlabRecord]) -> Mapping[str, NDArray[Any]]:
    """What is known at the end, by the path of its room."""
    words = {"entry/end_time": np.array(str(layout.provenance.get("ended", "")), _TIME), **_checksums(layout, records)}
    if histogram := histogram_of(records):
        counts = np.zeros(MOST_BINS, np.int64)
        counts[: len(histogram.counts)] = histogram.counts
        words |= {
            "entry/histogram/counts": counts,
            "entry/histogram/value": (histogram.first + 0.5 + np.arange(MOST_BINS)) * 2.0**histogram.exponent,
            "entry/histogram/bin_width": np.array(2.0**histogram.exponent),
            "entry/histogram/clipped_percent": np.array(histogram.clipped_percent),
        }
    return words


def _describe_process(file: h5py.File, layout: Layout) -> None:
    process = _group(file, "entry/reconstruction", "NXprocess")
    process["program"] = "STP3"
    process["version"] = str(layout.provenance.get("versions", {}).get("stp3", ""))
    process["date"] = str(layout.provenance.get("started", ""))
    parameters = _group(file, "entry/reconstruction/parameters", "NXparameters")
    parameters["raw_file"] = str(layout.provenance.get("scan", {}).get("path", ""))
    parameters["recipe"] = layout.recipe
    parameters["recipe_fingerprint"] = layout.fingerprint
    parameters["provenance"] = json.dumps(dict(layout.provenance))
    if layout.voxel_size_um:
        parameters["voxel_size"] = layout.voxel_size_um
        parameters["voxel_size"].attrs["units"] = "um"
    _group(file, "entry/reconstruction/checksums", "NXcollection")
    for name, room in _checksums(layout, ()).items():
        _add_room(file, name, room)


def _checksums(layout: Layout, records: Sequence[SlabRecord]) -> dict[str, NDArray[Any]]:
    """The rows of each slab and the XXH3 (128 bits) of its voxels; zeros and nothing before they are known."""
    slabs = -(-len(layout.rows) // layout.slab_rows)
    rows, sums = np.zeros((slabs, 2), np.int64), np.zeros(slabs, "S32")
    for number, record in enumerate(records):
        rows[number] = record.rows.start, record.rows.stop
        sums[number] = record.units[0].xxh128.encode()
    place = "entry/reconstruction/checksums"
    return {f"{place}/rows": rows, f"{place}/xxh3_128": sums}


def _describe_histogram(file: h5py.File, layout: Layout) -> None:
    group = _group(file, "entry/histogram", "NXdata", signal="counts", axes=["value"], value_indices=0)
    group.attrs["title"] = f"How often each {layout.value_name} occurs"
    _add_room(file, "entry/histogram/counts", np.zeros(MOST_BINS, np.int64))
    _add_room(file, "entry/histogram/value", np.arange(MOST_BINS, dtype=np.float64))  # the middles of the bins
    _add_room(file, "entry/histogram/bin_width", np.zeros(()))
    _add_room(file, "entry/histogram/clipped_percent", np.zeros(2))


def _describe_data(file: h5py.File, layout: Layout) -> None:
    group = _group(file, "entry/data", "NXdata", signal="data", axes=["z", "y", "x"], title=layout.title)
    for axis, (name, length) in enumerate(zip("zyx", layout.shape, strict=True)):
        group[name] = np.arange(length) * (layout.voxel_size_um or 1.0)
        group[name].attrs["units"] = "um" if layout.voxel_size_um else "pixel"
        group[name].attrs["long_name"] = f"{name} ({'µm' if layout.voxel_size_um else 'pixel'})"
        group.attrs[f"{name}_indices"] = axis
    data = _allocated(file, DATA, layout.shape, layout.dtype)
    data.attrs.update({"interpretation": "image", "first_row": layout.rows.start, "long_name": layout.value_name})
    if not layout.grey_range:
        data.attrs["units"] = layout.unit
        return
    low, high = layout.grey_range
    scaling = (high - low) / np.iinfo(layout.dtype).max
    data.attrs.update({"grey_range": layout.grey_range, "offset": low, "scaling": scaling, "units": ""})
    data.attrs["transform"] = f"value in {layout.unit or 'its unit'} = offset + scaling * stored number"


def _group(file: h5py.File, path: str, nexus_class: str, **attributes: Any) -> h5py.Group:
    group = file.require_group(path)
    group.attrs["NX_class"] = nexus_class
    group.attrs.update(attributes)
    return group


def _add_room(file: h5py.File, path: str, content: NDArray[Any]) -> None:
    _allocated(file, path, content.shape, content.dtype)[()] = content


def _allocated(file: h5py.File, path: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> h5py.Dataset:
    """A contiguous dataset that has its place in the file from now on."""
    created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    created.set_layout(h5py.h5d.CONTIGUOUS)
    created.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    created.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    parent, _, name = path.rpartition("/")
    group = file.require_group(parent)
    kind = h5py.h5t.py_create(dtype, logical=True)
    h5py.h5d.create(
        group.id,
        name.encode(),
        kind,
        h5py.h5s.create_simple(shape) if shape else h5py.h5s.create(h5py.h5s.SCALAR),
        created,
    )
    return group[name]
