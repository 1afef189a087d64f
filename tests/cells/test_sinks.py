"""Bodies that look at what their output or log records end up in: each item sees what the plain loop has there."""

from __future__ import annotations

import pytest

from concompare import engine
from tests.cells import compiled, plainly, programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
import contextlib, io, logging, sys
xs, out, seen = [3, 1, 4, 1, 5, 9], [], []
buf, text = io.StringIO(), io.StringIO()
count = 0
log = logging.getLogger("concompare.tests.sinks")
log.propagate = False
log.setLevel(10)
class Keep(logging.Handler):
    def emit(self, record): seen.append(record.getMessage())
class Count(logging.Handler):
    def emit(self, record):
        global count
        count += 1
class Tee:
    def __init__(self): self.parts = []
    def write(self, s): self.parts.append(s); return len(s)
    def flush(self): pass
tee = Tee()
log.handlers[:] = [Keep(), Count(), logging.StreamHandler(text)]
log.filters[:] = []
def told(x): print("told", x); return slow(x)
def noted(x): log.info("item %d", x); return slow(x)
"""
)
LOOKED_AT = cells_of("""
### a buffer after each item
with contextlib.redirect_stdout(buf):
    for x in xs:
        r = told(x)
        out.append((r, buf.getvalue()))
### a buffer before the work
with contextlib.redirect_stdout(buf):
    for x in xs:
        print("begun")
        n = buf.tell()
        out.append(told(x) + n)
### a buffer in a comprehension
with contextlib.redirect_stdout(buf):
    out = [(told(x), len(buf.getvalue())) for x in xs]
### what has `write` in an own class
with contextlib.redirect_stdout(tee):
    for x in xs:
        out.append(told(x) + len("".join(tee.parts)))
### the list that a handler fills
for x in xs:
    r = noted(x)
    out.append((r, len(seen)))
### a list that handlers and the body fill
for x in xs:
    seen.append(f"own {x}")
    out.append(noted(x))
### what a handler counts
for x in xs:
    before = count
    out.append(noted(x) + count - before)
### the stream of a handler
for x in xs:
    log.info("begun")
    out.append((slow(x), text.getvalue()))
### what a filter counts
def counting(record):
    seen.append(0)
    return True
log.addFilter(counting)
for x in xs:
    r = noted(x)
    out.append((r, len(seen)))
### what a filter reads
current = None
def named(record):
    record.msg = f"{current} {record.msg}"
    return True
log.filters[:] = [named]
for x in xs:
    current = -x
    out.append(noted(x))
### what a filter lets through once
class Once(logging.Filter):
    met = set()
    def filter(self, record):
        new = record.getMessage() not in self.met
        self.met.add(record.getMessage())
        return new
log.filters[:] = [Once()]
for x in xs:
    log.info("again")
    out.append(slow(x))
""")
APART = cells_of("""
### output that nobody reads
with contextlib.redirect_stdout(buf):
    out = [told(x) for x in xs]
### output that is read at the end
with contextlib.redirect_stdout(buf):
    for x in xs:
        out.append(told(x))
    n = buf.tell()
### records that nobody reads
for x in xs:
    out.append(noted(x))
### another buffer
other = io.StringIO("abc")
with contextlib.redirect_stdout(buf):
    for x in xs:
        out.append((told(x), other.getvalue()))
""")
END = """
log.filters.clear()
left = buf.getvalue(), text.getvalue(), "".join(tee.parts)
log = buf = text = tee = other = None"""


@pytest.mark.parametrize("name", LOOKED_AT | APART)
def test_it_is_as_in_the_plain_loop(name: str, pool: engine.Pool) -> None:
    cell = (LOOKED_AT | APART)[name] + END
    left = compiled.run_on_engine(cell, SETUP, pool)
    assert plainly.difference(plainly.run_plain(cell, SETUP), left) is None


@pytest.mark.parametrize("name", APART)
def test_what_nobody_looks_at_is_made_in_workers(name: str) -> None:
    ran = programs.run(APART[name] + END, SETUP, "threads")
    assert [lifted.staying for lifted in ran.cell.lifted][:1] == [""], ran.reasons
