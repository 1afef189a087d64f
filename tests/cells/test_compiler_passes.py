"""The passes of the compiler by themselves: reaching definitions, stages, and items that are put back."""

from __future__ import annotations

import array
import ast
import collections
import pickle
from typing import Any

import pytest

from concompare.cells.distribution.stages import stages_of
from concompare.cells.distribution.staging import Staged
from concompare.cells.distribution.uses import START, uses_of
from concompare.cells.effects.interpreter import Interpreter
from concompare.cells.effects.live import World
from concompare.cells.forms import finding
from concompare.cells.ir import Budget, Loop, Stage, TooLong
from concompare.cells.syntax import names
from concompare.worker.transfer.item_state import Keeper, parts_of
from tests.cells import compiled


def loop_of(source: str) -> Loop:
    return finding.loops_in(ast.parse(source).body)[0]


def origins(source: str, name: str) -> list[set[int | None]]:
    """Return for each read of a name the lines of the assignments it may come from, None for those before."""
    loop = loop_of(source)
    uses = uses_of(loop, names.writes(*loop.body) | names.stored(loop.target or ast.Pass()))
    reads = [(node, found) for node, found in uses.reads.items() if isinstance(node, ast.Name) and node.id == name]
    return [
        {None if definition is START else getattr(definition, "lineno", 0) for definition in found}
        for _, found in sorted(reads, key=lambda pair: pair[0].lineno)
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("for x in xs:\n    y = 1\n    use(y)", [{2}]),
        ("for x in xs:\n    if x:\n        y = 1\n    use(y)", [{3, None}]),
        ("for x in xs:\n    if x:\n        y = 1\n    else:\n        continue\n    use(y)", [{3}]),
        (
            "for x in xs:\n    for k in x:\n        y = 1\n        if k:\n            break\n        y = 2\n    use(y)",
            [{3, 6, None}],
        ),
        ("for x in xs:\n    y = 1\n    try:\n        y = 2\n        y = 3\n    except E:\n        use(y)", [{2, 4, 5}]),
        ("for x in xs:\n    try:\n        y = 1\n    finally:\n        y = 2\n    use(y)", [{5}]),
        ("for x in xs:\n    y = 1\n    with suppress(E):\n        y = 2\n    use(y)", [{2, 4}]),
        ("for x in xs:\n    y = 1\n    with open(x):\n        y = 2\n    use(y)", [{4}]),
        ("for x in xs:\n    y = 1\n    del y\n    use(y)", [{2}, {3}]),
        ("for x in xs:\n    use([y for y in x], y)\n    y = 1", [{None}]),
    ],
)
def test_definitions_reach_reads(source: str, expected: list[set[int | None]]) -> None:
    assert origins(source, "y") == expected


def staged(source: str, **namespace: Any) -> tuple[Loop, Staged]:
    loop = loop_of(source)
    loop.__dict__["namespace"] = namespace
    return loop, stages_of(Interpreter(World(namespace)).analyse(loop, namespace["xs"]))


def calls_by_stage(source: str, **namespace: Any) -> dict[str, str]:
    """Return the stage of each call by its text."""
    loop, found = staged(source, **namespace)
    calls = [node for statement in loop.body for node in ast.walk(statement) if isinstance(node, ast.Call)]
    return {ast.unparse(node): found.of(node).name.lower() for node in calls}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("out.append(len(x))", {"out.append(len(x))": "tail", "len(x)": "head"}),
        ("y = []\n    y.append(x)\n    out.append(y)", {"y.append(x)": "head", "out.append(y)": "tail"}),
        ("y = []\n    out.append(y)\n    y.append(x)", {"y.append(x)": "head", "out.append(y)": "tail"}),
        ("y = []\n    out.append(y)\n    out[x]\n    y.append(x)", {"y.append(x)": "tail", "out.append(y)": "tail"}),
        ("if len(out) > 2:\n        hash(x)\n    out.append(x)", {"len(out)": "tail", "hash(x)": "tail"}),
        ("y = out\n    y.append(abs(x))", {"y.append(abs(x))": "tail", "abs(x)": "head"}),
        ("print(x)\n    out.append(x)", {"print(x)": "head", "out.append(x)": "tail"}),
        ("out[x] = 1\n    print(x)", {"print(x)": "tail"}),
    ],
)
def test_each_call_has_its_stage(body: str, expected: dict[str, str]) -> None:
    found = calls_by_stage(f"for x in xs:\n    {body}", xs=[1, 2, 3], out=[])
    assert {text: found[text] for text in expected} == expected


