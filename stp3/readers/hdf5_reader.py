"""What readers of HDF5 formats have in common: which file is meant, and its safe opening."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stp3 import config
from stp3.readers.hdf5 import STILL_OPEN, is_being_written, misfit, opened, scan_file
from stp3.readers.quantities import Source
from stp3.scan import Problem, Scan, ScanIdentity


class HDF5Reader:
    """A reader of one HDF5 format. Subclasses say what a file lacks to be of it, and read one that is."""

    name: str

    def lacks(self, source: Source) -> str | None:
        """What the opened file lacks to be of this format, in words; None when it is."""
        raise NotImplementedError

    def read(self, source: Source, file: Path, identity: ScanIdentity) -> Scan:
        """The scan in the opened file. Raises ScanFault."""
        raise NotImplementedError

    def misfit(self, path: Path) -> str | None:
        """What the file or folder lacks to be of this format, in words; None when it is."""
        if reason := misfit(path):
            return reason
        file = scan_file(path)
        with opened(file) as h5:
            source = Source(h5, config.root_of(file))
            lacks = self.lacks(source)
            return " ".join([lacks, *source.broken_links()[:1]]) if lacks else None

    def open(self, path: Path) -> Scan:
        """The scan, read lazily. Raises ScanFault."""
        file = scan_file(path)
        identity = ScanIdentity.of(file)
        with opened(file) as h5:
            source = Source(h5, config.root_of(file))
            if is_being_written(file):
                source.tell("red", f"{file.name} {STILL_OPEN}", "file.growing")
            return _with_links(self.read(source, file, identity), source)


def _with_links(scan: Scan, source: Source) -> Scan:
    """The scan with what its links lead to: nothing, which is told, or other files, which are part of its identity."""
    problems = [*scan.problems, *(Problem("amber", text, "links.broken") for text in source.broken_links())]
    others = sorted(str(file) for file in source.files - {scan.path.resolve()})
    if not others:
        return replace(scan, problems=tuple(problems))
    files = (scan.path.name, *others)
    return replace(scan, problems=tuple(problems), files=files, identity=ScanIdentity.of(scan.path, files))
