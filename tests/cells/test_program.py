"""Cells as programs: loops run in their places, in parallel or plainly, and everything else once and in order."""

from __future__ import annotations

import ast
import builtins
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from concompare.cells import worth
from concompare.cells.ir import OURS, Loop
from concompare.cells.program import Cell, Wishes
from concompare.cells.replay.binding import Lifted
from concompare.cells.task import Task
from concompare.errors import BadOption, CellRefused
from tests.cells import compiled, plainly, programs

SETUP = """
def f(x):
    return x * x + 1

def log(text):
    seen.append(text)
    return text

seen, out = [], []
xs = [1, 2, 3]
"""


@dataclass
class Noting(compiled.Running):
    """Runs loops as threads would, and notes which ran how."""

    refusing: bool = False
    ran: list[tuple[str, int]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def run(self, task: Task, lifted: Lifted) -> None:
        if self.refusing:
            raise CellRefused("no workers here.")
        self.ran.append(("parallel", lifted.line))
        super().run(task, lifted)

    def plainly(self, loop: Loop, refusal: CellRefused, play: Callable[[], Any]) -> Any:
        self.ran.append(("plain", loop.line))
        self.refusals.append(str(refusal))
        return super().plainly(loop, refusal, play)


@dataclass
class Ran:
    """What a cell did."""

    value: Any
    names: dict[str, Any]
    runner: Noting
    cell: Cell


def run(source: str, *, refusing: bool = False, **wishes: Any) -> Ran:
    namespace = plainly.fresh(SETUP)
    cell, runner = Cell(source, Wishes("<cell>", **wishes)), Noting(namespace, "threads", refusing=refusing)
    return Ran(cell.run(namespace, runner), namespace, runner, cell)


def test_a_loop_knows_which_node_of_its_statement_it_is() -> None:
    source = "seen = 1\nout = [f(x) for x in xs], [f(x + 1) for x in xs]"
    lifted = run(source).cell.lifted
    nodes = list(ast.walk(ast.parse(source).body[1]))
    assert [loop.statement for loop in lifted] == [1, 1]
    assert [ast.unparse(nodes[loop.numbered()]) for loop in lifted] == ["[f(x) for x in xs]", "[f(x + 1) for x in xs]"]


CARRIED = "for x in xs:\n    last = f(last)"


def test_a_refused_loop_runs_as_the_plain_loop_in_its_place() -> None:
    ran = run(f"last = 1\n{CARRIED}\nout.append(last)\nlast = 'after'")
    assert ran.runner.ran == [("plain", 2)]
    assert ran.names["out"] == [26]
    assert ran.names["x"] == 3
    assert [refused.loop.line for refused in ran.cell.refused] == [2]
    assert "needs 'last' from the item before" in ran.runner.refusals[0]
    assert ran.cell.lifted == []


@pytest.mark.parametrize("refusing", [False, True])
def test_statements_around_loops_run_once_and_in_order(refusing: bool) -> None:
    source = (
        "log('one')\nfor x in log(xs):\n    out.append(f(x))\nelse:\n    log('else')\nlog('two')\n"
        "squares = [f(x) for x in log(xs)]\nlog('three')"
    )
    ran = run(source, refusing=refusing)
    assert ran.names["seen"] == ["one", [1, 2, 3], "else", "two", [1, 2, 3], "three"]
    assert ran.names["out"] == ran.names["squares"] == [2, 5, 10]
    assert ran.value == "three"
    how = "plain" if refusing else "parallel"
    assert ran.runner.ran == [(how, 2), (how, 7)]


@pytest.mark.parametrize("refusing", [False, True])
def test_a_loop_uses_what_the_loop_before_it_made(refusing: bool) -> None:
    ran = run(
        "first = [f(x) for x in xs]\nfor x in first:\n    out.append(f(x))\nmax(f(x) for x in out)", refusing=refusing
    )
    assert ran.names["out"] == [5, 26, 101]
    assert ran.value == 10202
    assert len(ran.runner.ran) == 3


@pytest.mark.parametrize("refusing", [False, True])
@pytest.mark.parametrize(
    ("around", "seen"),
    [
        ("if xs:\n    log('in')\n{loop}else:\n    log('not')\n", ["in", "end"]),
        ("if not xs:\n{loop}else:\n    log('not')\n", ["not", "end"]),
        (
            "import contextlib\nwith contextlib.ExitStack() as stack:\n    stack.callback(log, 'left')\n{loop}",
            ["left", "end"],
        ),
        ("try:\n{loop}    raise KeyError\nexcept KeyError:\n    log('caught')\nfinally:\n    log('at last')\n", None),
    ],
)
def test_loops_in_blocks(around: str, seen: list[str] | None, refusing: bool) -> None:
    loop = "    for x in xs:\n        out.append(f(x))\n"
    ran = run(around.format(loop=loop) + "log('end')", refusing=refusing)
    assert ran.names["seen"] == (seen or ["caught", "at last", "end"])
    assert ran.names["out"] == ([] if seen and "not" in seen else [2, 5, 10])


def test_an_error_of_a_loop_is_caught_by_the_cell() -> None:
    source = (
        "try:\n    for x in [1, 0, 2]:\n        out.append(f(x) / x)\nexcept ZeroDivisionError:\n    log(list(out))"
    )
    assert run(source).names["seen"] == [[2.0]]


@pytest.mark.parametrize("refusing", [False, True])
@pytest.mark.parametrize(
    ("source", "left"),
    [
        ("for x in xs:\n    out.append(f(x))\n    if x == 2:\n        break\nelse:\n    log('all')", []),
        ("for x in xs:\n    out.append(f(x))\nelse:\n    log('all')", ["all"]),
    ],
)
def test_an_else_follows_a_loop_that_came_to_its_end(source: str, left: list[str], refusing: bool) -> None:
    assert run(source, refusing=refusing).names["seen"] == left


@pytest.mark.parametrize("refusing", [False, True])
def test_items_for_a_function_of_the_cell(refusing: bool) -> None:
    ran = run("log('defined')\ndef g(v):\n    return f(v) + 1", over="xs", refusing=refusing)
    assert ran.value == [3, 6, 11]
    assert ran.names["seen"] == ["defined"]
    assert ran.names["g"](1) == 3
    assert len(ran.runner.ran) == 1


def test_a_function_is_chosen_by_its_name() -> None:
    source = "def g(v):\n    return f(v)\ndef h(v):\n    return -f(v)"
    assert run(source, over="xs").value == [-2, -5, -10]
    assert run(source, over="xs", function="g").value == [2, 5, 10]


@pytest.mark.parametrize(
    ("source", "wishes", "words"),
    [
        ("def g(v):\n    return v", {"function": "g"}, "--function g: give the items as well"),
        ("def g(v):\n    return v", {"over": "xs +"}, r"--over xs \+"),
        ("for x in xs:\n    f(x)", {"line": 2}, "--line 2"),
    ],
)
def test_options_that_name_nothing(source: str, wishes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadOption, match=words):
        Cell(source, Wishes("<cell>", **wishes))


def test_items_need_a_function() -> None:
    with pytest.raises(CellRefused, match="the cell defines no function"):
        Cell("import math", Wishes("<cell>", over="xs"))


@pytest.mark.parametrize("refusing", [False, True])
@pytest.mark.parametrize(("source", "value", "name"), [("f(3)", 10, None), ("r = f(4)", None, 17)])
def test_a_plain_call_is_one_item_of_work(source: str, value: Any, name: Any, refusing: bool) -> None:
    ran = run(f"log('before')\n{source}", refusing=refusing)
    assert (ran.value, ran.names.get("r")) == (value, name)
    assert ran.names["seen"] == ["before"]
    assert len(ran.runner.ran) == 1


def test_only_the_loop_that_was_named_runs_in_parallel() -> None:
    ran = run("for x in xs:\n    out.append(f(x))\nr = [f(x) for x in out]", line=3)
    assert ran.runner.ran == [("parallel", 3)]
    assert ran.names["r"] == [5, 26, 101]


@pytest.mark.parametrize("refusing", [False, True])
def test_strict_raises_before_the_loop_runs(refusing: bool) -> None:
    namespace = plainly.fresh(SETUP)
    loop = "for x in xs:\n    out.append(f(x))" if refusing else CARRIED
    runner = Noting(namespace, "threads", refusing=refusing)
    with pytest.raises(CellRefused) as caught:
        Cell(f"log('before')\nlast = 1\n{loop}\nlog('after')", Wishes("<cell>", strict=True)).run(namespace, runner)
    assert caught.value.line == (3 if refusing else 4)
    assert (namespace["seen"], namespace["out"], namespace["last"]) == (["before"], [], 1)
    assert runner.ran == []
    assert "x" not in namespace


@pytest.mark.parametrize("refusing", [False, True])
@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("log('a')\nfor x in [1, 0]:\n    y = 1 / x\n    out.append(f(y))", 3),
        ("log('a')\nr = [\n    f(1 / x)\n    for x in [1, 0]]", 3),
        ("for x in xs:\n    out.append(f(x))\n1 / 0", 3),
        ("1 / 0\nfor x in xs:\n    out.append(f(x))", 1),
        ("for x in xs:\n    y = f(x)\n    out[9] = y", 3),
    ],
)
def test_a_traceback_has_the_cell_s_line_in_one_frame(source: str, line: int, refusing: bool) -> None:
    namespace = plainly.fresh(SETUP)
    with pytest.raises((ZeroDivisionError, IndexError)) as caught:
        Cell(source, Wishes("<cell>")).run(namespace, Noting(namespace, "threads", refusing=refusing))
    frames = traceback.extract_tb(caught.value.__traceback__)
    cell = [(frame.lineno, frame.name) for frame in frames if frame.filename == "<cell>"]
    assert [number for number, _ in cell if number == line] == [line]
    assert not any(OURS in frame.name for frame in frames)


