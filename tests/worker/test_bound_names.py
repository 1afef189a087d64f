"""Names whose values only the thread can use that made them."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from concompare.worker.bound_names import BOUND, is_bound_here, note_bound


class Holder:
    def __init__(self, held: Any) -> None:
        self.held = held

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


def held_lock() -> Any:
    lock = threading.RLock()
    lock.acquire()
    return lock


@pytest.mark.parametrize(
    ("made", "bound"),
    [
        (lambda: sqlite3.connect(":memory:"), True),
        (threading.local, True),
        (held_lock, True),
        (threading.RLock, False),
        (threading.Lock, False),
        (lambda: Holder([threading.local()]), True),
        (lambda: {"a": (threading.local(),)}, True),
        (lambda: Holder(Holder(3)), False),
        (lambda: sqlite3, False),
        (lambda: [1, "a", None], False),
    ],
)
def test_what_is_bound(made: Any, bound: bool) -> None:
    thing = made()
    assert is_bound_here(thing) is bound
    if isinstance(thing, sqlite3.Connection):
        thing.close()


def test_a_worker_says_which_names_are_and_the_notebook_does_not() -> None:
    names = {"own": threading.local(), "n": 3}
    with ThreadPoolExecutor(1) as threads:
        threads.submit(note_bound, names).result()
    assert names.pop(BOUND) == ("own",)
    note_bound(names)
    assert BOUND not in names
