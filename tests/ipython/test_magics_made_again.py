"""Cells that use a connection or a file of the notebook's: workers have one of their own, made by the same line."""

from __future__ import annotations

import sqlite3
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from concompare import engine
from tests.ipython.conftest import Shell


@pytest.fixture
def database(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A shell in a folder with a database of squares, and a connection to it in the notebook."""
    monkeypatch.chdir(tmp_path)
    with sqlite3.connect("some.db") as made:
        made.execute("CREATE TABLE t (x, y)")
        made.executemany("INSERT INTO t VALUES (?, ?)", [(x, x * x) for x in range(20)])
    made.close()
    shell.run("import sqlite3\npath = 'some.db'")
    shell.run("conn = sqlite3.connect(path)")
    shell.run("def heavy(n):\n    for _ in range(3): pass\n    return n + 1")
    yield shell
    for thing in list(shell.names.values()):
        if isinstance(thing, (sqlite3.Connection, zipfile.ZipFile)):
            thing.close()


SQUARE = "conn.execute('SELECT y FROM t WHERE x = ?', (x,)).fetchone()[0]"
SAID = "`conn` is made once in each worker process: `sqlite3.connect(path)`"
LOOKING_UP = {
    "a comprehension": f"found = [heavy({SQUARE}) for x in range(20)]",
    "a loop": f"found = []\nfor x in range(20):\n    y = {SQUARE}\n    found.append(heavy(y))",
    "a function": f"def one(x):\n    return heavy({SQUARE})\nfound = list(map(one, range(20)))",
    "an object of the notebook's": f"""
class Store:
    def __init__(self, conn):
        self.conn = conn
    def square(self, x):
        conn = self.conn
        return heavy({SQUARE})
store = Store(conn)
found = [store.square(x) for x in range(20)]
del store, Store""",
    "a loop in a function": f"def all_of():\n    return [heavy({SQUARE}) for x in range(20)]\nfound = all_of()",
    "a text with values": """
found = []
for x in range(20):
    query = f'SELECT y FROM t WHERE x = {x}'
    found.append(heavy(conn.execute(query).fetchone()[0]))""",
    "a frame": """
import pandas as pd
found = []
for x in range(20):
    frame = pd.read_sql('SELECT y FROM t WHERE x = ?', conn, params=(x,))
    found.append(heavy(int(frame['y'].iloc[0])))
del frame""",
    "a cursor": """
found = []
for x in range(20):
    cursor = conn.cursor()
    cursor.execute('SELECT y FROM t WHERE x = ?', (x,))
    found.append(heavy(cursor.fetchone()[0]))
del cursor""",
    "a constant": """
QUERY = '''-- a square
  select y from t where x = ?'''
found = [heavy(conn.execute(QUERY, (x,)).fetchone()[0]) for x in range(20)]""",
}


@pytest.mark.parametrize("cell", LOOKING_UP.values(), ids=LOOKING_UP.keys())
def test_queries_run_on_workers(cell: str, database: Shell) -> None:
    ran = database.run(f"%%parallel -b processes -w 2\n{cell}")
    assert database.names["found"] == [x * x + 1 for x in range(20)]
    assert SAID in ran.stdout
    assert "plain loop" not in ran.stdout


CHANGING = {
    "inserts": """
for x in range(20):
    conn.execute('INSERT INTO t VALUES (?, ?)', (x + 100, heavy(x)))
conn.commit()""",
    "looks up and inserts": f"""
for x in range(20):
    y = {SQUARE}
    conn.execute('INSERT INTO t VALUES (?, ?)', (x + 100, heavy(x) + 0 * y))
conn.commit()""",
    "inserts by another connection": """
other = sqlite3.connect(path)
for x in range(20):
    y = conn.execute('SELECT count(*) FROM t').fetchone()[0]
    other.execute('INSERT INTO t VALUES (?, ?)', (x + 100, heavy(x) + y - 20 - x))
    other.commit()
other.close()""",
    "inserts by a cursor": """
def write(x):
    conn.cursor().execute('INSERT INTO t VALUES (?, ?)', (x + 100, heavy(x)))
for x in range(20):
    write(x)
conn.commit()""",
}


@pytest.mark.parametrize("cell", CHANGING.values(), ids=CHANGING.keys())
def test_changes_stay_in_the_notebook_in_their_order(cell: str, database: Shell) -> None:
    database.run(f"%%parallel -b processes -w 2\n{cell}")
    rows = database.names["conn"].execute("SELECT x, y FROM t WHERE x >= 100 ORDER BY rowid").fetchall()
    assert rows == [(x + 100, x + 1) for x in range(20)]


def test_a_change_that_nothing_shows_before_goes_on_in_the_notebook(database: Shell) -> None:
    hidden = "eval('conn.execute(query, (x,)).rowcount', {**globals(), **locals()})"
    database.run(f"def look(x, query):\n    return heavy({hidden})")
    cell = "found = [look(x, 'DELETE FROM t WHERE x = ?' if x > 9 else 'SELECT 1 WHERE ?') for x in range(20)]"
    database.run(f"%%parallel -b processes -w 2 --assume-pure\n{cell}")
    assert database.names["found"] == [0] * 10 + [2] * 10
    assert database.names["conn"].execute("SELECT count(*) FROM t").fetchone() == (10,)


def test_what_is_not_made_again_runs_as_the_plain_loop_with_the_reason(database: Shell) -> None:
    database.run("conn.execute('INSERT INTO t VALUES (-1, 1)')")
    ran = database.run(f"%%parallel -b processes -w 2\nfound = [heavy({SQUARE}) for x in range(20)]")
    assert database.names["found"] == [x * x + 1 for x in range(20)]
    assert "ran as the plain loop" in ran.stdout + ran.shown
    assert "not committed" in ran.stdout + ran.shown
    database.run("conn.rollback()")


def test_auto_takes_processes_where_threads_cannot_use_it(database: Shell) -> None:
    database.run("def long(n):\n    return sum(i % 7 for i in range(300_000)) * 0 + n + 1")
    ran = database.run(f"%%parallel -w 2\nother = sqlite3.connect(path)\nfound = [long({SQUARE}) for x in range(20)]")
    assert database.names["found"] == [x * x + 1 for x in range(20)]
    assert "threads" not in ran.stdout + ran.shown


def test_a_connection_of_the_same_cell_is_made_again(database: Shell) -> None:
    square = SQUARE.replace("conn.", "mine.")
    cell = f"with sqlite3.connect('some.db') as mine:\n    found = [heavy({square}) for x in range(20)]"
    ran = database.run(f"%%parallel -b processes -w 2\n{cell}")
    assert database.names["found"] == [x * x + 1 for x in range(20)]
    assert "`mine` is made once in each worker process: `sqlite3.connect('some.db')`" in ran.stdout


def test_archives_are_read_on_workers(database: Shell) -> None:
    database.run("import zipfile\nwith zipfile.ZipFile('some.zip', 'w') as z:\n    z.writestr('a', 'aaa')")
    database.run("archive = zipfile.ZipFile('some.zip')")
    cell = "found = [heavy(len(archive.read('a'))) for x in range(20)]"
    ran = database.run(f"%%parallel -b processes -w 2\n{cell}")
    assert database.names["found"] == [4] * 20
    assert "`archive` is made once" in ran.stdout
    database.run("archive.close()")


def test_a_class_of_the_notebook_is_no_such_thing(database: Shell) -> None:
    database.run("import threading\nclass Mine:\n    def __init__(self):\n        self.lock = threading.Lock()")
    database.run("mine = Mine()\ndef use(n):\n    return heavy(n) if mine.lock else 0")
    ran = database.run("%%parallel -b processes -w 2\nfound = [use(x) for x in range(20)]")
    assert database.names["found"] == [x + 1 for x in range(20)]
    said = " ".join((ran.stdout + ran.shown).split())
    assert "use → global mine → .lock → _thread.lock cannot be sent to another process: make it inside" in said


def test_threads_cannot_use_it_and_say_so(database: Shell) -> None:
    ran = database.run(f"%%parallel -b threads -w 2\nfound = [heavy({SQUARE}) for x in range(20)]")
    assert database.names["found"] == [x * x + 1 for x in range(20)]
    assert "`conn` can only be used in the thread that made it; use -b processes" in ran.stdout + ran.shown


def test_it_is_explained(database: Shell) -> None:
    ran = database.run(f"%%parallel --explain\nfound = [heavy({SQUARE}) for x in range(20)]")
    assert "conn: made once in each worker process: sqlite3.connect(path)" in ran.stdout
    database.run(f"def get(x):\n    return heavy({SQUARE})")
    ran = database.run("%%parallel --explain\nfound = [get(x) for x in range(20)]")
    assert "conn: made once in each worker process: sqlite3.connect(path)" in ran.stdout
    database.run("conn.execute('INSERT INTO t VALUES (-1, 1)')")
    ran = database.run("%%parallel --explain\nfound = [get(x) for x in range(20)]")
    assert "conn: not for worker processes, since it has changes that are not committed" in ran.stdout
    database.run("conn.rollback()")


def test_the_notebook_can_write_at_once_afterwards(database: Shell) -> None:
    cell = f"found = [heavy({SQUARE}) for x in range(20)]"
    database.run(f"%%parallel -b processes -w 2\n{cell}\nwriter = sqlite3.connect(path, timeout=0)")
    database.run("writer.execute('DROP TABLE t')\nwriter.close()\nconn.close()")
    assert any(pool.near for pool in engine.pools())
