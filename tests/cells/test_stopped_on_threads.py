"""What stops early leaves later items as they were, though threads change the notebook's own."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from concompare import backends, engine
from concompare.cells.replay.collect import Collect
from tests.cells import compiled
from tests.cells.pool_cells import cells_of

SETUP = """
import itertools, threading
def go(row):
    if row[0]: stopped.wait(60)
    row.append(sum(row[0] * k for k in range(5)))
    return row[1]
rows = [[k] for k in range(8)]
"""
CELLS = cells_of("""
### any
r = any(go(row) >= 0 for row in rows)
### all
r = all(go(row) < 0 for row in rows)
### any map
r = any(map(lambda row: go(row) >= 0, rows))
### next filter
r = next(filter(lambda row: go(row) >= 0, rows))
### takewhile
r = list(itertools.takewhile(lambda row: go(row) < 0, rows))
### in a function
def run(rows): return any(go(row) >= 0 for row in rows)
r = run(rows)
""")


@pytest.mark.parametrize("name", CELLS)
def test_items_after_the_last_that_counts_are_as_they_were(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that are under way when it stops go on, and change their items after that."""
    stopped = threading.Event()
    stops = Collect.stops

    def told(self: Any, before: int) -> bool:
        found = stops(self, before)
        if found:
            stopped.set()
        return found

    monkeypatch.setattr(Collect, "stops", told)
    monkeypatch.setattr("builtins.stopped", stopped, raising=False)
    with engine.lease(backends.find("threads", {}), 2) as pool:
        left = compiled.run_on_engine(CELLS[name], SETUP, pool)
    assert left.error is None
    assert left.names["rows"] == [[0, 0], *[[k] for k in range(1, 8)]]
