# ruff: noqa: E501
from __future__ import annotations

import ast
import os
import random
from typing import Any

import pytest

from concompare.cells.distribution.ahead import shadows
from concompare.cells.distribution.ahead.rewriting import Ahead, ahead_of, as_plain_loop
from concompare.cells.distribution.stages import stages_of
from concompare.cells.effects.interpreter import Interpreter
from concompare.cells.effects.live import World
from concompare.cells.forms import finding
from concompare.cells.program import Cell, Wishes
from concompare.cells.replay import front
from tests.cells import compiled, drawn, fronts, plainly, programs

EXAMPLES = int(os.environ.get("CONCOMPARE_CELLS", "200")) // 10
"""`make generated` sets 20000."""

AHEAD = {
    "an iterator to its error": "while todo:\n    x = next(it)\n    out.append((prev, work(r)))",
    "a stack to its error": "while data:\n    x = todo.pop()\n    out.append(work(x) + work(state.n))",
    "an iterator to its error that somebody handles": "try:\n    while True:\n        x = next(it)\n        out.append(work(x))\nexcept StopIteration:\n    log.append(x)",
    "an end that the work decides about": "while True:\n    x = next(it)\n    out.append(work(x))\n    if out[-1] > 1: break\nelse:\n    log.append(1)",
    "a sample": "for x in xs:\n    s = rng.sample(data, 5)\n    out.append(work(s))",
    "a draw inside a call": "for x in xs:\n    out.append(work(x, random.random()))",
    "numpy's generator": "for x in xs:\n    s = nrng.choice(data, 5)\n    out.append(work(x, s.sum()))",
    "numpy's global state": "for x in xs:\n    out.append(work(x, np.random.rand(3).tolist()))",
    "numpy's old state": "for x in xs:\n    v = old.normal()\n    out.append(work(x, v))",
    "a function that draws": "for x in xs:\n    out.append(work(x, draw()))",
    "a seed for each item": "for x in xs:\n    random.seed(x)\n    out.append(work(x, random.random()))",
    "a list that is shuffled": "for x in xs:\n    random.shuffle(data)\n    out.append(work(data))",
    "an array that is shuffled, by its methods": "values = np.arange(6.0)\nfor x in xs:\n    np.random.shuffle(values)\n    out.append(work(values.tolist(), values.argmax()))",
    "halves of an array that is shuffled": "values = np.arange(6.0)\nfor x in xs:\n    np.random.shuffle(values)\n    out.append(float(values[:3].mean() - values[3:].mean()))",
    "an array that is added to": "values = np.zeros(3)\nfor x in xs:\n    values += x\n    out.append(work(float(values.sum())))",
    "a sorted sample": "for x in xs:\n    s = rng.sample(data, 4)\n    s.sort()\n    out.append(work(s))\n    done[x] = s",
    "a counter": "for x in xs:\n    i += 1\n    done[i] = work(x, i)",
    "a counter used before it counts": "for x in xs:\n    done[i] = work(x, i)\n    i += 2",
    "the item before": "for x in xs:\n    out.append(work(x, prev))\n    prev = x",
    "a running mean": "for x in xs:\n    ema = 0.9 * ema + 0.1 * x\n    out.append(work(x, ema))",
    "what was seen": "for x in xs:\n    if x in seen:\n        continue\n    seen.add(x)\n    out.append(work(x))",
    "a function that tells what is new": "for x in xs:\n    if not fresh(x): continue\n    out.append(work(x))",
    "a method that counts": "for x in xs:\n    n = state.next_id()\n    done[n] = work(x, n)",
    "an attribute that counts": "for x in xs:\n    state.n += 1\n    done[state.n] = work(x, state.n)",
    "a list of an object": "while state.jobs:\n    x = state.jobs.pop()\n    out.append(work(x))",
    "a list as a stack": "while todo:\n    x = todo.pop()\n    done[x] = work(x)",
    "a queue that grows": "while queue:\n    x = queue.popleft()\n    if x < 6: queue.append(x + 3)\n    out.append(work(x))",
    "a heap": "while heap:\n    x = heapq.heappop(heap)\n    out.append(work(x))",
    "objects from a list": "while jobs:\n    job = jobs.pop()\n    out.append((job, job.run()))\n    done[job.n] = job",
    "a while that breaks": "while True:\n    i += 1\n    if i > 5: break\n    out.append(work(i))",
    "a while with an else": "while i < 4:\n    out.append(work(i))\n    i += 1\nelse:\n    out.append('end')",
    "a condition that changes something": "while todo and (x := todo.pop(0)) > 1:\n    out.append(work(x))",
    "a condition that draws, with an else": "while rng.random() < 0.8:\n    out.append(work(i))\nelse:\n    i += 10",
    "a condition that ends the loop before the front fails": "while todo.pop():\n    x = next(it)\n    if work(x):\n        continue\n    todo.append(9)\nelse:\n    log.append(-1)",
    "the next of an iterator": "for x in xs:\n    y = next(it)\n    out.append(work(x, y))",
    "an iterator to its end": "while True:\n    try:\n        y = next(it)\n    except StopIteration:\n        break\n    out.append(work(y))",
    "a zip to its end": "for k in range(9):\n    a, b = next(pairs)\n    out.append(work(a, b))",
    "numbers from a count": "for x in xs:\n    n = next(ids)\n    done[n] = work(x, n)",
    "a window": "for x in xs:\n    window.append(x)\n    out.append(work(list(window)))",
    "batches": "for x in xs:\n    batch.append(x)\n    if len(batch) == 2:\n        out.append(work(batch))\n        batch = []",
    "an inner loop": "for x in xs:\n    for k in range(x):\n        r = random.random()\n        if r < .5:\n            out.append(work(x, k, r))",
    "an inner while": "for x in xs:\n    n = 0\n    while random.random() < .6:\n        n += 1\n    out.append(work(x, n))",
    "jumps and an else inside": "for x in xs:\n    for y in range(3):\n        i += 1\n        if i % 3 == 0: continue\n        out.append(work(x, y, i))\n    else:\n        i += 100",
    "a condition of the work": "for x in xs:\n    i += 1\n    if sometimes(x):\n        out.append(work(x, i))",
    "the work says to go on": "for x in xs:\n    i += 1\n    r = work(x)\n    if r % 2:\n        continue\n    out.append(work(x, i))",
    "the work says to stop": "for x in xs:\n    v = random.random()\n    r = keep(x, v)\n    if r[0] == 5: break\n    out.append(r)",
    "output": "for x in xs:\n    v = random.random()\n    print(x, v)\n    out.append(work(x, v))",
    "work that raises": "for x in xs:\n    i += 1\n    v = random.random()\n    out.append(fails(x, i))\n    w = random.random()",
    "work that raises between two draws": "for x in xs:\n    out.append(work(random.random()) + fails(x) + work(random.random()))",
    "work that raises and is caught": "for x in xs:\n    v = rng.random()\n    try:\n        out.append(fails(x, v))\n    except ValueError as e:\n        done[x] = str(e)",
    "a list that comes to its end": "for x in xs * 2:\n    y = todo.pop()\n    out.append(work(x, y))",
    "a sum that fails ahead": "for x in [1, 2, 'three', 4]:\n    i += x\n    out.append(work(x, i))",
    "a list comprehension": "r = [work(x, random.random()) for x in xs]",
    "a dict comprehension": "r = {x: work(x, random.random()) for x in xs}",
    "a generator": "r = sum(work(x, random.random()) for x in xs)",
    "a comprehension that fails": "r = [fails(x, random.random()) for x in xs]",
    "a comprehension that comes to an end": "r = [work(next(it)) for k in range(40)]",
    "a comprehension of what is new": "r = [work(x) for x in xs if fresh(x)]",
    "a generator that comes to an end": "r = list(work(x, queue.popleft()) for x in xs)",
    "a place that is taken from a list": (
        "while heap:\n    x = heapq.heappop(heap)\n    done[str(data.pop())] = work(ema)\n    out.append(work(data))"
    ),
    "a name that only some items give a value, and an error": (
        "while i < 5:\n    x = heapq.heappop(heap)\n    for n in range(x % 3):\n        v = keep(x, i)\n    i += 0\n    prev = i\n    out.append(work(prev, i))\n    i += 1"
    ),
    "an inner loop that leaves its name": (
        "for x in xs:\n    for n in range(x % 3):\n        out.append(work(n))\n    if not fresh(str(n)): continue\n    out.append(work(x, n))"
    ),
    "a graph that is searched": (
        "while queue:\n    node = queue.popleft()\n    if node in seen: continue\n    seen.add(node)\n"
        "    for k in range(node):\n        if k not in seen: queue.append(k)\n    done[node] = work(node)"
    ),
}
"""Cells whose work needs something that is handed from item to item."""