@pytest.mark.parametrize("refusing", [False, True])
@pytest.mark.parametrize(
    "source",
    [
        "for x in xs:\n    y = f(x)\n    out.append(y)",
        "r = list(map(f, xs))",
        "for x in xs:\n    out.append(1 / (x - 2) + f(x))",
        "for part in [[1], [2]]:\n    part.append(f(part[0]))",
        f"last = 1\n{CARRIED}",
    ],
)
def test_no_name_of_ours_is_left(source: str, refusing: bool) -> None:
    namespace = plainly.fresh(SETUP)
    before = set(vars(builtins))
    try:
        Cell(source, Wishes("<cell>")).run(namespace, Noting(namespace, "threads", refusing=refusing))
    except ZeroDivisionError:
        assert "1 / " in source
    assert [name for name in namespace if name.startswith(OURS)] == []
    assert set(vars(builtins)) == before


def test_a_cell_that_is_no_python_raises_as_the_plain_cell() -> None:
    with pytest.raises(SyntaxError) as caught:
        Cell("for x in xs\n    f(x)", Wishes("<cell>", first_line=1))
    assert (caught.value.filename, caught.value.lineno) == ("<cell>", 1)


def test_a_loop_that_failed_in_parallel_was_lifted() -> None:
    namespace = plainly.fresh(SETUP)
    cell = Cell("for x in [1, 0]:\n    out.append(f(1 / x))", Wishes("<cell>"))
    with pytest.raises(ZeroDivisionError):
        cell.run(namespace, Noting(namespace, "threads"))
    assert [found.line for found in cell.lifted] == [1]
    assert namespace["out"] == [2.0]


