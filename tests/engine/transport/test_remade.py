"""Functions that capture what cannot be sent: the worker makes it again, one for all references to it."""

from __future__ import annotations

import io
import pickle
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import concompare
from concompare import backends, engine
from concompare.engine.transport.functions import ship
from concompare.errors import CannotShip, LostChanges
from concompare.testing import define
from concompare.worker.transfer.made_again import Made, close_all, making

LOOK_UP = "return conn.execute('SELECT y FROM t WHERE x = ?', (x,)).fetchone()[0]"


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    with sqlite3.connect(tmp_path / "some.db") as made:
        made.execute("CREATE TABLE t (x, y)")
        made.executemany("INSERT INTO t VALUES (?, ?)", [(x, x * x) for x in range(50)])
    made.close()
    (tmp_path / "text").write_text("".join(f"{x:4}\n" for x in range(50)))
    yield tmp_path / "some.db"
    for thing in [thing for function in FUNCTIONS for thing in function.__globals__.values()]:
        if isinstance(thing, (sqlite3.Connection, io.IOBase)):
            thing.close()
    FUNCTIONS.clear()


FUNCTIONS: list[Any] = []
"""Those of the test that runs."""


def notebook(*cells: str) -> Any:
    """Return the function `f` of cells that have run, in a namespace that knows them."""
    function = define("\n".join(cells))
    function.__globals__["_ih"] = list(cells)
    FUNCTIONS.append(function)
    return function


def looking_up(path: Path, body: str = LOOK_UP) -> Any:
    return notebook("import sqlite3, os", f"conn = sqlite3.connect({str(path)!r})", f"def f(x):\n    {body}")


def test_a_connection_crosses_as_the_call_that_makes_it(path: Path) -> None:
    function = looking_up(path, "return conn, {'same': conn}")
    things: dict[str, Made] = {}
    with making(things):
        found = pickle.loads(ship(function).blob)
    conn, holder = found(0)
    assert conn is holder["same"]
    assert conn is not function.__globals__["conn"]
    assert ship(function).remade == (f"`conn` is made once in each worker process: `sqlite3.connect({str(path)!r})`",)
    close_all(things)


def test_workers_elsewhere_make_nothing_again(path: Path) -> None:
    with pytest.raises(CannotShip, match=r"conn → sqlite3.Connection cannot be sent to another process: open it"):
        ship(looking_up(path), here=False)


def test_the_reason_says_why_not(path: Path) -> None:
    function = looking_up(path)
    function.__globals__["conn"].execute("INSERT INTO t VALUES (-1, 1)")
    with pytest.raises(CannotShip, match=r"nor made again there: it has changes.*call its commit\(\) first, or open"):
        ship(function)
    function.__globals__["conn"].rollback()
    lock = notebook("import threading", "lock = threading.Lock()", "def f(x):\n    return lock")
    with pytest.raises(CannotShip, match="lock cannot be sent to another process: make it inside"):
        ship(lock)


def test_what_else_cannot_be_sent_is_named_not_what_is_made_again(path: Path) -> None:
    function = looking_up(path, "return conn, lock")
    function.__globals__["lock"] = __import__("threading").Lock()
    with pytest.raises(CannotShip, match=r"f → global lock → _thread.lock cannot"):
        ship(function)


@pytest.mark.parametrize("plain", [False, True])
def test_items_look_up_on_workers_and_nothing_stays_open(path: Path, plain: bool) -> None:
    function = looking_up(path)
    opened = looking_up(path, "return len([one for one in os.listdir('/proc/self/fd') if 'some.db' in link(one)])")
    opened.__globals__["link"] = define("import os\ndef f(one):\n    return os.path.realpath(f'/proc/self/fd/{one}')")
    with engine.plain_way() if plain else engine.lease(backends.plain(), 1):
        assert concompare.map(function, range(50), backend="processes", workers=2) == [x * x for x in range(50)]
        assert concompare.map(function, range(50), backend="processes", workers=2) == [x * x for x in range(50)]
        opened.__globals__.pop("conn").close()
        if Path("/proc/self/fd").exists():
            assert concompare.map(opened, range(6), backend="processes", workers=2, chunk=1) == [0] * 6
        engine.close_pools()


def test_a_change_of_the_database_is_an_error_that_says_where_to_make_it(path: Path) -> None:
    function = looking_up(path, "return conn.execute('DELETE FROM t WHERE x = ?', (x,)).rowcount")
    with pytest.raises(CannotShip, match=r"an item changes the database by `conn`.*write it in the loop"):
        concompare.map(function, range(50), backend="processes", workers=2)
    caught = "try:\n        conn.execute('DELETE FROM t')\n    except Exception:\n        return 0"
    with pytest.raises(CannotShip, match=r"an item changes the database by `conn`"):
        concompare.map(looking_up(path, caught), range(50), backend="processes", workers=2)
    with sqlite3.connect(path) as there:
        assert there.execute("SELECT count(*) FROM t").fetchone() == (50,)
    there.close()


def test_a_file_is_opened_again_and_reading_on_in_it_is_a_change_that_is_lost(path: Path) -> None:
    line = f"file = open({str(path.parent / 'text')!r}, 'rb')"
    function = notebook("import os", line, "def f(x):\n    return int(os.pread(file.fileno(), 4, 5 * x))")
    if hasattr(__import__("os"), "pread"):
        assert concompare.map(function, range(50), backend="processes", workers=2) == list(range(50))
    moving = notebook(line, "def f(x):\n    file.seek(5 * x)\n    return int(file.readline())")
    with pytest.warns(LostChanges, match="`file`"):
        assert concompare.map(moving, range(50), backend="processes", workers=2) == list(range(50))