def test_a_value_of_the_item_before_is_needed_in_the_notebook() -> None:
    loop, found = staged("for x in xs:\n    y = hash(last)\n    last = y", xs=[1, 2], last=0)
    assert found.of(loop.body[0].value) is Stage.TAIL  # type: ignore[attr-defined]


def test_an_analysis_ends_when_it_has_done_enough() -> None:
    budget = Budget(steps=10)
    budget.step(10)
    with pytest.raises(TooLong):
        budget.step()
    loop = loop_of("for x in xs:\n" + "    y = [x]\n" * 50)
    with pytest.raises(TooLong):
        Interpreter(World({"xs": [1]}), Budget(steps=40)).analyse(loop, [1])


class Held:
    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


@pytest.mark.parametrize(
    ("item", "change"),
    [
        ([1, [2]], lambda item: item[1].append(3)),
        ({"a": 1}, lambda item: item.update(b=2)),
        ({1, 2}, lambda item: item.discard(1)),
        (collections.deque([1]), lambda item: item.append(2)),
        (bytearray(b"ab"), lambda item: item.append(3)),
        (array.array("i", [1]), lambda item: item.append(2)),
    ],
)
def test_changed_items_are_put_back(item: Any, change: Any) -> None:
    before, keeper = pickle.dumps(item), Keeper()
    keeper(item)
    change(item)
    assert pickle.dumps(item) != before
    keeper.put_back(item)
    assert pickle.dumps(item) == before


def test_attributes_and_slots_are_put_back() -> None:
    item, keeper = Held([1]), Keeper()
    inner = item.value
    keeper(item)
    item.value = [9]
    inner.append(2)
    keeper.put_back(item)
    assert item.value is inner
    assert inner == [1]


def test_workers_only_list_the_parts() -> None:
    assert pickle.loads(pickle.dumps(Keeper())) is parts_of


SPELLED = [
    ("an f-string with widths", "for x in xs:\n    out.append(f'{len(out):>{f(x)}}|{f(x):>4}|{f(x)!r}')"),
    ("an f-string that fails", "for x in xs:\n    out.append(f'{out[-1:]!s:>{x}}{f(x) / (x - 3)}')"),
    ("a row of a matrix", "for x in xs:\n    m[x, :] = f(x)"),
    ("a part of a row", "for x in xs:\n    m[x, f(x) % 2 : x] = f(x)"),
    ("a part of a list", "for x in xs:\n    out[len(out) - f(x) :] = [f(x) / (x - 5)]"),
]


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("cell", [cell for _, cell in SPELLED], ids=[name for name, _ in SPELLED])
def test_every_part_of_the_code_can_be_written_as_python(cell: str, how: str) -> None:
    setup = "import numpy\nm = numpy.zeros((9, 9))\nout, xs = [], list(range(1, 7))\ndef f(x):\n    return x * x + 1"
    found, program = compiled.differs(cell, setup, how, seed=2)
    assert found is None
    (lifted,) = program.lifted
    for action in lifted.made.actions:
        for statement in action.code:
            ast.parse(ast.unparse(statement))
    ast.parse(ast.unparse(lifted.made.head))


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize(
    "body",
    [
        "box = Box([])\n    box.value += [f(x)]\n    out.append(box.value)\n    box.value = []",
        "box = Box(out)\n    box.put(f(x))",
        "box = Box([out])\n    box.value[0].append(f(x))",
    ],
    ids=["the head changes it later", "it holds what all share", "it holds what holds what all share"],
)
def test_an_object_of_the_iteration_that_both_stages_use(body: str, how: str) -> None:
    setup = (
        "out, xs = [], [1, 2, 3]\ndef f(x):\n    return x * x + 1\n"
        "class Box:\n    def __init__(self, value):\n        self.value = value\n"
        "    def put(self, part):\n        self.value.append(part)"
    )
    found, program = compiled.differs(f"for x in xs:\n    {body}", setup, how)
    assert found is None
    assert program.lifted