PLAIN = {
    "a counter of the work": (
        "for x in xs:\n    if sometimes(x):\n        i += 1\n    out.append(work(x, i))",
        "item before",
    ),
    "work that puts back, by what it changes": (
        "while todo:\n    x = todo.pop()\n    r = work(x, seen)\n    seen.add(r)\n    if r == 1: todo.append(1)",
        "which the loop changes",
    ),
    "a counter in a condition of the work": (
        "while True:\n    out.append(0 if sometimes(i) else work((i := i + 1)))\n    if i > 3: break",
        "Each call of `sometimes` needs the result of the one before",
    ),
    "a counter in a handler": (
        "for x in xs:\n    i += 1\n    try:\n        out.append(fails(x, i))\n    except ValueError:\n        i += 1",
        "Each call of `fails` needs the result of the one before",
    ),
    "an array of lists": (
        "values = np.array([[1], [2, 3]] + [None], dtype=object)[:2]\nfor x in xs:\n    values[:] = values[::-1]\n    out.append(keep(values.item(0)))\nout[0][0].append(9)",
        "holds an object of the notebook that the loop changes",
    ),
    "a list that holds itself": ("for x in xs:\n    batch.append(batch)\n    out.append(work(batch))", "`batch`"),
    "a name that is given its value beside a place of the work": (
        "for x in xs:\n    v = keep(prev)\n    out.append(v)\n    done[str(v)], prev = 1, x",
        "Each call of `keep` needs the result of the one before",
    ),
    "a name beside a place, where only some items need it": (
        "for x in xs:\n    match [keep(x)]:\n        case [[1]]: v = 0\n        case [v]: out.append(keep(prev, v))\n    done[str(v)], prev = prev, x",
        "needs 'prev' from the item before",
    ),
    "a generator of somebody": ("g = (v for v in xs)\nfor k in range(4):\n    out.append(work(next(g)))", "`g`"),
    "a file that is written too": (
        "import io\nf = io.StringIO('a\\nb\\n')\nfor k in range(2):\n    out.append(work(f.readline(), f.write('c')))",
        "`f`",
    ),
}
"""Cells whose work cannot be computed ahead, with a word of the reason."""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", AHEAD)
def test_a_loop_whose_order_is_computed_ahead_leaves_what_plain_execution_leaves(name: str, how: str) -> None:
    different, ran = programs.compared(AHEAD[name], fronts.SETUP, how)

    assert different is None
    assert ran.ahead, ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", PLAIN)
