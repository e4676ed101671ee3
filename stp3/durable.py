"""Files that are either not there or complete, whatever happens while they are written."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterable, Mapping
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

    With `offset` it is that part of the file. XXH3 of 128 bits keeps up with a fast disk, where SHA-256 would take as
    long as half a reconstruction; `xxhsum -H2` prints it.
    """

    path: str
    bytes: int
    xxh128: str
    offset: int | None = None

    @property
    def is_hidden(self) -> bool:
        """True for what only a running job needs."""
        return self.path.startswith(".")

    def as_dict(self) -> dict[str, Any]:
        """Plain data from which the unit can be made again."""
        return {name: value for name, value in vars(self).items() if value is not None}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Unit:
        """The unit of `as_dict`; what newer versions may add is left out."""
        return cls(content["path"], content["bytes"], content["xxh128"], content.get("offset"))

    def is_intact(self, folder: Path) -> bool:
        """True when the file is there with these very bytes."""
        return self.damage(folder) is None

    def damage(self, folder: Path, on_bytes: Callable[[int], None] | None = None) -> str | None:
        """What is wrong with the file, in words; None when it is there with these very bytes.

        `on_bytes` hears how many bytes were read since it was called last.
        """
        path = folder / self.path
        try:
            size = path.stat().st_size
            if size != self.bytes if self.offset is None else size < self.offset + self.bytes:
                return f"is {size} bytes long instead of {self.bytes + (self.offset or 0)}"
            found = checksum(path, self.offset or 0, self.bytes, on_bytes)
        except FileNotFoundError:
            return "is missing"
        except OSError as error:
            return f"cannot be read ({os.strerror(error.errno or 0)})"
        return None if found == self.xxh128 else "holds other bytes than were written"


def write_unit(folder: Path, name: str, parts: Iterable[Buffer]) -> Unit:
    """The file `folder/name` written so that it survives a power cut; its folder is not yet synced (`sync_folder`).

    Raises Stp3Error when the disk refuses.
    """
    path = folder / name
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    size, digest = 0, xxhash.xxh3_128()
    try:
        with open(temporary, "wb") as file:
            for part in parts:
                if not len(part):
                    continue
                view = _view(part).cast("B")
                size += view.nbytes
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


def checksum(
    path: Path, offset: int = 0, count: int | None = None, on_bytes: Callable[[int], None] | None = None
) -> str:
    """The XXH3 of a file or of `count` bytes of it, 128 bits in hexadecimal digits. Raises OSError."""
    digest, block = xxhash.xxh3_128(), memoryview(bytearray(_READ_BYTES))
    left = path.stat().st_size - offset if count is None else count
    with open(path, "rb", buffering=0) as file:
        file.seek(offset)
        while left > 0 and (read := file.readinto(block[: min(left, _READ_BYTES)])):
            digest.update(block[:read])
            left -= read
            if on_bytes:
                on_bytes(read)
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
