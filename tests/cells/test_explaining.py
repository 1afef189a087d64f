from __future__ import annotations

import re

import pytest

from concompare.cells.explaining import explanation, value_of
from concompare.cells.objects import MISSING
from concompare.cells.program import Cell, Wishes
from concompare.errors import CellRefused
from tests.cells import plainly
from tests.cells.test_golden import LIFTED, SETUP


def explained(cell: str, **wishes: str) -> str:
    return explanation(Cell(cell, Wishes("<cell>", **wishes)), plainly.fresh(SETUP))  # type: ignore[arg-type]


def section(text: str, title: str) -> str:
    """Return what an explanation says under a title that ends with a colon."""
    found = re.search(rf"^{re.escape(title)}:\n(.*?)(\n\n|\Z)", text, flags=re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


@pytest.mark.parametrize(("name", "cell"), LIFTED, ids=[name for name, _ in LIFTED])
def test_no_explanation_shows_a_name_that_we_made_up(name: str, cell: str) -> None:
    try:
        text = explained(cell)
    except CellRefused as refusal:
        text = "\n".join([str(refusal), *refusal.reasons])
    assert text
    assert "_concompare" not in text
    assert "locals()" not in text


def test_an_explanation_reads_as_the_user_would_write_it() -> None:
    assert explained("results = []\nfor x in xs:\n    y = f(x)\n    results.append(y)\n    print(x)") == (
        "the loop at line 2: f\n\nruns in workers, for every item:\n    def head(x):\n        record = []\n"
        "        y = f(x)\n        record.append((0, y))\n        print(x)\n        return record\n\n"
        "is replayed in the notebook, in item order:\n    results.append(y)\n\n"
        "the last item leaves in the notebook, as the plain loop does: y\n\n"
        "items: xs (6 items)\n\ntaken along from the notebook:\n    f: function"
    )


@pytest.mark.parametrize(
    ("cell", "then"),
    [
        ("r = [f(x) for x in xs]", "r = results"),
        ("total = sum(f(x) for x in xs)", "total = sum(results)"),
        ("r = {x: f(x) for x in xs}", "r = dict(results)"),
        ("r = {f(x) for x in xs}", "r = set(results)"),
        ("r = list(map(f, xs))", "r = list(results)"),
        ("if xs:\n    r = sorted([f(x) for x in xs])[0]", "r = sorted(results)[0]"),
        ("if any(f(x) > 3 for x in xs):\n    pass", ""),
        ("for x in xs:\n    out.append(f(x))", ""),
    ],
)
def test_an_explanation_says_what_becomes_of_the_values(cell: str, then: str) -> None:
    assert section(explained(cell), "then, in the notebook").strip() == then


def test_the_explanation_of_a_call_has_no_items() -> None:
    text = explained("r = fib(12)")
    assert "runs in a worker:\n    def head():\n        return fib(12)\n\nthen, in the notebook:\n    r = value" in text
    assert "items" not in text


def test_the_explanation_of_a_function_names_its_items() -> None:
    text = explained("def g(v):\n    return f(v) + 1", over="xs")
    assert "items: xs (6 items)" in text
    assert "return g(item)" in section(text, "runs in workers, for every item")
    assert "then" not in text


def test_what_is_changed_in_the_notebook_is_told_apart() -> None:
    text = explained("for x in xs:\n    t = Tank(x)\n    t.fill(f(x))\n    found[x] = t.level\n    log.append(x)")
    tail = section(text, "is replayed in the notebook, in item order")
    assert "t.fill(f(x))" in section(text, "runs in workers, for every item")
    assert "fill" not in tail
    assert "log.append(x)" in tail


def test_each_loop_is_explained_and_says_why_it_stays() -> None:
    text = explained("for x in xs:\n    prev = f(prev)\nr = [f(x) for x in xs]")
    first, rest = text.split("\n\n", 1)
    assert first.startswith("the loop at line 1 runs as it is: line 2: needs 'prev' from the item before")
    assert rest.startswith("the comprehension at line 3: f\n")


@pytest.mark.parametrize(
    ("cell", "title", "items"),
    [
        (
            "for x in xs:\n    for y in range(3):\n        found[x, y] = f(x + y)",
            "the loop at line 1 and the loop directly in it, shared out as one: f",
            "[(x, y) for x in xs for y in range(3)] (18 items)",
        ),
        (
            "a = [1, 2]\nfor x in a:\n    for y in a:\n        for z in range(y):\n            out.append(f(x * z))",
            "the loop at line 2 and the 2 loops directly in it, shared out as one: f",
            "[(x, y, z) for x in a for y in a for z in range(y)] (6 items)",
        ),
        (
            "r = [f(x + y) for x in xs for y in range(2)]",
            "the comprehension at line 1 and the `for` directly in it, shared out as one: f",
            "[(x, y) for x in xs for y in range(2)] (12 items)",
        ),
        (
            "for x in numbers(3):\n    for y in range(3):\n        found[x, y] = f(x + y)",
            "the loop at line 1: f",
            "numbers(3)",
        ),
        (
            "for x in range(65):\n    for y in range(3):\n        found[x, y] = f(x + y)",
            "the loop at line 1: f",
            "range(65) (65 items)",
        ),
    ],
)
def test_loops_that_are_shared_out_as_one_are_shown_as_one(cell: str, title: str, items: str) -> None:
    text = explained(cell)
    assert text.splitlines()[0] == title
    assert re.search(r"^items: (.*)$", text, flags=re.MULTILINE)[1] == items  # type: ignore[index]


def test_the_loops_inside_one_that_stays_sequential_are_explained() -> None:
    text = explained("for k in range(3):\n    r = [f(x + prev) for x in xs]\n    prev = f(prev) + len(r)")
    first, rest = text.split("\n\n", 1)
    assert first.startswith("the loop at line 1 runs as it is: line")
    assert rest.startswith("the comprehension at line 2, for each item of the loop at line 1: f\n")
    assert "head(x):\n        return f(x + prev)" in section(rest, "runs in workers, for every item")


def test_nothing_is_said_of_inner_loops_that_only_move_data() -> None:
    with pytest.raises(CellRefused, match="needs 'prev'"):
        explained("for x in xs:\n    prev = f(prev)\n    for y in xs:\n        prev += y")


def test_each_call_is_told_where_it_runs_and_why() -> None:
    text = explained("for x in xs:\n    found[x] = f(x)\n    prev = f(prev)")
    assert section(text, "where each call runs").splitlines() == [
        "    line 2: `f(x)` in a worker: nothing of it needs the order of the items",
        "    line 3: `f(prev)` in the notebook: needs 'prev' from the item before",
    ]


@pytest.mark.parametrize(
    "items", ["[0] * 10**9", "list(range(10**9))", "zip(range(10**9), range(10**9))", "range(10**12)", "Asked()"]
)
def test_what_is_large_or_the_user_s_is_not_walked_to_explain(items: str) -> None:
    loop = Cell(f"for x in {items}:\n    out.append(f(x))", Wishes("<cell>")).loops[0]
    assert loop.items is not None
    assert value_of(loop.items, {"Asked": 1 / 3}, frozenset()) is MISSING


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("for x in xs:\n    prev = f(prev)", "needs 'prev' from the item before"),
        ("y = 1", "there is no loop, comprehension, map or call"),
    ],
)
def test_a_cell_without_anything_to_run_in_parallel_is_refused(cell: str, words: str) -> None:
    with pytest.raises(CellRefused, match=words):
        explained(cell)


