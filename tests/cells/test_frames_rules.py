"""Methods of pandas in cells: order, errors, what is refused and what is left alone."""

from __future__ import annotations

import traceback
from typing import Any

import pandas as pd
import pytest

from concompare import engine
from concompare.cells.explaining import explanation
from concompare.cells.program import Cell, Wishes
from concompare.cells.replay.frames import asking, likeness, owners
from concompare.errors import CellRefused
from tests.cells import compiled, plainly, programs, test_frames

SINCE_3 = pytest.mark.skipif(int(pd.__version__.partition(".")[0]) < 3, reason="copies on write since pandas 3")
SETUP = (
    test_frames.SETUP
    + """
import random
import sys
import warnings

seen = []

def tells(x):
    print("got", x)
    return heavy(x)

def tells_row(r):
    print("row", r.name)
    if r["a"] == 3:
        raise ValueError("three")
    return sum([r["a"]])

def notes(x):
    seen.append(x)
    return heavy(x)

def draws(x):
    return random.random() + heavy(x)

def tells_length(v):
    print(len(v))
    return sum(list(v))

def widens(g):
    g["share"] = sum(list(g["b"]))
    return g

def widens_copy(g):
    name = g.name
    g = g.sort_values("b").copy()
    g["share"] = sum(list(g["b"])) + len(str(name))
    g.columns.name = "made"
    return g

def shifts(v):
    v.iloc[0] = sum(list(v))
    v.name = "x"
    return v

def adds(r):
    r["c"] = sum([r["a"], r["b"]])
    return r

def relabels(r):
    seen_index = "".join(r.index) + str(sum([1]))
    r.index = list("uvw")[: len(r)]
    return seen_index

def looks(r):
    return sum(list(df["b"])) - r["b"]

class Reader:
    def __init__(self):
        self.made = []
    def map(self, function, *rest, **named):
        self.made.append((function(2), rest, named))
        return self.made
    def apply(self, function):
        return sys._getframe(1).f_code.co_filename, function(3)

class Frame(pd.DataFrame):
    pass

reader = Reader()
framed = Frame({"a": [1, 2]})
objects = pd.DataFrame({"a": [1, 1], "parts": [[1], [2]]})
"""
)


def frames_of(error: BaseException) -> list[tuple[str, int | None, str]]:
    """Return file, line and function of the frames of an error, from the cell on."""
    found = [(entry.filename, entry.lineno, entry.name) for entry in traceback.extract_tb(error.__traceback__)]
    return found[next(place for place, entry in enumerate(found) if entry[0] == "<cell>") :]


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "r = (df\n    .apply(row_fails, axis=1)\n    .sum())",
        "r = df['a'].map(lambda v: fails(v))",
        "r = df.apply(lambda r: r['nothing'], axis=1)",
        "r = df.groupby('a').apply(group_fails)",
        "def up(v):\n    return 1 / sum([v - 2])\n\n\nr = df['a'].apply(up)",
        "r = df['a'].map(notes).missing",
        "r = df.missing.map(heavy)",
        "r = df['a'].map(draws, na_action='what')",
    ],
)
def test_an_error_has_the_traceback_of_the_plain_cell(cell: str, how: str) -> None:
    plain, ran = plainly.run_plain(cell, SETUP), programs.run(cell, SETUP, how)
    assert plain.error is not None
    assert ran.left.error is not None
    assert frames_of(ran.left.error) == frames_of(plain.error)
    assert repr(ran.left.error.__context__) == repr(plain.error.__context__)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    ("cell", "lifted"),
    [
        ("r = df['a'].map(tells)", True),
        ("r = df.apply(tells_row, axis=1)", True),
        ("r = numbers.apply(tells_length)", True),
        pytest.param("r = df.groupby('a')[['b']].apply(tells_length)", True, marks=SINCE_3),
        ("r = df.groupby('a')['b'].agg(tells_length)", False),
        ("r = numbers.apply(tells_length, raw=True)", False),
        ("r = times.rolling(2).apply(tells_length)", False),
        ("r = empty.apply(tells_length)", False),
    ],
)
def test_what_is_printed_comes_once_and_in_order(cell: str, lifted: bool, how: str) -> None:
    difference, ran = programs.compared(cell, SETUP, how)
    assert difference is None
    assert bool(ran.cell.lifted) is lifted


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "r = df['a'].map(notes)\nseen",
        "r = df.apply(lambda row: notes(row['a']), axis=1, result_type='expand')\nseen",
        "random.seed(1)\nr = df['a'].map(draws)\nrandom.random()",
        "r = numbers.apply(lambda c: notes(c.sum()))\nseen",
        "r = objects['parts'].map(lambda p: p.append(sum([1])))\nlist(objects['parts'])",
    ],
)
def test_what_calls_change_that_pandas_makes_for_certain_is_changed_in_order(cell: str, how: str) -> None:
    difference, ran = programs.compared(cell, SETUP, how)
    assert difference is None
    assert ran.cell.lifted


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("r = df.groupby('a')['b'].agg(notes)", "changes `seen`"),
        ("random.seed(1)\nr = df.groupby('a')['b'].agg(draws)", "draws from random numbers"),
        ("r = df.apply(relabels, axis=1)", "changes what pandas gives it"),
        ("r = df.groupby('a')['b'].transform(shifts)", "of which something else holds a part"),
        ("r = objects.groupby('a').apply(lambda g: g['parts'].iloc[0].append(sum([1])))", "can be changed"),
        ("r = objects.apply(lambda r: r['parts'].append(sum([1])), axis=1)", "can be changed"),
    ],
)
def test_a_function_that_does_more_than_give_a_value_runs_plainly(cell: str, reason: str, how: str) -> None:
    difference, ran = programs.compared(cell, SETUP, how)
    assert difference is None
    assert not ran.cell.lifted
    assert reason in ran.reasons


