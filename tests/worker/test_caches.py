"""What installed classes keep of what they have computed is no change."""

from __future__ import annotations

import functools
import io
import pickle
from ipaddress import IPv4Network

import pytest

from concompare.worker.caches import forget_caches
from concompare.worker.changes import digest
from tests.cells.programs import compared

pd = pytest.importorskip("pandas")


class Mine:
    def __init__(self) -> None:
        self.n = 3

    @functools.cached_property
    def square(self) -> int:
        return self.n**2


Mine.__module__ = "__main__"


def test_installed_objects_forget_what_they_have_computed_and_nothing_else() -> None:
    network = IPv4Network("10.0.0.0/30")
    before = dict(vars(network))
    assert str(network.broadcast_address) == "10.0.0.3"
    assert vars(network) != before
    forget_caches([network])
    assert vars(network) == before


def test_the_user_s_own_objects_forget_nothing() -> None:
    mine = Mine()
    assert mine.square == 9
    forget_caches([mine])
    assert vars(mine) == {"n": 3, "square": 9}


def test_arrays_of_pandas_are_pickled_as_before_and_an_index_keeps_its_engine() -> None:
    series = pd.Series([1.0, 2.0, 3.0], index=pd.date_range("2024-01-01", periods=3))
    reader = pickle.Unpickler(io.BytesIO(pickle.dumps(series, 5)))
    series = reader.load()
    before = pickle.dumps(series, 5)
    assert series["2024-01-02"] == 2.0
    engine = series.index._engine
    assert pickle.dumps(series, 5) != before
    forget_caches(reader.memo.copy().values())
    assert pickle.dumps(series, 5) == before
    assert series.index._engine is engine


def test_what_installed_objects_have_computed_is_no_change_that_is_lost() -> None:
    series = pd.Series([1.0, 2.0, 3.0], index=pd.date_range("2024-01-01", periods=3))
    network, mine = IPv4Network("10.0.0.0/30"), Mine()
    things = (series, network, mine)
    before = [digest(thing) for thing in things]
    assert (series["2024-01-02"], str(network.broadcast_address)) == (2.0, "10.0.0.3")
    assert [digest(thing) for thing in things] == before
    assert mine.square == 9
    series["2024-01-02"] = 5.0
    assert [digest(thing) == was for thing, was in zip(things, before, strict=True)] == [False, True, False]


DATES = "import pandas as pd\nkept = pd.{}, index=pd.date_range('2024', periods=9))"
SERIES, FRAME = DATES.format("Series(range(9)"), DATES.format("DataFrame({'a': range(9)}")
CELLS = {
    "a series of dates": (SERIES, "kept['2024-01-03']"),
    "a frame of dates": (FRAME, "kept.loc['2024-01-03', 'a']"),
    "rolling": (SERIES, "kept.rolling(3).mean().sum()"),
    "a network": ("import ipaddress\nkept = ipaddress.IPv4Network('10.0.0.0/30')", "str(kept.broadcast_address)"),
}
CELL = """
class Holder:
    def __init__(self, kept, n):
        self.kept, self.n = kept, n
found = []
for n in range(4):
    holder = Holder(kept, n)
    holder.result = {}
    found.append(holder)
same = [holder.kept is kept for holder in found]
"""


@pytest.mark.parametrize(("setup", "used"), CELLS.values(), ids=CELLS.keys())
def test_results_hold_the_notebook_s_own_object_that_workers_have_used(setup: str, used: str) -> None:
    different, ran = compared(CELL.replace("{}", used), setup, "processes")
    assert different is None
    assert ran.cell.lifted
    assert ran.left.names["same"] == [True] * 4
