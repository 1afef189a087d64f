"""What is said of calls that stay in the notebook is true, and following it brings them into workers."""

from __future__ import annotations

import pytest

from concompare.errors import CellRefused
from tests.cells import compiled
from tests.cells.test_golden import SETUP

MORE = (
    SETUP
    + """
lock = threading.Lock()
limit = 100

def advance(p):
    return p + 1 if limit else [v for v in range(p)]

def slow(n):
    return sum(v for v in range(limit) if v % 3 + n * 0) // 99 + n / 2

def kept(x):
    log.append(x)
    return (lambda v: f(v))(x)

def bump(x):
    global state
    state = state + (lambda v: f(v))(x)

class Model:
    def __init__(self, p):
        self.p, self.w = p, 0
    def fit(self, x):
        self.w += x * self.p
        return self.w
model = Model(2)
"""
)


def refusals(cell: str) -> list[CellRefused]:
    """Return why the loops of a cell run as they are, after running it in the manner of threads."""
    _, ran = compiled.run_compiled(cell, MORE, "threads")
    return [part.refusal for part in ran.refused]


def is_parallel(cell: str, call: str) -> bool:
    """Tell whether a call of a cell runs in workers, with the plain cell's results."""
    different, ran = compiled.differs(cell, MORE, "threads")
    return different is None and any(call in lifted.sources[0] for lifted in ran.lifted)


STAYS = "so this loop has to stay as it is; several such loops can run in parallel, as calls of a function."


@pytest.mark.parametrize(
    ("cell", "needs", "call"),
    [
        ("x = 1\nfor i in range(4):\n    x = f(x)", "line 3: needs 'x' from the item before.", "f"),
        ("prev = 0\nfor x in xs:\n    prev = add(prev, x)", "line 3: needs 'prev' from the item before.", "add"),
        ("for x in xs:\n    y = f(prev + x)\n    z = y + 1\n    prev = z", "line 2: needs 'prev'", "f"),
        ("a, b = 0, 1\nfor x in xs:\n    a, b = b, f(a + b)", "line 3: needs 'a'", "f"),
        ("for x in xs:\n    y = f(prev) if x < 9 else 0\n    if y > prev:\n        prev = y", "needs 'prev'", "f"),
        ("s = {'v': 0}\nfor x in xs:\n    s['v'] = f(s['v'] + x)", "line 3: reads `s`, which the loop changes.", "f"),
        (
            "for x in xs:\n    try:\n        out.append(f(x + prev))\n    except ValueError:\n        prev += 1",
            "needs 'prev'",
            "f",
        ),
        ("err = 200\nwhile err > 80:\n    err = slow(err)", "line 3: needs 'err' from the item before.", "slow"),
    ],
)
def test_what_needs_the_result_of_the_item_before_has_to_stay(cell: str, needs: str, call: str) -> None:
    (refusal,) = refusals(cell)
    assert needs in str(refusal)
    assert str(refusal).endswith(f"Each call of `{call}` needs the result of the one before, {STAYS}")
    assert "in a loop of its own" not in str(refusal)


def test_several_loops_that_have_to_stay_run_in_parallel_as_calls_of_a_function() -> None:
    run = "def run(x):\n    for i in range(4):\n        x = f(x)\n    return x\n"
    assert is_parallel(f"{run}ends = [run(x) for x in xs]", "run(x)")