@SINCE_3
@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "r = df.groupby('a').apply(widens)",
        "r = df.groupby('a').apply(widens_copy)",
        "r = df.groupby('a')['b'].apply(shifts)",
        "r = df.apply(adds, axis=1)",
        "r = numbers.apply(adds, axis=1)",
        "r = df.apply(looks, axis=1)",
        "df['c'] = df.apply(looks, axis=1)\ndf['d'] = df['c'].map(heavy)",
    ],
)
def test_a_function_may_change_a_part_that_pandas_makes_for_it(cell: str, how: str) -> None:
    difference, ran = programs.compared(cell, SETUP, how)
    assert difference is None
    assert ran.reasons == ""
    assert ran.cell.lifted


@pytest.mark.parametrize(
    "cell",
    [
        "r = reader.map(heavy, 4, key=5)\nk = 1",
        "r = reader.apply(heavy)\nk = 1",
        "r = framed.apply(total)\nk = 1",
        "r = df['a'].map({1: 2})\nk = 1",
        "r = df['a'].agg('sum')\nk = 1",
        "name = 'sum'\nr = df['a'].agg(name)",
        "r = df.filter(items=['a'])\nk = 1",
        "function = sum\nr = df.groupby('a')['b'].agg(function)",
        "r = df['a'].agg(max)",
        "r = pd.Series.map(df['a'], heavy)",
        "r = empty['a'].map(heavy)",
    ],
)
def test_other_methods_of_these_names_are_called_as_written(cell: str) -> None:
    difference, ran = programs.compared(cell, SETUP, "threads")
    assert difference is None
    assert not ran.cell.lifted
    assert not ran.cell.refused


def test_a_call_of_another_method_that_ends_the_cell_is_taken_as_a_call() -> None:
    difference, ran = programs.compared("reader.map(heavy)", SETUP, "threads")
    assert difference is None
    assert [loop.kind for loop in ran.cell.loops] == ["call"]


@pytest.mark.parametrize("functions", ["[total, total]", "[scale.of, scale.of]"])
def test_a_function_that_comes_twice_is_one_for_pandas(functions: str) -> None:
    raised = []
    for call in (f"df['a'].apply({functions})", f"df.groupby('a')['b'].agg({functions})"):
        difference, ran = programs.compared(f"r = {call}", SETUP, "threads")
        assert difference is None
        raised.append(type(ran.left.error).__name__)
    assert "SpecificationError" in raised


def test_strict_raises_before_pandas_calls_anything() -> None:
    ran = programs.run("r = df.groupby('a')['b'].agg(notes)", SETUP, "threads", strict=True)
    assert isinstance(ran.left.error, CellRefused)
    assert ran.left.names["seen"] == []


def test_the_line_names_the_method() -> None:
    cell = "a = df['a'].map(heavy)\nb = (df['a']\n    .map(words))"
    assert [lifted.line for lifted in programs.run(cell, SETUP, "threads", line=3).cell.lifted] == [3]
    assert [lifted.name for lifted in programs.run(cell, SETUP, "threads", line=1).cell.lifted] == ["heavy"]


def test_each_call_of_the_function_is_done_once() -> None:
    found: list[Any] = []

    class Counting(compiled.Running):
        def run(self, task: Any, lifted: Any) -> None:
            inner = task.function

            def counted(item: Any) -> Any:
                found.append(item)
                return inner(item)

            task.function = counted
            super().run(task, lifted)

    namespace = plainly.fresh(SETUP)
    for cell in ("r = df['a'].map(heavy)", "r = df.apply(row, axis=1)", "r = df.groupby('a').apply(group)"):
        Cell(cell, Wishes("<cell>")).run(namespace, Counting(namespace, "threads"))
    assert len(found) == 4 + 4 + 3


