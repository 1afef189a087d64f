"""Statements whose calls do not depend on each other are computed together, and end as the plain cell does."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from concompare.cells.program import Cell, Wishes
from concompare.errors import CellRefused
from tests.cells import compiled, plainly, programs

SETUP = """
from argparse import ArgumentParser

parser = ArgumentParser("prog")

class Model:
    def __init__(self, alpha):
        self.alpha, self.parts = alpha, []
    def fit(self, xs):
        self.parts += [x * self.alpha for x in xs]
        return self
    def score(self, xs):
        return sum(self.parts) + sum(xs)
    def report(self, n):
        self.alpha += sum(x * n for x in xs)
        print("alpha", self.alpha)
        return self.alpha / n
    def look(self):
        self.seen = [x * 2 for x in first.parts]
    def note(self, x):
        self.alpha += sum(y * x for y in xs)
        out.append(x)
    def scale(self):
        self.parts = [x * factor for x in xs]

def train(alpha):
    return Model(alpha).fit(xs)

def f(x):
    return x * x + 1

def add(a, b=0, *, c=0):
    return a + b + c

def bad(x):
    raise ValueError(f"bad {x}")

def note(x):
    out.append(x)
    return x

def tell(x):
    print("at", x)
    return x

def scaled(x):
    return factor * x

def see(x):
    return x + len(out)

def read(path):
    with open(path) as file:
        return file.read()

def swap(one, other):
    one.parts, other.alpha = [x + other.alpha for x in xs], one.alpha
    return one.alpha

