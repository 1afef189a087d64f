"""Methods of pandas that call a function many times: computed in workers, and nothing differs from plain pandas."""

from __future__ import annotations

import pandas as pd
import pytest

from concompare.cells.replay.frames import handing, methods
from tests.cells import programs

SETUP = """
import functools
import numpy as np
import pandas as pd

def heavy(x):
    return sum(k * x for k in range(5))

def words(x):
    return "".join(sorted(str(x)))

def fails(x):
    if x == 3:
        raise ValueError(f"bad {x}")
    return heavy(x)

def plus(x, by=1, *more, scale=1):
    return sum([x, by, *more]) * scale

def pair(x):
    return pd.Series([heavy(x), heavy(x + 1)], index=["one", "two"])

def maybe(x):
    return heavy(x) if x > 1 else None

def total(r):
    return sum(float(v) for v in r)

def row(r, k=1):
    return sum(r["a"] * k + r["b"] for j in range(3))

def row_fails(r):
    if r["a"] == 3:
        raise KeyError("three")
    return sum([r["a"]])

def row_series(r):
    return pd.Series({"x": heavy(r["a"]), "y": str(r["s"])})

def row_list(r):
    return [heavy(r["a"]), heavy(r["b"])]

def named_row(r):
    return f"{r.name}:{''.join(r.index)}:{sorted(map(str, r))}"

def itself(r):
    return r if len(list(r)) else None

def spread(v):
    return max(list(v)) - min(list(v))

def centred(v):
    return v - sum(list(v)) / len(v)

def group(g):
    return sum(float(v) for v in g["b"]) + len(str(g.name))

def group_frame(g):
    return pd.DataFrame({"n": [len(list(g.index))], "of": [str(g.name)]})

def group_rows(g):
    return g.sort_values("b")

def group_some(g):
    return sum(list(g["b"])) if len(g) > 1 else None

def group_series(g):
    return pd.Series({"low": min(list(g["b"])), "high": max(list(g["b"]))})

def group_copy(g):
    g = g.copy()
    g["share"] = sum(list(g["b"]))
    return g

def group_fails(g):
    if g.name == 2:
        raise RuntimeError(f"group {g.name}")
    return sum(list(g["b"]))

def big(g):
    return bool(sum(list(g["b"])) > 3)

def many(v):
    return bool(len(list(v)) > 1)

class Scale:
    def __init__(self, by):
        self.by = by
    def __call__(self, x):
        return sum([x] * self.by)
    def of(self, x):
        return sum([x] * self.by) + 1

class Point:
    def __init__(self, x):
        self.x = sum([x])
    def __repr__(self):
        return f"Point({self.x})"
    def __eq__(self, other):
        return isinstance(other, Point) and other.x == self.x
    __hash__ = None

scale = Scale(3)
half = functools.partial(plus, by=2, scale=3)
df = pd.DataFrame(
    {"a": [1, 2, 1, 3], "b": [1.5, 2.5, 0.5, 4.0], "s": list("xyzx")}, index=pd.Index(list("pqrs"), name="key")
)
numbers = df[["a", "b"]]
gaps = pd.DataFrame({"a": [1.0, np.nan, 1.0, 2.0], "b": [1.0, 2.0, np.nan, 4.0]})
empty = df.iloc[:0]
one = df.iloc[:1]
wide = pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"])
times = pd.Series(range(6), index=pd.date_range("2024-01-01", periods=6, freq="12h"), name="t")
clock = pd.DataFrame({"a": range(6), "b": [1.0] * 6}, index=times.index)
masked = pd.Series([1, None, 3], dtype="Int64", name="m")
kinds = pd.Series(pd.Categorical(["b", "a", "b", None], categories=["a", "b", "c"]), name="kind")
two = pd.DataFrame({"k": list("aab"), "j": [1, 1, 2], "v": [1, 2, 3], "name": [7, 8, 9]})
df.attrs["source"] = "here"
"""

