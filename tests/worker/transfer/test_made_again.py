"""What a worker makes itself is made once, looked at, and closed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from concompare.worker.transfer.made_again import Made, close_all, made_again, making


@pytest.fixture
def path(tmp_path: Path) -> str:
    with sqlite3.connect(tmp_path / "some.db") as made:
        made.execute("CREATE TABLE t (x)")
        made.execute("INSERT INTO t VALUES (7)")
    made.close()
    return str(tmp_path / "some.db")


def test_it_is_made_once_with_its_settings_and_closed(path: str) -> None:
    things: dict[str, Made] = {}
    with making(things):
        one = made_again("a", "conn", sqlite3.connect, (path,), {}, {"row_factory": sqlite3.Row})
        other = made_again("a", "conn", sqlite3.connect, (path,), {}, {})
        third = made_again("b", "conn", sqlite3.connect, (path,), {}, {})
    assert one is other
    assert third is not one
    assert one.execute("SELECT x FROM t").fetchone()["x"] == 7
    close_all(things)
    assert things == {}
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        one.execute("SELECT 1")


@pytest.mark.parametrize(
    "statement",
    [
        *("INSERT INTO t VALUES (1)", "UPDATE t SET x = 1", "DELETE FROM t", "CREATE TABLE u (x)", "DROP TABLE t"),
        *("CREATE TEMP TABLE u (x)", "ATTACH ':memory:' AS other", "PRAGMA user_version = 3", "BEGIN", "VACUUM"),
        "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a",
    ],
)
def test_a_database_is_not_changed_and_the_attempt_is_noted(path: str, statement: str) -> None:
    things: dict[str, Made] = {}
    with making(things):
        made = made_again("a", "conn", sqlite3.connect, (path,), {}, {})
    with pytest.raises(sqlite3.DatabaseError):
        made.execute(statement)
    assert things["a"].wrote == "an item changes the database"
    assert made.execute("SELECT * FROM t").fetchall() == [(7,)]
    close_all(things)


@pytest.mark.parametrize(
    "statement",
    [
        "WITH RECURSIVE a(n) AS (SELECT 1 UNION SELECT n + 1 FROM a WHERE n < 3) SELECT max(n) FROM a",
        *("PRAGMA table_info(t)", "SELECT name FROM pragma_table_info('t')", "PRAGMA user_version", "EXPLAIN SELECT 1"),
    ],
)
def test_queries_are_no_changes(path: str, statement: str) -> None:
    things: dict[str, Made] = {}
    with making(things):
        made = made_again("a", "conn", sqlite3.connect, (path,), {}, {})
    assert made.execute(statement).fetchall()
    made.commit()
    assert things["a"].wrote == ""
    close_all(things)


def test_it_is_noticed_that_a_file_was_read_on(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("first\nsecond\n")
    things: dict[str, Made] = {}
    with making(things):
        file = made_again("a", "file", open, (tmp_path / "text",), {}, {})
    assert not things["a"].is_moved()
    assert file.readline() == "first\n"
    assert things["a"].is_moved()
    close_all(things)
    assert file.closed


def test_what_has_no_close_is_disposed_of() -> None:
    class Engine:
        disposed = 0

        def dispose(self) -> None:
            Engine.disposed += 1

    things = {"it": Made("it", Engine())}
    close_all(things)
    assert Engine.disposed == 1
    assert not things
