"""What `match` binds, as far as a loop may change it."""

from __future__ import annotations

import pytest

from tests.cells import compiled, programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
from dataclasses import dataclass

@dataclass
class Job:
    name: str
    parts: list

class Text(str):
    pass

shared = [1]
out, seen = [], {}
"""
)
CELLS = cells_of("""
### a text beside lists
events = [{"q": "ab", "more": [1]}, {"q": "c", "more": [2]}, {"n": 3}]
for event in events:
    match event:
        case {"q": str(q), "more": [first, *rest]}:
            found = slow(len(q) + first + len(rest))
            seen.setdefault(q, []).append(found)
        case {"n": int() as n, **others}:
            out.append(slow(n + len(others)))
### the fields of an object
jobs = [Job("a", [1, 2]), Job("b", [3]), Job("c", [])]
for job in jobs:
    match job:
        case Job(name, [first, *_]):
            out.append((name, slow(first)))
        case Job(name=name):
            out.append((name, slow(0)))
### a list inside a list
rows = [[1, [shared, 2]], [3, [shared, 4]]]
for row in rows:
    match row:
        case [a, [inner, b]]:
            inner.append(a)
            out.append(slow(b + len(inner)))
### a text of the user's that has a list
texts = [Text("a"), Text("b")]
for text in texts:
    text.found = shared
for text in texts:
    match text:
        case str(word):
            word.found.append(len(shared))
            out.append(slow(len(word.found)))
### several ways
for thing in [1, "b", 2.5, None, (1, 2)]:
    match thing:
        case int() | float() as number:
            out.append(slow(int(number)))
        case str(word):
            out.append(slow(len(word)))
        case (a, b):
            out.append(slow(a + b))
        case _:
            out.append(None)
""")
LIFTED = {"a text beside lists", "the fields of an object", "several ways"}


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("name", CELLS)
def test_ends_as_the_plain_cell(name: str, how: str) -> None:
    different, program = compiled.differs(CELLS[name], SETUP, how)
    assert different is None
    if name in LIFTED:
        assert program.lifted, [str(part.refusal) for part in program.refused]
