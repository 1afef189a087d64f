"""Methods of Python's own library of which no table tells, and which change their object or do not."""

from __future__ import annotations

import graphlib
import html.parser
import logging
import queue
import statistics
import string
import threading
import types

import pytest

from concompare.cells.effects.own_state import changes_itself
from tests.cells import programs
from tests.cells.pool_cells import cells_of


class Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []


class Apart:
    """Has methods that look like those of the library."""

    def count(self) -> None:
        self.counted = 1


CHANGING = [
    *((graphlib.TopologicalSorter, name) for name in ("add", "prepare", "get_ready", "done", "static_order")),
    *((Tags, name) for name in ("feed", "close", "reset")),
]
LOOKING = [
    *((graphlib.TopologicalSorter, name) for name in ("is_active", "__bool__", "nothing")),
    *((statistics.NormalDist, name) for name in ("pdf", "cdf", "mean", "zscore")),
    *((string.Template, "substitute"), (types.SimpleNamespace, "n"), (Apart, "count")),
    *((threading.Event, "set"), (queue.Queue, "put"), (logging.Logger, "info")),
]


@pytest.mark.parametrize(("kind", "name"), CHANGING)
def test_what_sets_attributes_or_fills_them_changes_its_object(kind: type, name: str) -> None:
    assert changes_itself(kind, name)


@pytest.mark.parametrize(("kind", "name"), LOOKING)
def test_what_only_looks_or_is_shared_by_threads_does_not(kind: type, name: str) -> None:
    assert not changes_itself(kind, name)


SETUP = (
    programs.SLOW
    + """
import graphlib, html.parser, string, statistics
ts = graphlib.TopologicalSorter({4: {2, 3}, 2: {1}, 3: {1}})
parser, out, xs = html.parser.HTMLParser(), [], [3, 1, 4]
normal, pattern = statistics.NormalDist(0, 1), string.Template("$a-$b")
"""
)
CELLS = cells_of("""
### an order of things that depend on each other
ts.prepare()
while ts.is_active():
    for n in sorted(ts.get_ready()):
        out.append(slow(n))
        ts.done(n)
### the same with one of them at a time
ts.prepare()
while ts:
    n, *others = ts.get_ready()
    out.append((slow(n), others))
    ts.done(n, *others)
### a parser that goes on
for x in xs:
    parser.feed(f"<a{slow(x)}>")
    out.append(parser.getpos())
### adding
for x in xs:
    ts.add(x + 10, slow(x))
left = list(ts.static_order())
""")
APART = cells_of("""
### methods that look
for x in xs:
    out.append((slow(x), normal.cdf(x), pattern.substitute(a=x, b=x)))
""")
END = "\nts = parser = normal = pattern = None"


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", CELLS)
def test_what_changes_itself_does_so_in_order(name: str, how: str) -> None:
    assert programs.compared(CELLS[name] + END, SETUP, how)[0] is None


@pytest.mark.parametrize("name", APART)
def test_what_looks_runs_in_workers(name: str) -> None:
    assert programs.in_workers(APART[name] + END, SETUP, "threads").left.error is None