SEQUENTIAL = """state = 1
for turn in range(3):
    found = [f(state + x) for x in xs]
    for x in xs:
        if x == state:
            break
        out.append(f(x))
    else:
        out.append('all')
    state = found[-1]
else:
    out.append('end')
"""


def test_loops_inside_one_that_has_to_stay_sequential_run_in_parallel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worth, "WORTH", 0.0)
    ran = run(SEQUENTIAL)
    plain = plainly.fresh(SETUP)
    exec(SEQUENTIAL, plain)
    assert {name: ran.names[name] for name in ("out", "state", "found", "x", "turn")} == {
        name: plain[name] for name in ("out", "state", "found", "x", "turn")
    }
    assert ran.runner.ran == [("plain", 2), *[("parallel", 3), ("parallel", 4)] * 3]
    assert not [name for name in ran.names if name.startswith(OURS)]


def test_a_loop_inside_another_is_looked_at_once_where_it_is_not_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worth, "WORTH", float("inf"))
    ran = run(SEQUENTIAL)
    assert ran.runner.ran == [("plain", 2), ("parallel", 3), ("parallel", 4)]
    refused = run("total = 1\nfor x in xs:\n    for y in xs:\n        total = f(total + y)\nout.append(total)")
    assert refused.runner.ran == [("plain", 2), ("plain", 3)]
    assert refused.names["out"] == [plain_total()]


