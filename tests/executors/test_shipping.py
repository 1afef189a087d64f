"""Functions for single calls: pickled once, and again as soon as anything of them may have changed."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any

import cloudpickle
import pytest

import concompare
from concompare.engine.transport import functions
from concompare.executors import shipping
from concompare.executors.shipping import Shipped, lasting_parts
from concompare.worker.calls import ARGUMENTS, ITEM, CallOf

CODE = "def f(x: int, *, y=3):\n    return g(x) * K + math.floor(y)"


def names(**more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"math": math, "K": 2, "unused": [1], "__name__": "__main__"}
    exec("def g(x): return x + len('ab')", found)
    found.update(more)
    exec(CODE, found)
    return found


@pytest.fixture
def pickled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return what has been pickled."""
    found: list[Any] = []
    original = functions.ship

    def ship(function: Any, **how: Any) -> Any:
        found.append(function)
        return original(function, **how)

    monkeypatch.setattr(shipping, "ship", ship)
    return found


def test_a_function_that_cannot_change_is_pickled_once(pickled: list[Any]) -> None:
    shipped, found = Shipped(), names()
    shipments = [shipped.of(CallOf(found["f"], ARGUMENTS)) for _ in range(3)]
    assert len(pickled) == 1
    assert shipments[0] is shipments[2]
    shipped.of(CallOf(found["f"], ITEM))
    assert len(pickled) == 2


def rebind(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda found: found.__setitem__(name, value)


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "a global": rebind("K", 5),
    "a builtin": rebind("len", lambda text: 7),
    "a function behind it": lambda found: exec("def g(x): return -x", found),
    "its code": lambda found: setattr(found["f"], "__code__", (lambda x, *, y=3: x).__code__),
    "a default": lambda found: setattr(found["f"], "__kwdefaults__", {"y": 9}),
    "an attribute": lambda found: setattr(found["f"], "note", 1),
    "a module in its place": rebind("math", types.SimpleNamespace(floor=lambda y: 0)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_is_pickled_again_when_anything_of_it_changes(pickled: list[Any], change: str) -> None:
    shipped, found = Shipped(), names()
    before = shipped.of(CallOf(found["f"], ARGUMENTS))
    CHANGES[change](found)
    assert shipped.of(CallOf(found["f"], ARGUMENTS)).key != before.key
    assert len(pickled) == 2


@pytest.mark.parametrize("thing", [[1], {"a": 1}, {1}, type("Kind", (), {"__module__": "__main__"}), (1, [2])])
def test_what_can_change_in_itself_is_pickled_each_time(thing: Any) -> None:
    assert lasting_parts(names(K=thing)["f"]) is None


def test_a_function_of_an_imported_module_goes_by_its_name() -> None:
    assert lasting_parts(math.sqrt) == [math.sqrt]
    assert lasting_parts(names) == [names]  # whatever it refers to
    cloudpickle.register_pickle_by_value(__import__("sys").modules[__name__])
    try:
        assert lasting_parts(names) != [names]
    finally:
        cloudpickle.unregister_pickle_by_value(__import__("sys").modules[__name__])


def test_calls_see_globals_as_they_are_when_they_are_submitted() -> None:
    found = names()
    with concompare.Executor(2, backend="processes") as executor:
        results = []
        for number in range(6):
            found["K"] = number
            results.append(executor.submit(found["f"], 1))
        assert [result.result() for result in results] == [3 * number + 3 for number in range(6)]
        assert executor.submit(found["f"], 1, y=4.5).result() == 3 * 5 + 4
        assert executor.submit(len, "long" * 1000).result() == 4000
