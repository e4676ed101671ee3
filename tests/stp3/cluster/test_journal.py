"""The journal keeps what it acknowledged, whatever tears its last line."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path

from stp3.cluster.journal import Journal, read_journal
from stp3.durable import Unit
from stp3.writers import SlabRecord

RECORD = SlabRecord(range(4, 8), (Unit("slices/a", 10, "ab"),), 0.5, 77)


def test_what_was_added_is_read(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.add("driver", fence=3)
    journal.add("slab", fence=3, **RECORD.as_dict())
    journal.close()
    account = read_journal(tmp_path / "journal.jsonl")
    assert (account.fence, account.slabs) == (3, {4: RECORD})


def test_no_journal_is_an_empty_one(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "journal.jsonl").slabs == {}


def test_every_possible_tear_of_the_last_line_costs_that_line_only(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.add("slab", **RECORD.as_dict())
    whole = path.stat().st_size
    journal.add("slab", **{**RECORD.as_dict(), "rows": [8, 12]})
    journal.close()
    content = path.read_bytes()
    for cut in range(whole, len(content)):
        path.write_bytes(content[:cut])
        assert list(read_journal(path).slabs) == [4]
        again = Journal(path)
        again.add("slab", **{**RECORD.as_dict(), "rows": [12, 16]})
        again.close()
        assert list(read_journal(path).slabs) == [4, 12]


def test_an_old_journal_and_a_newer_one_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(
        '{"kind":"slab","rows":[0,2],"units":[{"path":"a","bytes":1,"xxh128":"x"}]}\n'
        '{"kind":"weather","rows":[0,2]}\n'
        "[1]\n"
        '{"kind":"slab","rows":[2,4],"units":[{"path":"b","bytes":1,"xxh128":"y","tape":7}],"seconds":1,"mood":"good"}\n'
        '{"kind":"redo","rows":[0,2]}\n'
    )
    assert list(read_journal(path).slabs) == [2]


def test_a_full_disk_is_told_and_leaves_a_readable_journal(tmp_path: Path) -> None:
    script = f"""
        import resource
        from pathlib import Path
        from stp3.cluster.journal import Journal
        from stp3.errors import Stp3Error
        journal = Journal(Path({str(tmp_path)!r}) / "journal.jsonl")
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        try:
            for count in range(10):
                journal.add("driver", fence=count)
        except Stp3Error as error:
            print(count, error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert "no room for journal.jsonl" in done.stdout
    assert read_journal(tmp_path / "journal.jsonl").fence == int(done.stdout.split()[0]) - 1


def test_two_hundred_durable_lines_a_second(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    start = time.perf_counter()
    for count in range(200):
        journal.add("slab", **{**RECORD.as_dict(), "rows": [count, count + 1]})
    seconds = time.perf_counter() - start
    assert len(read_journal(tmp_path / "journal.jsonl").slabs) == 200
    assert seconds < 5, f"200 lines took {seconds:.1f} s; one second is the aim, this allows for a busy disk"