LIFTED = [
    "df.pivot_table(index='s', columns='a', values='b', aggfunc=spread)",
    "df.pivot_table('b', 's', None, spread)",
    "two.pivot_table(index='k', values='v', aggfunc=[spread, 'mean'], margins=True)",
    "two.pivot_table(index='k', aggfunc={'v': spread, 'name': 'max'})",
    "df.pivot_table(index='s', values='b', aggfunc=lambda part: sum(list(part)), fill_value=0)",
    "df['a'].map(heavy)",
    "df['s'].map(words)",
    "df['a'].map(lambda v: heavy(v) + 1)",
    f"df['a'].map({'func' if pd.__version__ >= '3' else 'arg'}=heavy)",
    "gaps['a'].map(words, na_action='ignore')",
    "gaps['a'].map(heavy)",
    "df['a'].map(maybe)",
    "df['a'].map(Point).map(repr)",
    "df['a'].map(scale)",
    "df['a'].map(scale.of)",
    "df['a'].map(half)",
    "df['a'].map(functools.partial(plus, 4))",
    "masked.map(words)",
    "masked.map(heavy, na_action='ignore')",
    "kinds.map(words)",
    "times.map(heavy)",
    "df['a'].apply(heavy)",
    "df['a'].apply(plus, args=(2,))",
    "df['a'].apply(plus, args=(2, 3), scale=4)",
    "df['a'].apply(pair)",
    "df['a'].apply([heavy, words])",
    "df['a'].apply({'h': heavy, 'w': words})",
    "one['a'].map(heavy)",
    "df.index.map(words)",
    "times.index.map(words)",
    "two.set_index(['k', 'j']).index.map(words)",
    "numbers.map(heavy)",
    "df.map(words)",
    "gaps.map(words, na_action='ignore')",
    "numbers.map(plus, by=3)",
    "df.apply(row, axis=1)",
    "df.apply(row, axis='columns', k=2)",
    "df.apply(row, 1, args=(3,))",
    "df.apply(row_series, axis=1)",
    "df.apply(row_list, axis=1)",
    "df.apply(row_list, axis=1, result_type='expand')",
    "df.apply(row_list, axis=1, result_type='reduce')",
    "numbers.apply(lambda r: [heavy(v) for v in r], axis=1, result_type='broadcast')",
    "df.apply(named_row, axis=1)",
    "df.apply(named_row)",
    "numbers.apply(named_row, axis=1)",
    "numbers.apply(total)",
    "numbers.apply(total, axis=1)",
    "numbers.apply(total, raw=True)",
    "numbers.apply(total, axis=1, raw=True)",
    "numbers.apply(itself, axis=1)",
    "numbers.apply(itself)",
    "numbers.apply(centred)",
    "wide.apply(total)",
    "wide.apply(total, axis=1)",
    "one.apply(row, axis=1)",
    "df.apply(lambda r: sum([r.a, r.b]), axis=1)",
    "numbers.agg(total)",
    "numbers.agg(total, axis=1)",
    "numbers.agg([total, 'sum'])",
    "numbers.agg(x=('a', total), y=('b', 'max'))",
    "numbers.aggregate({'a': [total, spread], 'b': [spread, total]})",
    "numbers.transform(centred)",
    "df['a'].transform(heavy)",
    "df.groupby('a').apply(group)",
    "df.groupby('a').apply(group_frame)",
    "df.groupby('a').apply(group_rows)",
    "df.groupby('a', group_keys=False).apply(group_rows)",
    "df.groupby('a', sort=False).apply(group_series)",
    "df.groupby('a', as_index=False).apply(group_series)",
    "df.groupby('a').apply(group_some)",
    "df.groupby('a').apply(itself)",
    "df.groupby('a')[['b']].apply(group)",
    "df.groupby(['a', 's']).apply(group)",
    "df.groupby(lambda key: key > 'q').apply(group)",
    "two.groupby('k').apply(lambda g: str(g.name) + words(g['v'].tolist()))",
    "gaps.groupby('a', dropna=False).apply(group)",
    "gaps.groupby('a').apply(group)",
    "one.groupby('a').apply(group)",
    "df.groupby('a')['b'].apply(spread)",
    "df.groupby('a')['b'].apply(centred)",
    "df.groupby('a')['b'].agg(spread)",
    "df.groupby('a')['b'].aggregate(spread)",
    "df.groupby('a')['b'].agg([spread, total])",
    "df.groupby('a')['b'].agg([lambda v: spread(v), lambda v: total(v)])",
    "df.groupby('a')['b'].agg(low=spread, high=total)",
    "df.groupby('a')[['b']].agg(spread)",
    "df.groupby('a').agg({'b': spread})",
    "df.groupby('a').agg({'b': [spread, total], 's': words})",
    "df.groupby('a').agg(x=('b', spread), y=('s', 'first'), z=('b', total))",
    "df.groupby('a').agg(x=pd.NamedAgg('b', spread), y=pd.NamedAgg(column='b', aggfunc=total))",
    "df.groupby('a')['b'].transform(centred)",
    "df.groupby('a')['b'].transform(spread)",
    "df.groupby('a')[['b']].transform(centred)",
    "df.groupby('a')[['b']].transform(spread)",
    "numbers.assign(c=[1, 2, 3, 4]).groupby('a').transform(centred)",
    "df.groupby('a').filter(big)",
    "df.groupby('a').filter(big, dropna=False)",
    "df.groupby('a')['b'].filter(many)",
    "kinds.to_frame().assign(v=[1, 2, 3, 4]).groupby('kind', observed=False)['v'].agg(lambda v: sum(list(v)))",
    "kinds.to_frame().assign(v=[1, 2, 3, 4]).groupby('kind', observed=True)['v'].agg(lambda v: sum(list(v)))",
    "times.rolling(2).apply(total)",
    "times.rolling(2).apply(total, raw=True)",
    "times.rolling(3, min_periods=1).apply(lambda w: sum(list(w)) / len(w), raw=False)",
    "numbers.rolling(2).apply(total)",
    "times.expanding().apply(total)",
    "times.rolling('1D').apply(total)",
    "df.groupby('a')['b'].rolling(1).apply(total)",
    "times.resample('D').apply(spread)",
    "times.resample('D').agg(spread)",
    "times.resample('D').transform(centred)",
    "clock.resample('D').apply(spread)",
    "clock.resample('D').apply(lambda g: sum(list(g['a'])))",
    "clock.resample('D').apply(lambda v: v.cumsum() if len(list(v)) else v)",
    "clock.resample('D').agg({'a': spread, 'b': total})",
    "df['a'].map(heavy).map(words)",
    "df.assign(c=df['a'].map(heavy)).groupby('a')['c'].agg(spread)",
    "pd.Series([heavy(v) for v in [1, 2]]).map(words)",
    "df.apply(row_fails, axis=1)",
    "df['a'].map(fails)",
    "df['a'].map(lambda v: fails(v))",
    "df.groupby('a').apply(group_fails)",
    "df.groupby('a')['b'].agg(lambda v: fails(len(v) + 2))",
    "df.groupby('a')['b'].transform(lambda v: [1] * 17)",
    "numbers.apply(lambda c: [heavy(v) for v in c] if c.name == 'a' else fails(3))",
    "times.rolling(2).apply(words)",
]