def test_warnings_of_pandas_name_the_cells_line() -> None:
    cell = "\n\nr = df.groupby('a')['b'].agg(lambda v: pd.Series([sum(list(v))]))"
    difference, ran = programs.compared(cell, SETUP, "threads")
    assert difference is None
    assert ran.cell.lifted


def test_the_explanation_tells_the_call_of_the_function() -> None:
    namespace = plainly.fresh(SETUP)
    told = explanation(Cell("df['c'] = df['a'].map(heavy)", Wishes("<cell>")), namespace)
    assert told.startswith("the `map` at line 1: heavy")
    assert "return heavy(item)" in told
    assert "c" not in namespace["df"]


def test_parts_are_alike_only_in_everything() -> None:
    one = pd.Series([1.0, float("nan")], index=["a", "b"], name="n")
    assert likeness.alike(one, one.copy())
    for other in (
        one.rename("m"),
        one.astype(object),
        one.set_axis(["a", "c"]),
        one.set_axis(pd.Index(["a", "b"], name="k")),
        pd.Series([1.0, 2.0], index=["a", "b"], name="n"),
        one.to_frame(),
        one.iloc[:1],
    ):
        assert not likeness.alike(one, other)
    frame = pd.DataFrame({"a": [1, 2]})
    assert likeness.alike(asking.named(frame.copy(), 1), asking.named(frame.copy(), 1))
    assert not likeness.alike(asking.named(frame.copy(), 1), asking.named(frame.copy(), 2))
    assert not likeness.alike(1, 1.0)
    assert not likeness.alike(1, True)
    parts = [1]
    assert likeness.alike(parts, parts)
    assert not likeness.alike(plainly.fresh(SETUP)["reader"], plainly.fresh(SETUP)["reader"])


def test_owners_hold_nothing_of_the_users() -> None:
    assert owners.is_owner(pd.Series([1]))
    assert owners.is_owner(pd.DataFrame({"a": [1]}).groupby("a"))
    assert owners.is_owner(pd.Series([1]).rolling(1))
    assert not owners.is_owner(plainly.fresh(SETUP)["framed"])
    assert not owners.is_owner([1])

    class Window(pd.api.indexers.BaseIndexer):  # type: ignore[misc]
        def get_window_bounds(
            self, num_values: Any = 0, min_periods: Any = None, center: Any = None, closed: Any = None, step: Any = None
        ) -> Any:
            raise AssertionError

    assert not owners.is_owner(pd.Series([1]).rolling(Window(window_size=1)))


ON_ENGINE = [
    "r = df['a'].map(heavy)",
    "r = df.apply(row_series, axis=1)",
    "r = df.groupby('a').apply(group)",
    "r = df.groupby('a').apply(itself)",
    "r = df.groupby('a')['b'].agg([spread, lambda v: total(v)])",
    "r = df.groupby('a')[['b']].transform(centred)",
    "r = df['a'].map(tells)",
    "r = df.apply(tells_row, axis=1)",
    "r = df['a'].map(fails)",
    "r = times.rolling(2).apply(total, raw=True)",
    "r = df['a'].map(scale.of)",
]


def test_a_method_of_an_object_names_the_work() -> None:
    ran = programs.run("r = df['a'].map(scale.of)", SETUP, "threads")
    assert [lifted.name for lifted in ran.cell.lifted] == ["of"]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("cell", ON_ENGINE)
def test_real_workers_give_what_pandas_gives(cell: str, pool: engine.Pool) -> None:
    namespace = plainly.fresh(SETUP)
    left = plainly.Left(namespace)

    class Runner(compiled.Running):
        def run(self, task: Any, lifted: Any) -> None:
            options = engine.PassOptions(temporaries=task.temporaries)
            try:
                outcome = engine.run_pass(
                    task.function, task.items, pool, options, count=task.count, on_value=task.apply
                )
            except BaseException:
                task.fail(engine.last().names)
                raise
            task.finish(outcome.names)

    program = Cell(cell, Wishes("<cell>"))
    with plainly.printed_by(left):
        try:
            left.value = program.run(namespace, Runner(namespace, "engine"))
        except BaseException as error:
            left.error = error
            left.lines = plainly.lines_of(error)
    plain = plainly.run_plain(cell, SETUP)
    assert program.lifted
    assert plainly.difference(plain, left) is None
    if plain.error is not None and left.error is not None:
        assert frames_of(left.error) == frames_of(plain.error)
