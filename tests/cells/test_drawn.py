# ruff: noqa: E501
"""What is counted of drawn cells, what is said of them, and how a wrong one is made smaller."""

from __future__ import annotations

import pytest

from tests.cells import carried, compiled, drawn, plainly, work_calls
from tests.cells.work_calls import CALLS, Tally

SETUP = """
xs = [1, 2, 3, 4]; out = []; prev = 1; total = 0; it = iter([5, 6, 7, 8])
def f(x):
    return x * x + 1
def fails(x):
    if x == 3:
        raise ValueError(x)
    return x
def double(x):
    return f(x) * 2
"""
NEEDED = {
    "a name": ("for x in xs:\n    prev = f(prev)", {2: 0.75}),
    "a sum": ("for x in xs:\n    total += f(x)\n    out.append(f(total))", {3: 0.75}),
    "a list": ("for x in xs:\n    out.append(f(sum(out)))", {2: 0.75}),
    "a condition": ("for x in xs:\n    if total < 9:\n        total += f(x)", {3: 2 / 3}),
    "an error": ("for x in xs:\n    try:\n        total += fails(1)\n    except ValueError:\n        total = 9\n    f(total)", {6: 0.75}),
    "a while": ("while total < 9:\n    total += f(total)", {2: 2 / 3}),
    "inside a comprehension": ("r = [prev := f(prev) for x in xs]", {1: 0.75}),
    "a function in between": ("for x in xs:\n    prev = double(prev)", {2: 0.75}),
}  # fmt: skip
FREE = {
    "the item": "for x in xs:\n    out.append(f(x))",
    "a chain within the item": "for x in xs:\n    y = f(x)\n    out.append(f(y))",
    "a counter": "for x in xs:\n    total += 1\n    out.append(f(total))",
    "what the results do not change": "for x in xs:\n    out.append(f(len(out)))",
    "an iterator": "for x in xs:\n    out.append(f(next(it)))",
    "an early end": "for x in xs:\n    if f(x) > 9:\n        break",
    "an error that ends the loop": "for x in xs:\n    out.append(f(fails(x)))",
    "loops one after the other": "r = [f(x) for x in xs]\nr = [f(x) for x in r]",
    "a map": "r = list(map(f, xs))",
    "a generator": "r = sum(f(x) for x in xs)",
}


@pytest.mark.parametrize("name", NEEDED)
def test_calls_that_need_an_item_before_are_found(name: str) -> None:
    cell, found = NEEDED[name]
    assert carried.carried(cell, SETUP) == found


@pytest.mark.parametrize("name", FREE)
def test_calls_that_need_no_item_before_are_not(name: str) -> None:
    assert carried.carried(FREE[name], SETUP) == {}


def tally_of(cell: str) -> Tally:
    tally = Tally()
    assert drawn.wrong(cell, SETUP, tally) is None
    return tally


def test_calls_in_workers_are_counted_apart() -> None:
    tally = tally_of("for x in xs:\n    out.append(f(x))\nfor x in xs:\n    prev = f(prev)")
    assert (tally.in_workers, tally.elsewhere, tally.carried) == (8, 8, 6)
    assert tally.by_reason == {"plain: carried": 2}
    assert (tally.shares, tally.shared) == (2 * 4 / 5, 2)
    assert "50.0 % of 16 work calls" in tally.sentence()
    assert "80.0 % of the 10 that need no result of an item before, 80.0 % of a cell's" in tally.sentence()


def test_items_after_the_end_of_a_loop_are_not_counted() -> None:
    assert tally_of("for x in xs:\n    if f(x) > 4:\n        break").in_workers == 4
    assert tally_of("for x in xs:\n    out.append(f(fails(x)))").in_workers == 10


def test_a_cell_that_makes_too_many_calls_is_said_to_never_end() -> None:
    tally = tally_of("for x in xs:\n    xs.append(f(1))")
    assert (tally.endless, tally.in_workers, tally.elsewhere) == (1, 0, 0)


def test_a_cell_that_ends_only_plainly_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = "for x in xs:\n    out.append(f(x))"
    plain = plainly.run_plain(cell, SETUP)

    def endless(*arguments: object) -> None:
        raise work_calls.Endless

    monkeypatch.setattr(plainly, "run_task", endless)
    assert compiled.differs(cell, SETUP, "threads", plain)[0] == "it does not end"


def test_tallies_add_up() -> None:
    one, other = tally_of("for x in xs:\n    prev = f(prev)"), tally_of("for x in xs:\n    out.append(f(x))")
    one.add(vars(other))
    assert (one.generated, one.in_workers, one.elsewhere, one.shared) == (2, 8, 8, 4)


def test_a_wrong_cell_is_made_small() -> None:
    cell = (
        "if xs:\n    for x in xs:\n        out.append(f(x) + 1)\n        total += f(g(x), 2)\nelse:\n    pass\nprev = 2"
    )
    assert drawn.smallest(cell, lambda one: "g(" in one) == "total += g()"


def test_the_same_number_gives_the_same_cell() -> None:
    for kind in drawn.KINDS:
        assert drawn.draw(kind, "7", 3) == drawn.draw(kind, "7", 3)
        assert len({drawn.draw(kind, "7", number) for number in range(9)}) > 5


def test_counting_ends_with_the_block() -> None:
    with CALLS.counted() as made:
        compiled.differs("for x in xs:\n    prev = f(prev)", SETUP, "threads")
    assert sum(made.elsewhere.values()) == 4
    assert CALLS.made is not made
