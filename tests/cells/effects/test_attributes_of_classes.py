"""Items that are classes, functions or members of an enumeration: their attributes are everybody's."""

from __future__ import annotations

import pytest

from tests.cells import plainly, programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
import enum
class A: out, n = 0, 1
class B(A): n = 2
class C(A): n = 3
class Color(enum.Enum):
    RED, BLUE, PINK = 1, 2, 3
for c in Color: c.uses = 0
by = {c.value: c for c in Color}
def f(x): return x
def g(x): return x + 1
f.out = g.out = 0
def count(c): c.uses += slow(c.value)
def put(kind): kind.out += slow(kind.n)
def name(h): h.out += slow(h(2))
"""
)
SHARED = cells_of("""
### classes
for kind in [A, B, C]: kind.out = slow(kind.n)
out = [A.out, B.out, C.out]
### classes counted
for kind in [A, B, A]: kind.out += slow(kind.n)
out = [A.out, B.out, C.out]
### classes in a function
for kind in [A, B, A]: put(kind)
out = [A.out, B.out, C.out]
### functions
for h in [f, g, f]: h.out += slow(h(2))
out = [f.out, g.out]
### functions in a function
out = [name(h) for h in [f, g, f]] + [f.out, g.out]
### members
for c in Color: c.uses += slow(c.value)
out = [c.uses for c in Color]
### members in a function
for c in Color: count(c)
out = [c.uses for c in Color]
""")
IN_TURN = cells_of("""
### members by name
for k in ("RED", "BLUE", "RED"): Color[k].uses += slow(len(k))
out = [c.uses for c in Color]
### members in a dictionary
for k in (1, 2, 1): by[k].uses += slow(k)
out = [c.uses for c in Color]
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", SHARED)
def test_what_is_set_of_what_everybody_has_ends_as_plainly(name: str, how: str) -> None:
    """A harness that pickles the classes has others after it, so that only what they hold is compared."""
    ran = programs.run(SHARED[name], SETUP, how)
    assert ran.left.error is None
    assert ran.left.names["out"] == plainly.run_plain(SHARED[name], SETUP).names["out"]
    assert [lifted.kind for lifted in ran.cell.lifted if not lifted.staying and lifted.kind == "loop"] == []


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", IN_TURN)
def test_what_is_set_of_it_in_the_loop_itself_is_set_in_turn(name: str, how: str) -> None:
    ran = programs.run(IN_TURN[name], SETUP, how)
    assert ran.left.names["out"] == plainly.run_plain(IN_TURN[name], SETUP).names["out"]
    assert "slow(" in programs.head_of(ran.cell.lifted[0])