def test_a_loop_that_cannot_be_computed_ahead_runs_as_the_plain_loop_and_says_why(name: str, how: str) -> None:
    cell, reason = PLAIN[name]

    different, ran = programs.compared(cell, fronts.SETUP, how)

    assert different is None
    notes = [note for lifted in ran.cell.lifted for note in lifted.notes]
    assert not ran.ahead
    assert reason in " ".join([ran.reasons, *notes])


@pytest.mark.parametrize("at", range(6))
def test_an_error_in_any_item_leaves_everything_where_the_plain_loop_leaves_it(at: int) -> None:
    cell = (
        f"for k, x in enumerate(xs):\n    i += 1\n    v = rng.random()\n    y = todo.pop()\n    seen.add(x)\n"
        f"    out.append(fails(2 if k == {at} else 0, v))\n    prev = next(it)\n    w = nrng.random()"
    )

    for how in programs.WAYS:
        different, ran = programs.compared(cell, fronts.SETUP, how)
        assert different is None
        assert ran.ahead
        assert len(ran.left.names["out"]) == at


@pytest.mark.parametrize("at", range(5))
def test_a_tail_that_breaks_leaves_everything_where_the_plain_loop_leaves_it(at: int) -> None:
    cell = (
        f"for k, x in enumerate(xs):\n    v = rng.random()\n    y = next(ids)\n    random.shuffle(data)\n"
        f"    out.append(work(x, v, y, data))\n    if len(out) > {at}: break\n    window.append(v)"
    )

    for how in programs.WAYS:
        different, ran = programs.compared(cell, fronts.SETUP, how)
        assert different is None
        assert ran.ahead