factor = 2
xs = [1, 2, 3]
out = []
first, second, third, fourth = Model(1), Model(2), Model(3), Model(4)
third.parts = fourth.parts
twin = first
"""


@dataclass
class Noting(compiled.Running):
    """Runs loops as workers would, and notes how many calls ran together."""

    together: list[int | None] = field(default_factory=list)

    def run(self, task: Any, lifted: Any) -> None:
        if lifted.kind == "calls":
            self.together.append(task.count)
        super().run(task, lifted)


CELLS = {
    "a = f(1)\nb = train(2)\nc = add(a, b.alpha)": [2],
    "x = f(1)\na = add(x)\nb = add(x, 2)\nc = add(a, b)": [2],
    "res = [f(1), add(2, 3), train(4)]": [3],
    "res = (f(1), [f(2)], {f(3)})": [3],
    "d = dict(a=f(1), b=add(2, c=5))": [2],
    "d = {'x': f(1), 'y': f(2), 'z': len(xs)}\nd": [2],
    "total = add(f(1), f(2)) + f(3)\ntotal": [3],
    "print(f(1), f(2))": [2],
    "a, b = f(1), f(2)\nf'{a} {b}'": [2],
    "d = {}\nd['a'] = f(1)\nd['b'] = f(2)": [2],
    "total = 1\ntotal += f(2)\ntotal += f(3)": [2],
    "a = f(1)\nb = f(2)\nfor v in (a, b):\n    print(v)": [2],
    "print('first')\na = f(1)\nb = f(2)": [2],
    "a = [f(1), f(2)]\nb = list(map(str, a))": [2],
    "a, b = f(1), f(2)\nc = [add(x, a) for x in xs]\nd, e = f(3), f(c[0])": [2, 2],
    "a, b = f(1), f(2)\nfor x in xs:\n    out.append(add(x, b))\nprint(out)": [2],
    "m, n = Model(1), Model(2)\nm.fit(xs)\na = m.score(xs)\nb = n.score(xs)": [2, 2],
    "m = Model(1)\nm.fit(xs)\na = m.score(xs)\nn = Model(2)\nn.fit(xs)\nb = n.score(xs)\nbest = max(a, b)": [2],
    "m = Model(1)\nn = Model(2)\nm.fit(xs)\nn.fit(xs)\nprint(m.parts, n.parts)": [2],
    "k = 3\nm = Model(k)\nm.fit(xs)\nn = Model(2)\nn.fit(xs)": [2],
    "x = f(2)\nm = Model(x)\nm.fit(xs)\nn = Model(x)\nn.fit(xs)": [2],
    "m = Model(1)\nm.fit(xs)\nn = Model(2)\nn.fit(None)": [2],
    "m = Model(1)\nm.fit(None)\nn = Model(2)\nn.fit(xs)": [2],
    "m = Model(1)\nm.fit(xs)\nn = m\nn.fit(xs)": [],
    "m = Model(1)\nm.parts = out\nm.fit(xs)\nn = Model(2)\nn.fit(xs)": [2],
    "m = Model(1)\nm.parts = out\nm.fit(xs)\nn = Model(2)\nn.parts = out\nn.fit(xs)": [2],
    "factor = 3\nm = Model(scaled(1))\nm.fit(xs)\nn = Model(scaled(2))\nn.fit(xs)": [2],
    "a = [f(1)]\na += [f(2)]\nb = [f(3)]\nb += [f(4)]\na is not b": [4],
    "a = tell(1)\nb = tell(2)\nprint('between')\nc = tell(3)\nd = tell(4)": [2, 2],
    "a = f(1)\nb = bad(3)\nc = f(2)": [3],
    "a = f(1)\nb = missing\nc = f(2)": [2],
    "x = tell(1)\ny = bad(3)\nz = tell(2)": [3],
    "a = f(1)\nout.append(a)\nb = bad(1)": [2],
    "a = f(1)\nout.append(a)\nb = see(2)\nc = f(3)": [2],
    "factor = 5\na = scaled(1)\nb = scaled(2)\nfactor = 6\nc = scaled(3)": [2],
    "a = read('/dev/null')\nb = read('/dev/null')": [2],
    "a = f(1)\nprint(a)\nb = tell(2)": [],
    "a = note(1)\nb = note(2)": [],
    "a = f(1)\nb = note(2)\nc = see(3)": [],
    "a = parser.format_usage()\nparser.set_defaults(x=1)\nb = parser.get_default('x')": [],
    "a = f(1) if xs else f(2)\nb = f(3) and f(4)": [],
    "a = f(1)\nb = add(a)\nc = add(b)": [],
    "a = f(1)\nif a:\n    b = f(2)": [],
    "a = f(1)\ndef f(x):\n    return -x\nb = f(2)": [],
    "a = see(1)\nb = [note(2), see(3)]\nc = see(4)": [],
    "a = f(1)\nb = [f(x) for x in xs]": [],
    "open('/dev/./null', 'w').close()\na = read('/dev/./null')": [],
    "open('/dev/null', 'w').close()\na = read('/dev/null')\nb = read('/dev/null')": [3],
    "a = f((b := 2))\nc = f(b)": [],
    "a = first.fit(xs)\nb = second.fit([4])\nc = third.fit(xs)\na is first": [3],
    "first.fit(xs)\nb = second.fit(xs)": [2],
    "first.fit(xs)\nsecond.fit(xs)\nfirst.fit(xs)\nthird.fit(xs)": [3],
    "a = first.report(2)\nsecond.report(3)\nc = third.report(4)": [3],
    "a = swap(first, second)\nb = swap(third, Model(5))": [2],
    "a = first.fit(xs)\nb = second.fit(None)\nc = third.fit(xs)": [3],
    "a = first.report(2)\nb = second.report(None)\nc = third.report(4)": [3],
    "a = first.fit(xs)\nb = missing\nc = third.fit(xs)": [],
    "a = first.fit(xs)\nb, c = second.fit(xs)\nd = third.fit(xs)": [],
    "a = first.fit(xs)\nb = twin.fit(xs)": [],
    "a = third.fit(xs)\nb = fourth.fit(xs)": [],
    "a = first.fit(xs)\nn = len(second.parts)\nb = second.fit(xs)": [],
    "second = first.fit(xs)\na = second.fit(xs)": [],
    "a = first.fit(xs)\nb = second.look()": [],
    "a = first.note(1)\nb = second.note(2)": [],
    "factor = first.fit(xs)\na = second.scale()": [],
}
"""Cells, with how many calls run together in each pass."""


def run(source: str, how: str) -> tuple[plainly.Left, Noting]:
    namespace = plainly.fresh(SETUP)
    runner = Noting(namespace, how)
    left = plainly.Left(namespace)
    with plainly.ended(left):
        try:
            left.value = Cell(source, Wishes("<cell>")).run(namespace, runner)
        except Exception as error:
            left.error, left.lines = error, plainly.lines_of(error)
    return left, runner


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("source", CELLS)
def test_independent_calls_run_together(source: str, how: str) -> None:
    left, runner = run(source, how)
    assert plainly.difference(plainly.run_plain(source, SETUP), left) is None
    assert runner.together == CELLS[source]


@pytest.mark.parametrize(
    ("after", "together"),
    [("c = list(map(sum, zip([a, b])))", True), ("c = [f(x) for x in xs]", False), ("c = list(map(f, xs))", False)],
)
def test_a_comparison_measures_the_loop_that_does_the_work(after: str, together: bool) -> None:
    cell = Cell(f"a, b = f(1), f(2)\n{after}", Wishes("<cell>", measured=True))
    assert (cell.fixed() is not None) is together


def test_a_copy_of_what_is_nowhere_is_a_file(tmp_path: Path) -> None:
    made = str(tmp_path / "made")
    _, runner = run(f"import shutil\nshutil.copy('/dev/null', {made!r})\na = read({made!r})", "threads")
    assert runner.together == []


def test_a_call_is_not_made_twice_where_another_fails() -> None:
    left, _ = run("a = tell(1)\nb = tell(2)\nc = bad(3)\nd = tell(4)", "threads")
    assert left.printed == "at 1\nat 2\n"
    assert (left.names["a"], left.names["b"]) == (1, 2)
    assert "c" not in left.names


def test_values_of_ours_do_not_stay() -> None:
    left, _ = run("a = f(1)\nb = f(2)", "threads")
    assert not [name for name in left.names if name.startswith("_concompare")]


def test_without_workers_the_statements_run_as_they_are() -> None:
    class Refusing(Noting):
        def run(self, task: Any, lifted: Any) -> None:
            raise CellRefused("no workers here.")

    namespace = plainly.fresh(SETUP)
    Cell("a = f(1)\nb = f(2)", Wishes("<cell>")).run(namespace, Refusing(namespace, "threads"))
    assert (namespace["a"], namespace["b"]) == (2, 5)


def test_methods_of_small_tables_are_not_worth_a_worker() -> None:
    pytest.importorskip("pandas")
    setup = "import pandas as pd\ndf = pd.DataFrame({'a': [3, 1, 2], 'b': [1.0, 2.0, 3.0]})\n"
    setup += "def f(x):\n    return sum(range(50))"
    small = "a = df.sort_values('a').head(2)\nb = df['b'].idxmax()\nc = df.describe()\nprint(df.max())"
    assert "calls" not in [lifted.kind for lifted in programs.alike(small, setup, "threads").cell.lifted]
    held = "a = holder.words.split()\nb = holder.found.most_common(1)\nc = words.index('b')"
    setup += "\nimport collections, types\nwords = ['a', 'b']\nholder = types.SimpleNamespace(words='a b')"
    setup += "\nholder.found = collections.Counter(words)"
    assert "calls" not in [lifted.kind for lifted in programs.alike(held, setup, "threads").cell.lifted]
    ran = programs.alike("a, b = f(df), f(df['a'])\nc = df.describe()", setup, "threads")
    assert "calls" in [lifted.kind for lifted in ran.cell.lifted]
