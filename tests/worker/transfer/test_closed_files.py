"""Files that a worker opened are the same files in the notebook, as far as anybody can tell."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import pickle
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pytest

from concompare.worker.results import pack_names
from concompare.worker.transfer.pickling import pack


def crossed(**names: Any) -> dict[str, Any]:
    """Return names as the notebook gets them."""
    data = pack_names(names).data
    assert data is not None
    found = pickle.loads(data)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("mode", ["w", "a", "x", "r+", "wb", "ab", "rb", "r+b", "w+b"])
def test_a_closed_file_keeps_its_name_and_mode_and_is_not_touched(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "page.txt"
    if mode != "x":
        path.write_text("as it was")
    with open(path, mode) as file:
        pass
    path.write_text("written later")
    again = crossed(f=file)["f"]
    assert (type(again), again.name, again.mode, again.closed) == (type(file), file.name, file.mode, True)
    assert path.read_text() == "written later"


def test_a_closed_file_need_not_be_there_any_more(tmp_path: Path) -> None:
    with open(tmp_path / "gone", "w", encoding="latin-1", errors="replace") as file:
        pass
    (tmp_path / "gone").unlink()
    again = crossed(f=file)["f"]
    assert (again.name, again.encoding, again.errors) == (file.name, "latin-1", "replace")
    assert not (tmp_path / "gone").exists()
    with pytest.raises(ValueError, match="closed file"):
        again.read()


@pytest.mark.parametrize("mode", ["w", "w+", "wb", "w+b"])
def test_a_closed_file_that_was_opened_by_its_number_has_that_name(mode: str) -> None:
    with tempfile.TemporaryFile(mode) as file, open(file.fileno(), mode, closefd=False) as other:
        number = file.name
    for thing in (file, other):
        again = crossed(f=thing)["f"]
        assert (type(again), again.name, again.mode, again.closed) == (type(thing), number, thing.mode, True)


def name_told(file: Any) -> Any:
    """Return the name that a file tells, or the error of one that tells none any more: closed ones of Python 3.13."""
    try:
        return getattr(file, "name", None)
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize("mode", ["wb", "rb", "wt", "rt"])
@pytest.mark.parametrize("module", [gzip, bz2, lzma])
def test_a_closed_file_that_is_compressed_is_closed(tmp_path: Path, module: Any, mode: str) -> None:
    path = tmp_path / "packed"
    with module.open(path, "wt") as first:
        first.write("text")
    with module.open(path, mode) as file:
        pass
    again = crossed(f=file)["f"]
    plain, other = (getattr(thing, "buffer", thing) for thing in (file, again))
    assert (type(again), type(other), again.closed) == (type(file), type(plain), True)
    assert vars(other).keys() == vars(plain).keys()
    assert name_told(other) == name_told(plain)
    with pytest.raises(ValueError, match="closed"):
        again.read()
    with module.open(path, "rt") as kept:
        assert kept.read() == ("text" if mode.startswith("r") else "")


@pytest.mark.parametrize("mode", ["r", "rb"])
def test_a_file_left_open_for_reading_is_open_at_the_same_place(tmp_path: Path, mode: str) -> None:
    (tmp_path / "lines").write_text("one\ntwo\nthree\n")
    with open(tmp_path / "lines", mode) as file:
        file.readline()
        with crossed(f=file)["f"] as again:
            assert type(again) is type(file)
            assert again.read() == file.read()


def test_a_file_left_open_for_writing_is_left_out(tmp_path: Path) -> None:
    with open(tmp_path / "log", "w") as file:
        assert crossed(f=file, n=3) == {"n": 3, "_concompare_unsent": ("f",)}


def test_a_text_file_under_iteration_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "lines").write_text("one\ntwo\n")
    with open(tmp_path / "lines") as file:
        next(file)
        assert crossed(f=file) == {"_concompare_unsent": ("f",)}


def test_a_csv_writer_of_a_closed_file_keeps_its_dialect_and_its_error(tmp_path: Path) -> None:
    with open(tmp_path / "table.csv", "w", newline="") as file:
        writer = csv.writer(file, delimiter=";", quoting=csv.QUOTE_ALL)
        rows = csv.DictWriter(file, ["a", "b"])
    found = crossed(writer=writer, rows=rows)
    assert (found["writer"].dialect.delimiter, found["writer"].dialect.quoting) == (";", csv.QUOTE_ALL)
    assert found["rows"].fieldnames == ["a", "b"]
    for call in (writer.writerow, found["writer"].writerow):
        with pytest.raises(ValueError, match="closed file"):
            call([1, 2])


@pytest.mark.parametrize("delete", [True, False])
@pytest.mark.parametrize("mode", ["w", "w+b"])
def test_a_closed_file_with_a_name_for_the_time_is_that_file(tmp_path: Path, mode: str, delete: bool) -> None:
    with tempfile.NamedTemporaryFile(mode, dir=tmp_path, delete=delete) as file:
        file.write("x" if mode == "w" else b"x")
    again = crossed(f=file)["f"]
    assert (type(again), again.name, again.mode, again.closed) == (type(file), file.name, file.mode, True)
    assert again._closer.delete is delete
    again.close()
    del again, file
    assert [path.read_text() for path in tmp_path.iterdir()] == ([] if delete else ["x"])


def test_an_open_file_with_a_name_for_the_time_is_left_out(tmp_path: Path) -> None:
    with tempfile.NamedTemporaryFile("w", dir=tmp_path) as file:
        assert crossed(f=file, n=1) == {"n": 1, "_concompare_unsent": ("f",)}


def test_a_closed_connection_to_a_database_is_closed() -> None:
    connection = sqlite3.connect(":memory:")
    assert crossed(c=connection) == {"_concompare_unsent": ("c",)}
    connection.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        crossed(c=connection)["c"].execute("select 1")


def test_other_pickles_take_no_files(tmp_path: Path) -> None:
    with open(tmp_path / "page", "w") as file:
        pass
    with pytest.raises(pickle.PicklingError, match="closed"):
        pack([file])
    assert crossed(f=io.StringIO("text"))["f"].read() == "text"