def test_the_front_changes_nothing_of_the_notebook_ahead_of_the_tail() -> None:
    namespace = plainly.fresh(fronts.SETUP)
    plain = plainly.fresh(fronts.SETUP)
    seen: list[tuple[int, int, Any]] = []
    cell = Cell("for x in xs:\n    y = todo.pop()\n    v = rng.random()\n    done[y] = work(x, v)", Wishes("<cell>"))

    class Runner(compiled.Running):
        def run(self, task: Any, lifted: Any) -> None:
            items = list(task.items)
            seen.append((len(items), len(namespace["todo"]), namespace["rng"].getstate()))
            for position, item in enumerate(items):
                value, _ = task.function(item)
                task.apply(position, value)
            task.finish({})

    cell.run(namespace, Runner(namespace, "threads"))

    assert seen == [(6, 6, plain["rng"].getstate())]
    assert namespace["todo"] == []


def test_what_is_drawn_is_one_object_for_the_head_and_the_notebook() -> None:
    ran = programs.run(
        "for x in xs:\n    s = rng.sample(data, 3)\n    out.append((s, keep(s)))", fronts.SETUP, "threads"
    )

    assert ran.ahead
    assert all(pair[1][0] is pair[0] for pair in ran.left.names["out"])
    assert ran.left.names["s"] is ran.left.names["out"][-1][0]


def test_with_a_seed_for_each_item_random_numbers_of_the_process_are_not_drawn_ahead() -> None:
    cell = "for x in xs:\n    out.append(work(x, random.random()))"

    assert ahead(cell) is not None
    assert ahead(cell, seeded=True) is None


def test_the_front_is_a_slice_of_the_body() -> None:
    found = ahead(
        "for x in xs:\n    i += 1\n    total = work(x)\n    if x in seen:\n        continue\n    seen.add(x)\n    log.append(work(x, i, total))"
    )

    assert found is not None
    written = readable(found.front)
    assert not any(part in written for part in ("work", "log", "total"))
    for part in ("i += 1", "x in seen", "seen.add(x)", "continue"):
        assert part in written


def test_the_front_leaves_out_what_no_work_needs() -> None:
    found = ahead("for x in xs:\n    i += 1\n    v = random.random()\n    done[i] = work(v)")

    assert found is not None
    assert "random.random()" in readable(found.front)
    assert "i +=" not in readable(found.front)


def test_where_the_work_needs_nothing_of_the_item_before_there_is_no_front() -> None:
    assert ahead("for x in xs:\n    i += 1\n    done[i] = work(x)") is None
    assert ahead("for x in xs:\n    out.append(work(x))") is None


def test_a_while_that_the_tail_ends_is_computed_ahead_only_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "MOST", 20)
    cell = "while i < 10**9:\n    i += 1\n    r = work(i)\n    out.append(r)\n    if len(out) == 30: break"

    different, ran = programs.compared(cell, fronts.SETUP, "threads")

    assert different is None
    assert ran.ahead
    assert len(ran.left.names["out"]) == 30


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "while True:\n    i += 1\n    out.append(work(i))\n    if len(out) > 5: break",
        "while len(out) < 6:\n    i += 1\n    if work(i) % 2 == 0:\n        out.append(i)\nelse:\n    log.append(i)",
        "while best < 30:\n    best += work(rng.random())",
        "while len(out) < 4:\n    x = todo.pop()\n    out.append(work(x))\n    if x == 3: break\nelse:\n    log.append(9)",
        "while len(out) < 9:\n    x = todo.pop()\n    out.append(work(x))",
        "while len(out) < 9:\n    x = next(it)\n    out.append(fails(x))",
    ],
)
def test_a_while_that_only_its_results_end_runs_ahead_of_them(cell: str, how: str) -> None:
    different, ran = programs.compared(cell, fronts.SETUP, how)

    assert different is None
    assert ran.ahead


