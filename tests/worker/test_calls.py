from __future__ import annotations

import pickle
import threading
from typing import Any

import cloudpickle
import pytest

from concompare.worker import bootstrap
from concompare.worker.calls import ARGUMENTS, ITEM, ITEMS, Arguments, CallOf, Inherited, InitializerFailed, Setup, call


def test_an_item_is_one_argument_several_or_all_that_a_call_has() -> None:
    assert CallOf(abs, ITEM)(-1) == 1
    assert CallOf(divmod, ITEMS)((7, 2)) == (3, 1)
    assert CallOf(int, ARGUMENTS)(Arguments(("ff",), {"base": 16})) == 255
    assert CallOf(abs, ITEM).__name__ == "abs"
    assert call(lambda: 5) == 5


def test_arguments_are_shown_as_they_are_written_and_cross_without_their_function_s_name() -> None:
    given = Arguments((1, "a"), {"b": [2]}, "f")
    assert repr(given) == "f(1, 'a', b=[2])"
    assert repr(pickle.loads(pickle.dumps(given))) == "(1, 'a', b=[2])"


SOURCE = """
state, runs = None, 0
def begin(value):
    global state, runs
    state, runs = value, runs + 1
def f(n): return state, n
def g(n): return n, state, runs
"""


def arrived(space: dict[str, Any], name: str, setup: Setup) -> CallOf:
    """Return a function as a worker gets it: by value, with globals of its own."""
    found: CallOf = pickle.loads(cloudpickle.dumps(CallOf(space[name], ITEM, setup)))
    return found


def in_a_worker(work: Any) -> None:
    """Run in a thread of its own, which is what counts as a worker."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    for failure in failures:
        raise failure


def test_an_initializer_runs_once_in_a_worker_and_all_functions_see_what_it_assigned() -> None:
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(SOURCE, space)
    setup = Setup("one", space["begin"], (7,))
    first, second = arrived(space, "f", setup), arrived(space, "g", setup)

    def work() -> None:
        assert [first(1), first(2)] == [(7, 1), (7, 2)]
        assert second(3) == (3, 7, 1)

    in_a_worker(work)
    in_a_worker(lambda: arrived(space, "f", setup)(1) == (7, 1) or pytest.fail("not in the second worker"))
    assert space["runs"] == 0


def test_a_failing_initializer_says_why() -> None:
    setup = Setup("two", int, ("no number",))
    with pytest.raises(InitializerFailed, match="ValueError: invalid literal") as caught:
        in_a_worker(lambda: CallOf(abs, ITEM, setup)(1))
    assert isinstance(caught.value.__cause__, ValueError)


def test_what_came_with_the_start_takes_the_place_of_its_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bootstrap.INHERITED, "key", [1])
    found: list[Any] = []
    in_a_worker(lambda: CallOf(abs, ITEM, Setup("three", lambda *given: found.extend(given), (Inherited("key"), 2)))(1))
    assert found == [[1], 2]