def plain_total() -> int:
    total = 1
    for _ in range(3):
        for y in (1, 2, 3):
            total = (total + y) ** 2 + 1
    return total


CHANGING = """
class Job:
    def __init__(self, number):
        self.number, self.steps = number, []
    def work(self):
        self.steps.append(f(self.number))
        return sum(self.steps)

jobs = [Job(x) for x in (1, 2, 3, 4)]
"""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "r = [job.work() for job in jobs]",
        "r = {job.number: job.work() for job in jobs}",
        "r = list(map(Job.work, jobs))",
        "r = sum(job.work() for job in jobs if job.number != 2)",
        "r = [job.work() / (job.number - 3) for job in jobs]",
        "r = any(job.work() > 3 for job in jobs)",
    ],
)
def test_an_expression_may_change_its_items(cell: str, how: str) -> None:
    difference, ran = programs.compared(cell, SETUP + CHANGING, how)
    assert difference is None
    assert ran.cell.lifted


def test_a_refused_loop_over_a_map_runs_as_it_is() -> None:
    ran = run("last = 1\nfor y in map(f, xs):\n    last = f(last) - y\nout.append((y, last))", refusing=True)
    assert ran.runner.ran == [("plain", 2)]
    assert ran.names["out"] == [(10, 7)]


HOLDING = """
import io, itertools, random
import numpy as np
class Holder:
    def __init__(self, n):
        self.dice, self.numbers, self.old = random.Random(n), np.random.default_rng(n), np.random.RandomState(n)
        self.text, self.raw, self.count, self.total = io.StringIO(newline="\\r\\n"), io.BytesIO(), itertools.count(n), 0
    def draw(self):
        self.total += self.dice.random() + self.numbers.random() + self.old.rand()
    def write(self):
        self.text.write(str(self.dice.random()) + "\\n")
        self.raw.write(b"more")
    def tick(self):
        self.total += next(self.count)
holders = [Holder(n) for n in range(4)]
"""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(("call", "lifted"), [("draw", True), ("write", True), ("tick", False)])
def test_items_may_change_what_no_attribute_shows(call: str, lifted: bool, how: str) -> None:
    ends = "[(h.total, h.dice.random(), h.numbers.random(), h.old.rand()) for h in holders]"
    texts = "[(h.text.getvalue(), h.raw.tell()) for h in holders]"
    cell = f"for h in holders:\n    h.{call}()\nnext(h.count), {ends}, {texts}"
    difference, ran = programs.compared(cell, HOLDING, how)
    assert difference is None
    assert (1 in [part.line for part in ran.cell.lifted]) is lifted
