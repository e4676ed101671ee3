"""What every reader must keep: subclass `ReaderContract` in a test and say how a scan of the format is written."""

# ruff: noqa: S101, S301 - a contract is a test
from __future__ import annotations

import os
import pickle
import time
from pathlib import Path

import numpy as np
import pytest

from stp3.errors import ScanFault
from stp3.readers import Reader, find_reader
from stp3.scan import Scan
from stp3.testing.practice import write_practice_scan
from stp3.testing.truth import Truth


class ReaderContract:
    """Override `reader` and `write`; add tests of the format's own traps."""

    reader: Reader
    suffix = ".h5"

    def write(self, path: Path) -> Truth:
        """Writes a practice scan of 12 angles x 5 rows x 32 columns in the format; gives its truth."""
        return write_practice_scan(path, columns=32, rows=5, angles=12, faults={"noise"}, format=self.reader.name)

    def file(self, path: Path) -> Path:
        """The file that holds the first projection."""
        return path

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / f"scan{self.suffix}"

    @pytest.fixture
    def truth(self, path: Path) -> Truth:
        return self.write(path)

    @pytest.fixture
    def scan(self, truth: Truth, path: Path) -> Scan:
        return self.reader.open(path)

    def test_it_knows_its_own_scans(self, truth: Truth, path: Path) -> None:
        assert self.reader.misfit(path) is None
        assert find_reader(path).name == self.reader.name

    def test_it_says_what_others_lack(self, tmp_path: Path) -> None:
        other = tmp_path / f"other{self.suffix}"
        other.write_bytes(b"not a scan")
        assert self.reader.misfit(other)
        with pytest.raises(ScanFault):
            self.reader.open(other)

    def test_it_tells_what_was_measured(self, scan: Scan, truth: Truth) -> None:
        assert scan.format == self.reader.name
        assert scan.projections.shape == (truth.angles, truth.rows, truth.columns)
        assert scan.projections.dtype == np.uint16
        np.testing.assert_allclose(scan.theta, truth.theta, atol=1e-9)
        assert scan.theta.dtype == np.float64
        assert scan.pixel_size_um == pytest.approx(truth.pixel_size_um)
        assert scan.energy_kev == pytest.approx(truth.energy_kev)
        assert scan.distance_mm == pytest.approx(truth.distance_mm)
        assert scan.sample == "practice phantom"
        assert [problem for problem in scan.problems if problem.level != "info"] == []

    def test_it_has_flats_of_before_and_after(self, scan: Scan, truth: Truth) -> None:
        assert scan.flats is not None
        assert scan.darks is not None
        assert scan.flats.shape == (truth.flats_before + truth.flats_after, truth.rows, truth.columns)
        assert scan.darks.shape == (truth.darks, truth.rows, truth.columns)
        assert (scan.flat_times < 0).sum() == truth.flats_before
        assert (scan.flat_times > truth.angles - 1).sum() == truth.flats_after
        assert scan.flats.read().mean() > 20 * scan.darks.read().mean()

    def test_frames_are_what_the_sample_lets_through(self, scan: Scan, truth: Truth) -> None:
        assert scan.flats is not None
        assert scan.darks is not None
        dark, flat = scan.darks.read().mean(axis=0), scan.flats.read().mean(axis=0)
        share = (scan.projections.read() - dark) / (flat - dark)
        np.testing.assert_allclose(-np.log(share[:, 2]), truth.sinogram(2), atol=0.25)

    def test_any_choice_of_rows_and_frames_is_read(self, scan: Scan) -> None:
        every = scan.projections.read()
        for rows in (None, range(5), range(1, 4), range(4, 5)):
            for frames in (None, [0], [0, 11], [3, 4, 5], [0, 3, 6, 9], [1, 2, 5, 7, 8, 9], [7, 2, 2, 11], []):
                numbers = None if frames is None else np.array(frames, np.intp)
                expected = every[:, rows.start : rows.stop] if rows else every
                np.testing.assert_array_equal(
                    scan.projections.read(rows, numbers), expected if numbers is None else expected[numbers]
                )

    def test_frames_travel_to_workers(self, scan: Scan) -> None:
        sent = pickle.dumps(scan)
        assert len(sent) < 20_000
        np.testing.assert_array_equal(pickle.loads(sent).projections.read(), scan.projections.read())

    def test_a_folder_that_holds_one_scan_opens_it(self, truth: Truth, path: Path) -> None:
        assert find_reader(path.parent).open(path.parent).path == path

    def test_a_changed_file_is_noticed(self, scan: Scan, path: Path) -> None:
        scan.check_unchanged()
        os.utime(self.file(path), ns=(0, 0))
        with pytest.raises(ScanFault, match="changed"):
            scan.check_unchanged()

    def test_a_file_cut_short_is_refused_in_words(self, truth: Truth, path: Path) -> None:
        file = self.file(path)
        os.truncate(file, file.stat().st_size // 2)
        with pytest.raises(ScanFault, match=r"cut short|damaged"):
            self.reader.open(path)

    def test_a_vanished_file_is_a_fault_of_the_scan(self, scan: Scan, path: Path) -> None:
        self.file(path).unlink()
        with pytest.raises(ScanFault):
            scan.projections.read()

    def test_a_pipe_is_not_waited_for(self, path: Path) -> None:
        file = self.file(path)
        file.parent.mkdir(exist_ok=True)
        os.mkfifo(file)
        start = time.monotonic()
        assert file != path or self.reader.misfit(path)
        with pytest.raises(ScanFault):
            self.reader.open(path)
        assert time.monotonic() - start < 1

    def test_the_file_is_never_written_to(self, truth: Truth, path: Path) -> None:
        file = self.file(path)
        before = file.read_bytes(), file.stat().st_mtime_ns
        file.chmod(0o400)
        self.reader.open(path).projections.read()
        assert (file.read_bytes(), file.stat().st_mtime_ns) == before
