"""The engine for pandas, where the installed pandas has engines."""

from __future__ import annotations

import inspect
import os
import threading
from typing import Any

import pytest

import concompare

pd = pytest.importorskip("pandas")
pytestmark = pytest.mark.skipif("engine" not in inspect.signature(pd.Series.map).parameters, reason="no engines")

FRAME = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, 1.5, 2.5]}, index=["x", "y", "z"])


def total(row: Any, by: int = 1, *, more: int = 0) -> Any:
    return row["a"] * by + row["b"] + more


def both(row: Any) -> Any:
    return pd.Series({"sum": row["a"] + row["b"], "name": row.name})


def where(row: Any) -> tuple[int, int]:
    return (os.getpid(), threading.get_ident())


def square(x: Any) -> Any:
    return x * x


def fails(x: Any) -> Any:
    raise ValueError(f"no {x}")


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_apply_gives_what_pandas_gives(backend: str) -> None:
    engine = concompare.pandas_engine(backend=backend, workers=2)
    for options in ({}, {"args": (2,)}, {"by": 3, "more": 4}):
        expected = FRAME.apply(total, axis=1, **options)
        pd.testing.assert_series_equal(FRAME.apply(total, axis=1, engine=engine, **options), expected)
    pd.testing.assert_frame_equal(FRAME.apply(both, axis=1, engine=engine), FRAME.apply(both, axis=1))
    pd.testing.assert_series_equal(FRAME.apply(max, engine=engine), FRAME.apply(max))
    pd.testing.assert_series_equal(FRAME.apply(lambda v: v.sum(), engine=engine), FRAME.sum())


@pytest.mark.parametrize("axis", [0, 1])
def test_raw_arrays_are_handed_to_the_function(axis: int) -> None:
    engine = concompare.pandas_engine(backend="threads", workers=2)
    expected = FRAME.apply(lambda v: (type(v).__name__, v.sum())[1], axis=axis, raw=True)
    pd.testing.assert_series_equal(FRAME.apply(lambda v: v.sum(), axis=axis, raw=True, engine=engine), expected)
    doubled = FRAME.apply(lambda v: v * 2, axis=axis, raw=True, engine=engine)
    pd.testing.assert_frame_equal(doubled, FRAME.apply(lambda v: v * 2, axis=axis, raw=True))


def test_map_gives_what_pandas_gives() -> None:
    engine = concompare.pandas_engine(backend="threads", workers=2)
    pd.testing.assert_series_equal(FRAME["a"].map(square, engine=engine), FRAME["a"].map(square))
    gaps = pd.Series([1.0, None, 3.0], name="gaps")
    kept = gaps.map(str, na_action="ignore")
    pd.testing.assert_series_equal(gaps.map(lambda v: str(v), na_action="ignore", engine=engine), kept)


def test_the_calls_are_done_by_workers() -> None:
    found = FRAME.apply(where, axis=1, engine=concompare.pandas_engine(backend="processes", workers=2))
    assert os.getpid() not in {process for process, _ in found}


def test_an_error_is_the_functions() -> None:
    with pytest.raises(ValueError, match=r"^no 1"):
        FRAME["a"].map(fails, engine=concompare.pandas_engine(backend="threads"))


def test_the_engine_itself_has_the_options_of_map() -> None:
    assert concompare.pandas_engine(workers=2)(backend="threads").options == {"workers": 2, "backend": "threads"}
    pd.testing.assert_series_equal(FRAME["a"].map(square, engine=concompare.pandas_engine), FRAME["a"].map(square))
