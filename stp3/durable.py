"""Files that are either not there or complete, whatever happens while they are written."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from stp3.errors import Stp3Error

Buffer = bytes | memoryview | NDArray[Any]
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Unit:
    """One finished file of a volume: its path inside the volume's folder, its size and its checksum.

    XXH3 of 128 bits keeps up with a fast disk, where SHA-256 would take as long as half a reconstruction;
    `xxhsum -H2` prints it.
    """

    path: str
    bytes: int
    xxh128: str

    def is_intact(self, folder: Path) -> bool:
        """True when the file is there with these very bytes."""
        path = folder / self.path
        try:
            return path.stat().st_size == self.bytes and checksum(path) == self.xxh128
        except OSError:
            return False


def write_unit(folder: Path, name: str, parts: Iterable[Buffer]) -> Unit:
    """The file `folder/name` written so that it survives a power cut; its folder is not yet synced (`sync_folder`).

    Raises Stp3Error when the disk refuses.
    """
    path = folder / name
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    views = [_view(part).cast("B") for part in parts if len(part)]
    size = sum(view.nbytes for view in views)
    digest = xxhash.xxh3_128()
    try:
        with open(temporary, "wb") as file:
            for view in views:
                digest.update(view)
                file.write(view)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise refusal(error, path, size) from error
    return Unit(name, size, digest.hexdigest())


def write_text(path: Path, text: str) -> None:
    """A small text file, durable together with its name. Raises Stp3Error when the disk refuses."""
    write_unit(path.parent, path.name, [text.encode()])
    sync_folder(path.parent)


def write_json(path: Path, content: Any) -> None:
    """Plain data as JSON, durable. Raises Stp3Error when the disk refuses."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def sync_folder(folder: Path) -> None:
    """The names in a folder are on disk when this returns. Raises Stp3Error."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise refusal(error, folder, 0) from error


def checksum(path: Path) -> str:
    """The XXH3 of a file, 128 bits in hexadecimal digits. Raises OSError."""
    digest = xxhash.xxh3_128()
    with open(path, "rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def remove_unfinished(folder: Path) -> None:
    """Takes away what writers that died left half written below a folder."""
    for path in folder.rglob(".*.part"):
        path.unlink(missing_ok=True)


def in_bytes(count: int) -> str:
    """A number of bytes as people read it: "13824000 bytes (13.2 MiB)"."""
    unit, name = (2**30, "GiB") if count >= 2**30 else (2**20, "MiB")
    return f"{count} bytes ({count / unit:.1f} {name})"


def _view(part: Buffer) -> memoryview:
    return part.data if isinstance(part, np.ndarray) else memoryview(part)


def refusal(error: OSError, path: Path, size: int) -> Stp3Error:
    """What to tell the user when the disk would not take `size` bytes at `path`."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in _NO_ROOM:
        return Stp3Error(
            f"no room for {path.name} in {path.parent} ({reason}): it needs {in_bytes(size)}. "
            "Free space or choose another folder, then go on."
        )
    return Stp3Error(f"{path} cannot be written: {reason}. Check the folder and its permissions, then go on.")
