"""The same submission twice is one job: the caller's key stands for the job's id from before the job is recorded."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from stp3.cluster.run_folder import ID_PATTERN, new_id
from stp3.durable import write_text


@contextmanager
def id_for(key: str | None, jobs_folder: Path) -> Iterator[str]:
    """The id of the job with that key, a new one for None; meanwhile nobody else gets the id of this key."""
    if key is None:
        yield new_id()
        return
    folder = jobs_folder / ".keys"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / hashlib.sha256(key.encode()).hexdigest()
    with open(path.with_suffix(".lock"), "a", opener=partial(os.open, mode=0o600)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = path.read_text(encoding="ascii").strip() if path.exists() else ""
        if not ID_PATTERN.fullmatch(known):
            known = new_id()
            write_text(path, known + "\n")
        yield known
