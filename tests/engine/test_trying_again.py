"""Items that are tried again later, in the plain loop and on workers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from concompare import backends, engine
from concompare.engine import pool_pass, trying_again
from concompare.engine.growth import Growth
from concompare.engine.outcome import PassOptions


class TooMany(Exception):
    """What a service says."""


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Wait for nothing."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setattr(pool_pass, "seconds_before", lambda tries: 0.0)
    return waits


def refusing(times: int) -> tuple[Callable[[int], int], list[int]]:
    """Return a function whose even items are refused so many times, and what it was called with."""
    called: list[int] = []
    lock = threading.Lock()

    def ask(item: int) -> int:
        with lock:
            called.append(item)
            refused = item % 2 == 0 and called.count(item) <= times
        if refused:
            raise TooMany(item)
        return item * item

    return ask, called


def test_waits_double_and_are_bounded() -> None:
    waits = [trying_again.seconds_before(tries) for tries in range(1, trying_again.TRIES)]
    assert waits[:3] == [0.1, 0.2, 0.4]
    assert max(waits) == trying_again.LONGEST_WAIT


@pytest.mark.parametrize("name", ["serial", "threads"])
def test_items_that_are_refused_are_tried_again_and_nothing_else_runs_twice(name: str, soon: list[float]) -> None:
    ask, called = refusing(2)
    growth = Growth(4, 4)
    handed: list[int] = []

    def take(position: int, value: int) -> bool:
        handed.append(value)
        return False

    with engine.lease(backends.find(name), 4) as pool:
        options = PassOptions(back_off=(TooMany,), growth=growth)
        outcome = engine.run_pass(ask, range(20), pool, options, on_value=take)
    assert outcome.values == handed == [item * item for item in range(20)]
    assert sorted(called) == sorted([*range(20), *range(0, 20, 2), *range(0, 20, 2)])
    assert outcome.failures == ()
    assert outcome.record is not None
    assert outcome.record.items == 20
    assert soon == ([0.1, 0.2] * 10 if name == "serial" else [])
    if name == "threads":
        assert growth.lowered > float("-inf")


@pytest.mark.parametrize("name", ["serial", "threads"])
@pytest.mark.parametrize("on_error", ["stop", "keep"])
def test_the_tries_are_bounded_and_the_error_is_the_item_s(name: str, on_error: Any) -> None:
    ask, called = refusing(1000)
    with engine.lease(backends.find(name), 2) as pool:
        options = PassOptions(back_off=(TooMany,), on_error=on_error)
        if on_error == "stop":
            with pytest.raises(TooMany):
                engine.run_pass(ask, [1, 2, 3], pool, options)
            assert engine.last().values[:1] == [1]
        else:
            values = engine.run_pass(ask, [1, 2, 3], pool, options).values
            assert [values[0], values[2]] == [1, 9]
            assert isinstance(values[1].error, TooMany)
    assert called.count(2) == trying_again.TRIES


@pytest.mark.parametrize("name", ["serial", "threads"])
def test_other_errors_are_not_tried_again(name: str) -> None:
    called: list[int] = []

    def fail(item: int) -> int:
        called.append(item)
        raise LookupError(item)

    with engine.lease(backends.find(name), 1) as pool, pytest.raises(LookupError):
        engine.run_pass(fail, [5], pool, PassOptions(back_off=(TooMany,)))
    assert called == [5]


def test_processes_try_again_too_and_what_each_try_printed_comes_in_the_order_of_the_items(
    capsys: pytest.CaptureFixture[str],
) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(
        "tried = set()\n"
        "def ask(item):\n"
        "    print('item', item)\n"
        "    if item not in tried:\n"
        "        tried.add(item)\n"
        "        raise BlockingIOError(item)\n"
        "    return item + 1",
        namespace,
    )
    with engine.lease(backends.find("processes"), 1, fresh=True) as pool:
        values = engine.run_pass(namespace["ask"], range(3), pool, PassOptions(back_off=(BlockingIOError,))).values
    assert values == [1, 2, 3]
    assert capsys.readouterr().out == "item 0\nitem 0\nitem 1\nitem 1\nitem 2\nitem 2\n"


@pytest.mark.parametrize("name", ["serial", "threads", "processes"])
def test_each_try_draws_the_numbers_of_the_first(name: str) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(
        "import random\n"
        "tried = set()\n"
        "def draw(item):\n"
        "    number = random.random()\n"
        "    if item not in tried:\n"
        "        tried.add(item)\n"
        "        raise BlockingIOError(item)\n"
        "    return number\n"
        "def once(item):\n    return random.random()",
        namespace,
    )
    with engine.lease(backends.find(name), 1, fresh=name == "processes") as pool:
        options = PassOptions(seed=7, back_off=(BlockingIOError,))
        found = engine.run_pass(namespace["draw"], range(4), pool, options).values
        assert found == engine.run_pass(namespace["once"], range(4), pool, PassOptions(seed=7)).values


def test_what_asks_for_less_ends_with_an_interrupt_as_all_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    ask, _ = refusing(3)

    def items() -> Iterator[int]:
        yield from (1, 3, 4)

    with engine.lease(backends.find("serial"), 1) as pool, pytest.raises(KeyboardInterrupt):
        engine.run_pass(ask, items(), pool, PassOptions(back_off=(TooMany,)))
    assert engine.last().values == [1, 9]
