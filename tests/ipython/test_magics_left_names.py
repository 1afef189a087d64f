"""What the last item leaves in the notebook can be used there, though workers have made it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ipython.conftest import Shell

SETUP = """
import csv, io, sqlite3, threading
def slow(n): return sum(range(n + 3))
class Base:
    def __init__(self): self.connection = sqlite3.connect(":memory:")
    def ask(self, *query): return self.connection.execute(*query).fetchall()
"""
WAYS = ["threads", "processes"]
LEFT = {
    "a connection": (
        """
for i in range(6):
    con = sqlite3.connect(':memory:')
    total = slow(con.execute('SELECT ?', (i,)).fetchone()[0])""",
        "con.execute('SELECT 7').fetchone()",
        (7,),
    ),
    "one of a `with`": (
        """
for i in range(6):
    with sqlite3.connect(':memory:') as con:
        con.execute('CREATE TABLE t AS SELECT ? AS x', (i,))
    total = slow(i)""",
        "con.execute('SELECT x FROM t').fetchall()",
        [(5,)],
    ),
    "in an object": (
        """
for i in range(6):
    base = Base()
    base.ask('CREATE TABLE t AS SELECT ? AS x', (i,))
    total = slow(i)""",
        "base.ask('SELECT x FROM t')",
        [(5,)],
    ),
    "values of a thread": (
        """
for i in range(6):
    own = threading.local()
    own.x = slow(i)
    total = own.x""",
        "own.x",
        28,
    ),
    "a lock that is held": (
        """
for i in range(6):
    lock = threading.RLock()
    lock.acquire()
    total = slow(i)""",
        "lock.release()",
        None,
    ),
    "a writer and its buffer": (
        """
for i in range(6):
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([slow(i)])""",
        "(writer.writerow('ab'), buffer.getvalue())",
        (5, "28\r\na,b\r\n"),
    ),
    "a connection of a comprehension": (
        """
r = [slow(i) for i in range(6) if (con := sqlite3.connect(':memory:'))]""",
        "con.execute('SELECT 7').fetchone()",
        (7,),
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("left", LEFT)
def test_it_can_be_used(shell: Shell, left: str, way: str) -> None:
    cell, use, value = LEFT[left]
    shell.run(SETUP)
    shell.run(f"%%parallel -b {way} -w 2\n{cell}\n")
    shell.run(f"told = {use}")
    assert shell.names["told"] == value


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the cell leaves its files open
@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_is_not_closed_is_the_notebooks(shell: Shell, tmp_path: Path, way: str) -> None:
    shell.run(SETUP + f"folder = {str(tmp_path)!r}")
    cell = """for i in range(4):
    log = open(f'{folder}/{i}', 'w')
    rows = csv.writer(log)
    rows.writerow([slow(i)])"""
    shell.run(f"%%parallel -b {way} -w 2\n{cell}")
    shell.run("rows.writerow([7])\nlog.close()")
    assert [len((tmp_path / str(i)).read_text().splitlines()) for i in range(4)] == [1, 1, 1, 2]