TRIED_AGAIN = [
    "numbers.apply([total, spread])",
    "numbers.apply({'a': total, 'b': spread})",
    "df['s'].transform(lambda v: heavy(v) if len(v) == 4 else fails(3))",
]
"""Here pandas catches what the first calls raise or finds them unfit, and goes on in another way."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[handing.Lost]:
    """Return what tells of every method whether pandas asked for what was computed."""
    made: list[handing.Lost] = []

    def lost() -> handing.Lost:
        made.append(handing.Lost())
        return made[-1]

    monkeypatch.setattr(methods, "Lost", lost)
    return made


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("call", LIFTED)
def test_a_method_gives_what_pandas_gives(call: str, how: str, asked: list[handing.Lost]) -> None:
    difference, ran = programs.compared(f"r = (\n{call}\n)\nr", SETUP, how)
    assert difference is None
    assert ran.reasons == ""
    assert ran.cell.lifted
    assert asked
    assert ran.left.error is not None or not any(lost.yes for lost in asked)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("call", TRIED_AGAIN)
def test_a_method_that_goes_on_otherwise_calls_the_function(call: str, how: str, asked: list[handing.Lost]) -> None:
    difference, ran = programs.compared(f"r = {call}", SETUP, how)
    assert difference is None
    assert ran.cell.lifted
    assert any(lost.yes for lost in asked)