def test_nothing_runs() -> None:
    namespace = plainly.fresh(SETUP)
    before = {name: repr(value) for name, value in namespace.items()}
    cell = "a = 1 / 0\nlog.append(9)\nfor x in numbers(3):\n    b = f(x)\n    out.append(b)\nr = [f(x) for x in xs]"
    assert "the loop at line 3" in explanation(Cell(cell, Wishes("<cell>")), namespace)
    assert {name: repr(value) for name, value in namespace.items()} == before


TOGETHER = "these run in workers, at the same time"
ALONE = "these run in the notebook, in their turn"


def test_independent_statements_are_explained() -> None:
    text = explained("a = fib(12)\nb = fib(13)\nc = add(fib(a % 9), fib(b % 9))\nlog.append(c)\nd = append_log(fib(9))")
    assert text.splitlines()[0] == "the statements at lines 1 to 5: calls that do not need each other run together"
    assert section(text, TOGETHER).splitlines() == [
        "    line 1: `fib(12)`",
        "    line 2: `fib(13)`",
        "    line 5: `fib(9)`",
    ]
    alone = section(text, ALONE)
    assert "line 3: `add(fib(a % 9), fib(b % 9))`: needs `fib(a % 9)` and `fib(b % 9)`, and no other call" in alone
    assert "line 5: `append_log(fib(9))`: changes `log`" in alone


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("c = add(a, b)", "`add(a, b)`: needs 'a' and 'b', and no other call can begin with it"),
        ("c = draw(3)", "`draw(3)`: draws random numbers"),
        ("set_global(4)", "`set_global(4)`: changes the names of `set_global`'s module"),
        ("c = eval('fib(12)')", "`eval('fib(12)')`: `eval` runs code that cannot be seen"),
    ],
)
def test_what_keeps_a_statement_in_its_turn_is_explained(statement: str, reason: str) -> None:
    text = explained(f"a = fib(12)\nb = fib(13)\n{statement}")
    assert reason in section(text, ALONE)
    assert "`fib(12)`" in section(text, TOGETHER)


def test_objects_that_are_made_and_used_are_explained_as_chains() -> None:
    text = explained("t = Tank(fib(12))\nt.fill(fib(12))\nu = Tank(fib(12))\nu.fill(3)")
    assert section(text, TOGETHER).splitlines() == [
        "    line 1: `t = Tank(fib(12)); t.fill(fib(12))`",
        "    line 3: `u = Tank(fib(12)); u.fill(3)`",
    ]


def test_statements_that_need_each_other_are_not_said_to_run_together() -> None:
    text = explained("a = fib(12)\nb = fib(a % 9)\nc = fib(b % 9)")
    assert TOGETHER not in text


def test_modules_that_the_cell_imports_are_known_before_it_runs() -> None:
    assert "runs in workers" in explained("import math as m\nfrom os import path\nr = [f(m.floor(x)) for x in xs]")


def test_names_that_only_the_running_cell_knows_are_noted() -> None:
    with pytest.raises(CellRefused) as refused:
        explained("it = iter(xs)\nfor i in range(3):\n    out.append(f(next(it)))")
    note = "note: the cell gives 'it' a value itself, so what can run in parallel is certain only when it runs"
    assert refused.value.reasons[-1] == note
