"""Classes that have methods, attributes and calls from a class of their own."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
xs = [3, 1, 4, 1, 5]
class Single(type):
    made, log = {}, []
    def __call__(cls, *given):
        if cls not in Single.made:
            Single.made[cls] = super().__call__(*given)
        return Single.made[cls]
    @property
    def size(cls):
        cls.log.append(1)
        return len(cls.log)
    def __getattr__(cls, name):
        if name != "more": raise AttributeError(name)
        Single.log.append(name)
        return len(Single.log)
    def add(cls, v):
        cls.log.append(v)
        return len(cls.log)
class Settings(metaclass=Single):
    def __init__(self, x): self.x = slow(x)
class Outright(Single):
    def __call__(cls, *given):
        Single.log.append(given)
        return type.__call__(cls, *given)
class Counted(type):
    def __call__(cls, *given):
        return super().__call__(*given)
class Numbered(metaclass=Counted):
    n = 0
    def __init__(self, x):
        Numbered.n += 1
        self.v = slow(x) + Numbered.n
class Named(metaclass=Outright):
    def __init__(self, x): self.v = slow(x)
class Plain(metaclass=Counted):
    def __init__(self, x): self.v = slow(x)
"""
)
ONE_FOR_ALL = cells_of("""
### an object that is made once
r = [Settings(x).x for x in xs]
### an object that is made once, kept
for x in xs: last = Settings(x)
r = last.x, len(Single.made)
### what the class above does is followed
r = [Numbered(x).v for x in xs]
### calls that are noted
r = [(Named(x).v, len(Single.log)) for x in xs]
### a method of the class of a class
r = [(Settings.add(slow(x)), len(Single.log)) for x in xs]
### a property of it
r = [Settings.size + slow(x) for x in xs]
### an attribute of it
for x in xs:
    Settings.log.append(slow(x))
    r = len(Single.log)
### an attribute that it computes
r = [Settings.more + slow(x) for x in xs]
""")
END = "\nn = list(Single.log), Numbered.n, len(Single.made); last = None"
END += "\ndel Single, Settings, Counted, Numbered, Named, Plain, Outright"


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", ONE_FOR_ALL)
def test_what_the_class_of_a_class_does_is_done_in_order(name: str, how: str) -> None:
    for seed in range(3):
        different, _ = programs.compared(ONE_FOR_ALL[name] + END, SETUP, how, seed)
        assert different is None


@pytest.mark.parametrize("how", programs.WAYS)
def test_one_that_changes_nothing_is_called_in_workers(how: str) -> None:
    ran = programs.alike("r = [Plain(x).v for x in xs]" + END, SETUP, how)
    assert [lifted.staying for lifted in ran.cell.lifted] == [""]
