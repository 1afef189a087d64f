"""What comes back from a worker is what the plain loop would have made; what cannot is named."""

from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import Any

import pytest

from concompare import backends, engine
from concompare.errors import CannotShip
from concompare.testing import NOTEBOOK

SOURCE = """
import collections, dataclasses, functools, typing

class Slots:
    __slots__ = ("value", "__hidden")
    def __init__(self, value): self.value, self.__hidden = value, -value
    def both(self): return self.value, self.__hidden

class Inner(Slots):
    __slots__ = ("more",)
    def __init__(self, value):
        super().__init__(value)
        self.more = value + 1

class Open(Slots):
    pass

class Single:
    __slots__ = "value"
    def __init__(self, value): self.value = value
    def both(self): return self.value, -self.value

@dataclasses.dataclass(slots=True)
class Data:
    value: int
    more: list = dataclasses.field(default_factory=list)
    def both(self): return self.value, -self.value

class Bare(collections.namedtuple("Bare", "value")):
    __slots__ = ()
    def both(self): return self.value, -self.value

class Named(typing.NamedTuple):
    value: int
    more: str = ""
    def both(self): return self.value, -self.value

class Generic(typing.Generic[typing.TypeVar("T")]):
    __slots__ = ("value",)
    def __init__(self, value): self.value = value
    def both(self): return self.value, -self.value

def make(kind, value): return kind(value)
def both(thing): return thing.both()

def views(n):
    kinds = [memoryview(b"abcd"), memoryview(bytearray(b"abcd")), memoryview(bytearray(8)).cast("i"),
             memoryview(bytes(8)).cast("B", [2, 4]), memoryview(b"abcd")[::2]]
    return kinds[n]

class Narrow(Exception):
    def __init__(self, a, b): super().__init__(a)
def narrow(n): return Narrow(n, n) if n == 1 else n

class Broken:
    def __reduce__(self): return int, ("no number",)
def same(thing): return thing
"""


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names of a notebook, in which classes are found again by their names."""
    main = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    vars(main).update(NOTEBOOK)
    exec(SOURCE, vars(main))
    return vars(main)


def run(function: Any, items: Any, **options: Any) -> list[Any]:
    with engine.lease(backends.find("processes"), 2) as pool:
        return engine.run_pass(function, items, pool, engine.PassOptions(**options)).values


@pytest.mark.parametrize("kind", ["Slots", "Inner", "Open", "Single", "Data", "Bare", "Named", "Generic"])
def test_objects_with_slots_cross_both_ways(kind: str, names: dict[str, Any]) -> None:
    exec(f"def made(value): return make({kind}, value), hasattr(make({kind}, 0), '__dict__')", names)
    values = run(names["made"], range(4))
    assert [type(value) for value, _ in values] == [names[kind]] * 4
    assert [opened for _, opened in values] == [kind == "Open"] * 4
    assert [value.both() for value, _ in values] == [(n, -n) for n in range(4)]
    assert run(names["both"], [names[kind](n) for n in range(4)]) == [(n, -n) for n in range(4)]


def test_views_of_memory_stay_views(names: dict[str, Any]) -> None:
    values = run(names["views"], range(5))
    for value, expected in zip(values, map(names["views"], range(5)), strict=True):
        assert type(value) is memoryview
        assert (value.format, value.shape, value.readonly) == (expected.format, expected.shape, expected.readonly)
        assert value == expected
    assert run(names["same"], [memoryview(b"xy")]) == [memoryview(b"xy")]


def test_a_result_that_cannot_be_rebuilt_is_its_items_error(names: dict[str, Any]) -> None:
    values = run(names["narrow"], range(3), on_error="keep", chunk=1)
    assert [values[0], values[2]] == [0, 2]
    assert isinstance(values[1].error, CannotShip)
    assert "the result of item 1 cannot be rebuilt from its pickle (TypeError: " in str(values[1].error)
    with pytest.raises(CannotShip, match=r"a result of items 0 to 2 cannot be rebuilt.*or use -b threads"):
        run(names["narrow"], range(3), chunk=3)


def test_an_item_that_cannot_be_rebuilt_is_named(names: dict[str, Any]) -> None:
    with pytest.raises(CannotShip, match=r"item 2 \(Broken\) cannot be loaded in a worker: ValueError: .*no number"):
        run(names["same"], [0, 1, names["Broken"](), 3])


def test_what_a_partial_holds_is_named(names: dict[str, Any]) -> None:
    names["lock"] = threading.Lock()
    exec("held = functools.partial(lambda lock, n: n, lock)\ndef use(n): return held(n)", names)
    with pytest.raises(CannotShip, match=r"global held → argument 0 → _thread.lock"):
        run(names["use"], range(3))
