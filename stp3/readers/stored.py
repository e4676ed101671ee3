"""What of a dataset is really on disk: HDF5 reads the rest as zeros, without an error."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from stp3.readers.hdf5 import opened, referred

_MOST_CHUNKS = 300_000  # more of them are looked up in a few places of each frame


def missing_share(dataset: h5py.Dataset) -> float:
    """The share of the dataset (0 to 1) that was never written, or that the file ends before."""
    if dataset.is_virtual or dataset.chunks is None:
        return float(unwritten(dataset).mean()) if dataset.size else 0.0
    expected = _chunks_expected(dataset)
    return 1 - int(dataset.id.get_num_chunks()) / expected if expected else 0.0


def unwritten(dataset: h5py.Dataset, axis: int = 0) -> NDArray[np.bool_]:
    """Which frames were not written, or not all of them; `axis` counts the frames. Shape (frames,)."""
    if not dataset.size:
        return np.zeros(dataset.shape[axis], np.bool_)
    if dataset.is_virtual:
        return _unmapped(dataset, axis)
    size = os.path.getsize(dataset.file.filename)  # noqa: PTH202 - h5py gives text
    return _cut_off(dataset, axis, size) if dataset.chunks is None else _without_chunks(dataset, axis, size)


def files_behind(dataset: h5py.Dataset) -> set[Path]:
    """The files in which the values lie, this dataset's own included; all must have been checked before."""
    own = Path(os.path.realpath(dataset.file.filename))
    files = {own}
    if dataset.is_virtual:
        for filename, name in {(source.file_name, source.dset_name) for source in dataset.virtual_sources()}:
            if filename != ".":
                with opened(referred(own, filename)) as other:
                    files |= files_behind(other[name])
    return files


def _chunks_expected(dataset: h5py.Dataset) -> int:
    return int(np.prod([-(-size // chunk) for size, chunk in zip(dataset.shape, dataset.chunks, strict=True)]))


def _cut_off(dataset: h5py.Dataset, axis: int, file_size: int) -> NDArray[np.bool_]:
    """One piece of the file: not there at all, or its end behind the end of the file."""
    if not dataset.id.get_storage_size():
        return np.ones(dataset.shape[axis], np.bool_)
    offset = dataset.id.get_offset()
    there = (file_size - offset) // dataset.dtype.itemsize if offset is not None else dataset.size
    if there >= dataset.size:
        return np.zeros(dataset.shape[axis], np.bool_)
    if axis:
        return np.ones(dataset.shape[axis], np.bool_)
    return np.asarray(np.arange(1, dataset.shape[0] + 1) * (dataset.size // dataset.shape[0]) > there)


def _without_chunks(dataset: h5py.Dataset, axis: int, file_size: int) -> NDArray[np.bool_]:
    frames, height = dataset.shape[axis], dataset.chunks[axis]
    if _chunks_expected(dataset) > _MOST_CHUNKS:
        if int(dataset.id.get_num_chunks()) == _chunks_expected(dataset):
            return np.zeros(frames, np.bool_)
        return _looked_up(dataset, axis)
    each = np.zeros(-(-frames // height), np.int64)

    def count(chunk: Any) -> None:
        if chunk.byte_offset + chunk.size <= file_size:
            each[chunk.chunk_offset[axis] // height] += 1

    dataset.id.chunk_iter(count)
    return np.asarray(np.repeat(each * len(each) < _chunks_expected(dataset), height)[:frames])


def _looked_up(dataset: h5py.Dataset, axis: int) -> NDArray[np.bool_]:
    """From the first, the middle and the last chunk of each frame."""
    height, places = dataset.chunks[axis], []
    for share in (0.0, 0.5, 1.0):
        at = [int(share * ((size - 1) // chunk)) * chunk for size, chunk in zip(dataset.shape, dataset.chunks)]  # noqa: B905
        places.append(at)
    missing = np.zeros(dataset.shape[axis], np.bool_)
    for start in range(0, dataset.shape[axis], height):
        for place in places:
            place[axis] = start
            if dataset.id.get_chunk_info_by_coord(tuple(place)).byte_offset is None:
                missing[start : start + height] = True
    return missing


def _unmapped(dataset: h5py.Dataset, axis: int) -> NDArray[np.bool_]:
    """Frames that no source covers, and those that a source lacks itself."""
    frames = dataset.shape[axis]
    covered, missing = np.zeros(frames, np.int64), np.zeros(frames, np.bool_)
    known: dict[tuple[str, str], NDArray[np.bool_]] = {}
    for source in dataset.virtual_sources():
        key = source.file_name, source.dset_name
        if key not in known:
            known[key] = _of_source(dataset, *key, axis)
        there = _selected(source.vspace, axis, frames)
        from_there = _selected(source.src_space, axis, len(known[key]))
        covered[there.start : there.stop] += _points(source.vspace, dataset.size) // max(len(there), 1)
        lacking = known[key][from_there.start : from_there.stop]
        if len(lacking) < len(there):  # the source is shorter than promised
            lacking = np.append(lacking, np.ones(len(there) - len(lacking), np.bool_))
        missing[there.start : there.stop] |= lacking if len(lacking) == len(there) else lacking.any()
    return np.asarray(missing | (covered < dataset.size // frames))


def _selected(space: h5py.h5s.SpaceID, axis: int, frames: int) -> range:
    """The frames between the first and the last that are selected, all of `frames` where HDF5 does not say."""
    try:
        first, last = (int(bound[axis]) for bound in space.get_select_bounds())
    except (ValueError, RuntimeError, IndexError):
        return range(frames)
    return range(first, last + 1)


def _points(space: h5py.h5s.SpaceID, most: int) -> int:
    """How many values are selected; `most` where there is no limit."""
    count = int(space.get_select_npoints())
    return count if 0 <= count <= most else most


def _of_source(dataset: h5py.Dataset, filename: str, name: str, axis: int) -> NDArray[np.bool_]:
    own = Path(dataset.file.filename)
    with opened(own if filename == "." else referred(own, filename)) as other:
        return unwritten(other[name], min(axis, other[name].ndim - 1))
