from __future__ import annotations

import io
import pickle
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from concompare.worker.transfer import closed_files, pickling


def crossed(thing: Any) -> Any:
    return pickle.loads(pickling.pack(thing))


@pytest.mark.parametrize("mode", ["w", "a", "r", "r+", "w+", "wb", "rb", "ab", "rb+", "x", "xb"])
def test_a_closed_file_comes_back_as_one_of_the_same_name(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "lines"
    if "x" not in mode:
        path.write_text("first\n", encoding="utf-8")
    with open(path, mode) as file:
        pass
    before = path.read_bytes()
    other = crossed(file)
    assert type(other) is type(file)
    assert other.closed
    assert other.name == file.name
    assert repr(other).replace("'wb'", "'xb'") == repr(file).replace("'wb'", "'xb'")
    assert path.read_bytes() == before


def test_a_closed_file_without_a_buffer_comes_back(tmp_path: Path) -> None:
    file = io.FileIO(tmp_path / "raw", "w")
    file.close()
    other = crossed(file)
    assert type(other) is io.FileIO
    assert other.closed
    assert other.name == file.name


def test_a_closed_connection_comes_back() -> None:
    connection = sqlite3.connect(":memory:")
    assert not closed_files.is_closed_file(connection)
    connection.close()
    other = crossed(connection)
    with pytest.raises(sqlite3.ProgrammingError):
        other.execute("select 1")


def test_an_open_file_does_not(tmp_path: Path) -> None:
    with (tmp_path / "open").open("w") as file:
        assert not closed_files.is_closed_file(file)
        with pytest.raises(pickle.PicklingError):
            crossed(file)