@pytest.mark.parametrize(
    ("cell", "words", "followed", "call"),
    [
        pytest.param(
            "p = 0\nfor x in xs:\n    p = advance(p)\n    out.append(f(p))",
            "Compute 'p' in a loop of its own first and keep the values in a list; then `f` can run in parallel over",
            "p, ps = 0, []\nfor x in xs:\n    p = advance(p)\n    ps.append(p)\nfor p in ps:\n    out.append(f(p))",
            "f(p)",
            id="the chain needs none of the heavy results",
        ),
        pytest.param(
            "it = (v for v in xs)\nfor i in range(3):\n    out.append(f(next(it)))",
            "`next` takes values from `it`, which the items share. Call `next` in a loop of its own first",
            "it = (v for v in xs)\nvs = []\nfor i in range(3):\n    vs.append(next(it))\nfor v in vs:\n"
            "    out.append(f(v))",
            "f(v)",
            id="a generator that the items share",
        ),
        pytest.param(
            "r = [kept(x) for x in xs]",
            "line 1: `kept` changes `log`, which the items share. Let `kept` return the value instead, and change it",
            "r = []\nfor x in xs:\n    log.append(x)\n    r.append(f(x))",
            "f(x)",
            id="a function that stores",
        ),
        pytest.param(
            "for x in xs:\n    bump(x)",
            "line 2: `bump` gives the name 'state' a value. Let `bump` return the value instead, and change 'state'",
            "for x in xs:\n    state = state + f(x)",
            "f(x)",
            id="a function with a global",
        ),
        pytest.param(
            "for x in xs:\n    model.p = x\n    out.append(model.fit(x))",
            "line 3: `model.fit` changes `model`, which the items share. Make a new one for each item inside the loop",
            "for x in xs:\n    m = Model(2)\n    m.p = x\n    out.append(m.fit(x))",
            "m.fit(x)",
            id="an object that the items share",
        ),
        pytest.param(
            "for x in xs:\n    with lock:\n        out.append(say(x))",
            "line 2: is under `with lock`, which stays in the notebook. Call before the `with`, and only store",
            "for x in xs:\n    v = say(x)\n    with lock:\n        out.append(v)",
            "say(x)",
            id="a lock",
        ),
        pytest.param(
            "for x in xs:\n    try:\n        v = say(x)\n        ys.remove(v)\n    except ValueError:\n        pass",
            "is under a `try` together with a step that stays in the notebook and may raise",
            "for x in xs:\n    try:\n        v = say(x)\n    except ValueError:\n        pass\n    else:\n"
            "        out.append(v)",
            "say(x)",
            id="a store under try",
        ),
        pytest.param(
            "for x in xs:\n    if total > 10:\n        break\n    total += say(x)",
            "line 4: comes after line 2, which may end the loop or the item. Call before that line",
            "for x in xs:\n    v = say(x)\n    if total > 100:\n        break\n    total += v",
            "say(x)",
            id="a test before the call",
        ),
        pytest.param(
            "n = 0\nwhile True:\n    v = slow(n)\n    with lock:\n        n += 1\n    if v > 19:\n        break",
            "whether the `while` loop goes on depends on what its items compute. If it can be told before what they",
            "for n in itertools.count():\n    v = slow(n)\n    if v > 19:\n        break",
            "slow(n)",
            id="a while that counts",
        ),
        pytest.param(
            "for k in table:\n    table[k + 10] = f(table[k])\n    if len(table) > 9:\n        break",
            "If no item needs what another one stored, store into a new object and copy it over after the loop; else",
            "new = {}\nfor k in table:\n    new[k + 10] = f(table[k])\ntable.update(new)",
            "f(table[k])",
            id="elements of one container",
        ),
        pytest.param(
            "for x in xs:\n    if x % 2 not in cache:\n        cache[x % 2] = say(x % 2)\n    out.append(cache[x % 2])",
            "Compute each different key once, in a loop over these keys before",
            "for k in {x % 2 for x in xs}:\n    cache[k] = say(k)\nfor x in xs:\n    out.append(cache[x % 2])",
            "say(k)",
            id="a cache in the loop",
        ),
        pytest.param(
            "for x in xs:\n    out.append(read_x(x))",
            "Hand it to the function as an argument",
            "for x in xs:\n    out.append((lambda v: f(v) + v)(x))",
            "f(v)",
            id="a function that reads the loop's name",
        ),
        pytest.param(
            "for x in xs:\n    globals()[f'v{x}'] = f(x)",
            "`globals` reaches every name of the notebook. Keep the values in a dict of your own",
            "d = {}\nfor x in xs:\n    d[f'v{x}'] = f(x)",
            "f(x)",
            id="names made up",
        ),
    ],
)
def test_following_the_advice_brings_the_call_into_workers(cell: str, words: str, followed: str, call: str) -> None:
    assert words in " | ".join(map(str, refusals(cell)))
    assert is_parallel(followed, call)


def test_what_cannot_be_helped_is_said_before_what_a_seed_would_not_help() -> None:
    body = "    new = prev + random.random()\n    if f(new) > f(prev):\n        prev = new\n    out.append(prev)"
    cell = f"for x in xs:\n{body}"
    (refusal,) = refusals(cell)
    assert "from the item before" in str(refusal)


def test_an_object_with_a_name_that_each_item_gives_anew_comes_from_the_item_before() -> None:
    (refusal,) = refusals("grid = np.ones(3)\nfor x in xs:\n    grid = add(grid.copy(), x)\n    grid[0] = 1")
    assert "needs 'grid' from the item before. Each call of" in str(refusal)


def test_a_call_is_not_said_to_be_one_of_several_items() -> None:
    (refusal,) = refusals("r = kept(3)")
    assert str(refusal) == "line 1: `kept` changes `log`."


def test_words_for_an_object_are_not_shown_as_code() -> None:
    (refusal,) = refusals("for x in xs:\n    out.append(collect_default(x))")
    assert "`collect_default` changes the default of `seen`, which" in str(refusal)


def test_a_note_names_the_call_that_stays() -> None:
    _, ran = compiled.run_compiled("for x in xs:\n    total = add(total, f(x))", MORE, "threads")
    (lifted,) = ran.lifted
    assert lifted.notes == ("line 2: `add` stays in the notebook: needs 'total' from the item before",)


@pytest.mark.parametrize(
    ("cell", "advice"),
    [
        (
            "ys = list(xs)\nfor y in ys:\n    if f(y) % 2:\n        ys.remove(y)",
            "Walk a copy of it, if the loop need not",
        ),
        ("it = iter(xs)\nfor x in it:\n    out.append(f(x) + next(it, 0))", "Make a list of it before the loop"),
    ],
)
def test_how_to_walk_what_the_loop_changes_depends_on_what_it_is(cell: str, advice: str) -> None:
    assert advice in " | ".join(map(str, refusals(cell)))
