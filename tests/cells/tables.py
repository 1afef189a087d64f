"""Compares objects of pandas, with all that pandas' own tests look at."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pandas.testing

from tests.cells import plainly


def same(plain: Any, other: Any) -> bool:
    """Tell whether two objects of pandas are the same in everything."""
    try:
        assert_same(plain, other)
    except AssertionError:
        return False
    return True


def assert_same(plain: Any, other: Any) -> None:
    """Fail where two values differ, tables in anything."""
    assert type(plain).__name__ == type(other).__name__
    if isinstance(plain, pd.DataFrame):
        pandas.testing.assert_frame_equal(plain, other, check_exact=True, check_freq=True, check_flags=True)
        assert_same(plain.columns, other.columns)
        assert_same(plain.index, other.index)
        assert plain.attrs == other.attrs
        for place, kind in enumerate(plain.dtypes):
            if getattr(kind, "hasobject", False):
                assert_same(plain.iloc[:, place].tolist(), other.iloc[:, place].tolist())
    elif isinstance(plain, pd.Series):
        pandas.testing.assert_series_equal(plain, other, check_exact=True, check_freq=True, check_flags=True)
        assert_same(plain.index, other.index)
        assert plain.attrs == other.attrs
        if getattr(plain.dtype, "hasobject", False):
            assert_same(plain.tolist(), other.tolist())
    elif isinstance(plain, pd.Index):
        pandas.testing.assert_index_equal(plain, other, exact=True, check_exact=True)
    elif isinstance(plain, (list, tuple)):
        assert len(plain) == len(other)
        for mine, theirs in zip(plain, other, strict=True):
            assert_same(mine, theirs)
    elif type(plain).__module__.partition(".")[0] == "pandas":
        known = ("Timestamp", "Timedelta", "Period", "Interval", "Categorical")
        assert plain is other or (repr(plain) == repr(other) if type(plain).__name__ in known else True)
    else:
        assert plainly.alike(plain, other)
