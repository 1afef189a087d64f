"""`concompare.imap`: results as an iterator, in flat memory."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

import concompare
from concompare import engine
from concompare.errors import BadOption, CellRefused
from concompare.executors import result_iterator
from concompare.testing import define

KINDS = ["threads", "processes", "spawn"]


@pytest.mark.parametrize("kind", KINDS)
def test_results_come_in_the_order_of_the_items(kind: str, no_leaks: None) -> None:
    function = define("import time\nK = 5\ndef f(n):\n    time.sleep(0.003 * (n % 4 == 0))\n    return n + K")
    assert list(concompare.imap(function, iter(range(40)), backend=kind, workers=2)) == [n + 5 for n in range(40)]


@pytest.mark.parametrize("kind", KINDS)
def test_or_as_they_are_computed(kind: str, no_leaks: None) -> None:
    function = define("import time\ndef f(n):\n    time.sleep(0.5 * (n == 0))\n    return n")
    found = list(concompare.imap(function, range(8), backend=kind, workers=2, ordered=False, chunk=1))
    assert sorted(found) == list(range(8))
    assert found[0] != 0


def test_a_hundred_thousand_results_are_never_all_in_memory(no_leaks: None) -> None:
    """Items are counted as they are taken: never more are ahead than the window."""
    taken = most = total = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for n in range(100_000):
            taken += 1
            yield n

    results = concompare.imap(abs, items(), workers=2)
    for fetched, value in enumerate(results, 1):
        total += value
        most = max(most, taken - fetched)
    assert total == sum(range(100_000))
    assert most <= results.window() <= result_iterator.MOST
    assert len(results.inbox.come) == 0


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_no_more_items_are_taken_than_the_buffer_holds(kind: str, no_leaks: None) -> None:
    taken: list[int] = []
    threads = set()

    def items() -> Iterator[int]:
        for n in range(1000):
            taken.append(n)
            threads.add(threading.get_ident())
            yield n

    results = concompare.imap(abs, items(), backend=kind, workers=2, buffersize=10)
    for n in range(30):
        assert next(results) == n
        assert len(taken) <= n + 1 + 10
    results.close()
    assert threads == {threading.get_ident()}
    with pytest.raises(StopIteration):
        next(results)


def test_an_error_of_the_items_comes_after_the_results_before_it(no_leaks: None) -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise OSError("the disk is gone")

    results = concompare.imap(abs, items(), workers=2)
    assert [next(results) for _ in range(5)] == list(range(5))
    with pytest.raises(OSError, match="the disk is gone"):
        next(results)
    with pytest.raises(StopIteration):
        next(results)


def test_an_error_of_an_item_ends_it_and_names_the_item(no_leaks: None) -> None:
    results = concompare.imap(define("def f(n): return 1 / (n - 3)"), range(10), workers=2)
    assert [next(results) for _ in range(3)] == [-1 / 3, -1 / 2, -1.0]
    with pytest.raises(ZeroDivisionError) as caught:
        next(results)
    assert caught.value.__notes__ == ["concompare: raised by item 3: 3"]
    assert list(results) == []


def test_an_iterator_that_gives_the_same_object_again_is_refused(no_leaks: None) -> None:
    def items() -> Iterator[list[int]]:
        row = [0]
        for n in range(20):
            row[0] = n
            yield row

    with pytest.raises(CellRefused, match="the iterator gives the same object again"):
        list(concompare.imap(sum, items(), workers=2))


def test_who_lets_go_of_the_results_ends_the_computing(no_leaks: None) -> None:
    results: Any = concompare.imap(define("import time\ndef f(n):\n    time.sleep(0.01)\n    return n"), range(10**6))
    session, gone = results.session, weakref.ref(results)
    assert next(results) == 0
    del results
    gc.collect()
    assert gone() is None
    assert session.over.wait(120)


def test_results_are_held_by_nobody_else(no_leaks: None) -> None:
    function = define("class Thing: pass\ndef f(n): return Thing()")
    for thing in concompare.imap(function, range(10), backend="threads", workers=2):
        held = weakref.ref(thing)
        del thing
        assert held() is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"buffersize": 0}, "buffersize must be >= 1, and is 0"),
        ({"chunk": -1}, "chunk must be >= 1, and is -1"),
        ({"workers": 0}, "workers must be greater than 0"),
    ],
)
def test_bad_options_get_one_clear_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        concompare.imap(abs, [1], **options)
    with pytest.raises(BadOption, match="the function is 3"):
        concompare.imap(3, [1])  # type: ignore[arg-type]


def test_the_window_grows_with_the_messages(no_leaks: None) -> None:
    results = concompare.imap(abs, range(10), workers=2)
    assert results.window() == 2 * result_iterator.WINDOW
    assert list(results) == list(range(10))


def test_most_results_are_fetched_without_a_look_at_whether_there_is_room(
    no_leaks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    results = concompare.imap(abs, iter(range(10**9)), workers=2)
    assert next(results) == 0
    monkeypatch.setattr(results, "refill", lambda: looks.append(results.fetched))
    results.inbox.come.extendleft([7] * 160)  # they are there: nobody has to wait
    assert [next(results) for _ in range(160)] == [7] * 160
    assert len(looks) <= 160 // result_iterator.LOOK + 1
    results.inbox.come.appendleft(result_iterator.Raised(KeyError("late")))
    with pytest.raises(KeyError, match="late"):
        next(results)
    results.close()


def test_who_has_closed_everything_gets_no_new_workers(no_leaks: None) -> None:
    """The items under way are lost with the pool that is closed, and nobody waits for them any more."""
    results = concompare.imap(
        define("def f(n):\n    import time\n    time.sleep(3600)"), range(4), workers=2, backend="processes"
    )
    session = results.session
    while not session.flying:
        threading.Event().wait(0.01)
    results.close()
    engine.close_pools()
    assert session.over.wait(500)
    assert engine.pools() == ()
