"""The file of records: whole or not at all, whatever byte a process was killed at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from concompare.engine.resume.journal import MAGIC, MARK, Journal
from concompare.errors import BadOption

RECORDS = [({"first": number}, bytes([number]) * 5 * number) for number in range(4)]


def written(path: Path) -> bytes:
    journal = Journal(path)
    for head, body in RECORDS:
        journal.append(head, body)
    journal.close()
    return path.read_bytes()


def read(path: Path) -> list[tuple[object, bytes]]:
    journal = Journal(path)
    try:
        return [(entry.head, journal.body(entry)) for entry in journal.entries]
    finally:
        journal.close()


def test_a_file_cut_at_any_byte_has_the_whole_records_before_it_and_takes_more(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole")
    ends = [len(written_part) for written_part in parts(tmp_path)]
    for size in range(len(whole)):
        path = tmp_path / "cut"
        path.write_bytes(whole[:size])
        kept = sum(end <= size for end in ends[1:])
        assert read(path) == RECORDS[:kept], size
        journal = Journal(path)
        journal.append({"more": 1}, b"last")
        journal.close()
        assert read(path) == [*RECORDS[:kept], ({"more": 1}, b"last")], size


def parts(folder: Path) -> list[bytes]:
    """Return the file after nothing, one record, two and so on."""
    path = folder / "parts"
    journal = Journal(path)
    found = [path.read_bytes()]
    for head, body in RECORDS:
        journal.append(head, body)
        found.append(path.read_bytes())
    journal.close()
    return found


def test_a_record_with_any_wrong_byte_is_left_out_and_those_around_it_are_there(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole")
    before, after = (len(part) for part in parts(tmp_path)[2:4])
    for place in range(before, after):
        path = tmp_path / "damaged"
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        assert read(path) == [*RECORDS[:2], RECORDS[3]], place


def test_a_body_that_looks_like_records_is_no_more_than_a_body(tmp_path: Path) -> None:
    inner = written(tmp_path / "inner")
    journal = Journal(tmp_path / "outer")
    journal.append({"first": 0}, inner + MARK)
    journal.close()
    assert read(tmp_path / "outer") == [({"first": 0}, inner + MARK)]


@pytest.mark.parametrize("there", [b"{}", b"# My notes\n" * 5, b"concompare results 2\n"])
def test_a_file_of_something_else_is_refused_and_left_as_it_is(there: bytes, tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_bytes(there)
    with pytest.raises(BadOption, match="has no results of a run: give another name"):
        Journal(path)
    assert path.read_bytes() == there
    path.write_bytes(MAGIC)
    Journal(path).close()  # the one before has let go of it


def test_two_runs_of_a_process_cannot_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "results"
    journal = Journal(path)
    (tmp_path / "link").symlink_to(path)
    for name in ("results", "link"):
        with pytest.raises(BadOption, match="another run is writing this file"):
            Journal(tmp_path / name)
    journal.close()
    Journal(path).close()


def test_two_processes_cannot_write_one_file(tmp_path: Path) -> None:
    try:
        import fcntl  # noqa: F401
    except ImportError:
        pytest.skip("nothing locks files here")
    journal = Journal(tmp_path / "results")
    code = (
        "import sys, pathlib; from concompare.engine.resume.journal import Journal; Journal(pathlib.Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, str(journal.path)]
    other = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "another process is writing this file: give each run a file of its own" in other.stderr
    journal.close()
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_file_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match=r"the file cannot be written \(.*\): give another"):
        Journal(tmp_path)