def test_a_front_whose_inner_loop_has_no_end_of_its_own_leaves_it_to_the_plain_loop() -> None:
    cell = (
        "for x in xs:\n    out.append(work(x, i))\n    while True:\n        i += 1\n        if i < 0: break\n"
        "        log.append(missing)"
    )
    different, _ = programs.compared(cell, fronts.SETUP, "threads")

    assert different is None


def ahead(cell: str, *, seeded: bool = False) -> Ahead | None:
    """Return the front of a cell's one loop, or None."""
    namespace = plainly.fresh(fronts.SETUP)
    (loop,) = finding.loops_in(ast.parse(cell).body)
    loop, test = as_plain_loop(loop)
    loop.__dict__["namespace"] = namespace
    analysed = Interpreter(World(namespace)).analyse(loop, namespace["xs"])
    staged = stages_of(analysed, seeded=seeded)
    return ahead_of(analysed, staged if loop.target is not None else None, seeded=seeded, test=test)


def readable(made: ast.FunctionDef) -> str:
    """Return the code of a front without our marks."""
    return ast.unparse(ast.fix_missing_locations(made)).replace("_concompare_", "")


@pytest.mark.parametrize(
    "thing",
    [
        [1, 2],
        {1: 2},
        {1, 2},
        bytearray(b"ab"),
        iter([1, 2]),
        iter((1, 2)),
        iter(range(3)),
        enumerate([1, 2]),
        zip([1], iter([2]), strict=False),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_a_shadow_is_changed_without_its_original(thing: Any) -> None:
    shadow = shadows.shadow_of(thing)

    consumed = list(shadow) if hasattr(shadow, "__next__") else [shadow.clear()]

    assert consumed
    assert len(list(thing)) > 0


def test_a_count_goes_on_in_its_shadow() -> None:
    import itertools

    count = itertools.count(4, 3)
    next(count)

    shadow = shadows.shadow_of(count)

    assert [next(shadow), next(shadow)] == [7, 10]
    assert next(count) == 7


@pytest.mark.parametrize("name", ["rng", "nrng", "old"])
def test_a_generator_of_random_numbers_draws_ahead_and_is_put_back(name: str) -> None:
    namespace = plainly.fresh(fronts.SETUP)
    generator = namespace[name]
    found = shadows.Shadows([generator], namespace)
    draw = generator.random if name != "old" else generator.random_sample

    found.enter()
    ahead = [draw(), draw()]
    found.leave()
    found.enter()
    ahead.append(draw())
    found.leave()

    assert [draw(), draw(), draw()] == ahead


def test_generators_files_and_locks_have_no_shadow() -> None:
    import threading

    with open(os.devnull, "rb") as device:
        for thing in [(n for n in range(3)), device, threading.Lock(), map(str, [1])]:
            assert not shadows.can_shadow(thing, {"thing": thing})


@pytest.mark.slow
@pytest.mark.timeout(max(60, EXAMPLES))
def test_drawn_cells_that_hand_something_on_leave_what_plain_execution_leaves() -> None:
    ahead = 0
    for number in range(EXAMPLES):
        cell = drawn.draw("fronts", "ahead", number)
        plain = plainly.run_plain(cell, fronts.SETUP)
        for how in () if plain.endless else programs.WAYS:
            different, ran = programs.compared(cell, fronts.SETUP, how, len(cell), plain)
            ahead += ran.ahead
            assert different is None, f"{how}: {different}\n{cell}"
    assert ahead > 0


def test_the_same_draw_gives_the_same_cell() -> None:
    assert fronts.Writer(random.Random(7)).cell() == fronts.Writer(random.Random(7)).cell()
