"""What readers of HDF5 formats have in common: which file is meant, and its safe opening."""

from __future__ import annotations

from pathlib import Path

from stp3 import config
from stp3.readers.hdf5 import misfit, opened, scan_file
from stp3.readers.quantities import Source
from stp3.scan import Scan, ScanIdentity


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
            return self.lacks(Source(h5, config.root_of(file)))

    def open(self, path: Path) -> Scan:
        """The scan, read lazily. Raises ScanFault."""
        file = scan_file(path)
        identity = ScanIdentity.of(file)
        with opened(file) as h5:
            return self.read(Source(h5, config.root_of(file)), file, identity)
