"""Inner loops and contexts whose target is an attribute or an element of an object, which every item gives a value."""

from __future__ import annotations

import pytest

from tests.cells import programs

SETUP = """
import contextlib
class Box:
    pass
box, row, log, xs = Box(), [0], [], [3, 1, 4, 1, 5]
box.v = 0
def f(x):
    return x * x + 1
def last(x):
    for box.v in (x, x + 1):
        f(1)
    return box.v
def entered(x):
    with contextlib.nullcontext(f(x)) as row[0]:
        return row[0]
"""
CELLS = [
    "for x in xs:\n    for box.v in (x, x + 1):\n        log.append(f(box.v))",
    "for x in xs:\n    for row[0] in (x, x + 1):\n        log.append(f(row[0]))",
    "for x in xs:\n    for i, box.v in enumerate((x, x + 1)):\n        log.append(f(box.v) + i)",
    "for x in xs:\n    for y, (box.v, row[0]) in {x: (x, x + 1)}.items():\n        f(x)",
    "for x in xs:\n    with contextlib.nullcontext(f(x)) as box.v:\n        log.append(box.v)",
    "for x in xs:\n    with contextlib.nullcontext(f(x)) as box.v:\n        pass",
    "for x in xs:\n    with contextlib.nullcontext(f(x)) as row[0]:\n        log.append(row[0])",
    "for x in xs:\n    with contextlib.nullcontext((f(x), x)) as (row[0], y):\n        log.append(row[0])",
    "made = [last(x) for x in xs]",
    "made = [entered(x) for x in xs]",
    "for box.v in xs:\n    log.append(f(box.v))",
    "made = [f(box.v) for box.v in xs]",
    "for x in xs:\n    made = [f(box.v) for box.v in (x, x + 1)]\n    log.append(box.v)",
]


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("cell", CELLS)
def test_what_stands_in_the_target_is_stored_in_order(cell: str, how: str) -> None:
    programs.alike(cell, SETUP, how)


@pytest.mark.parametrize("how", programs.WAYS)
def test_a_target_that_is_the_items_own_stays_in_workers(how: str) -> None:
    setup = SETUP + "boxes = [Box() for _ in range(4)]\nfor one in boxes:\n    one.v = 1\n"
    found = programs.alike("for one in boxes:\n    for one.v in (1, 2):\n        f(one.v)", setup, how)
    assert not programs.tail_of(found.cell.lifted[0])
