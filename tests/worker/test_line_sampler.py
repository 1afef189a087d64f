"""Which of the user's lines the items are at, and at which of them threads wait for the GIL."""

from __future__ import annotations

import dis
import json
import os
import sys
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from concompare.worker import line_sampler
from concompare.worker.chunk import Request, run
from concompare.worker.compute import Computed, compute
from concompare.worker.line_sampler import NOWHERE, Counts, Place, Sampler, States, can_look, is_installed, sampling
from concompare.worker.transfer.pickling import Parcel, pack

HERE = __file__


class Told(States):
    """What threads wait for, as a test says."""

    def __init__(self, **waiting: bool) -> None:
        super().__init__()
        self.waiting = waiting

    def now(self) -> dict[Any, bool]:
        return dict(self.waiting)


def line_with(text: str) -> int:
    """Return the number of the line of this file that ends with a mark."""
    with open(HERE, encoding="utf-8") as file:
        return next(number for number, line in enumerate(file, 1) if line.rstrip().endswith(f"# {text}"))


@contextmanager
def computing(function: Callable[[threading.Event], object]) -> Iterator[int]:
    """Let a thread compute an item until the end, which is at a line of its own before that."""
    there, leave = threading.Event(), threading.Event()

    def item(_: int) -> object:
        return function(there) or leave.wait()  # held

    thread = threading.Thread(target=compute, args=(item, [0], Computed()))
    thread.start()
    assert there.wait(60)
    try:
        yield thread.ident or 0
    finally:
        leave.set()
        thread.join()


def test_the_time_of_a_library_counts_for_the_line_that_calls_it() -> None:
    sampler = Sampler(states=Told())
    with computing(threading.Event.set):
        while not sampler.lines:  # it may still be on its way from one line to the next
            sampler.look(0.25)
    ((place, counts),) = sampler.lines.items()
    assert place == Place(HERE, line_with("held"), "item")
    assert counts == Counts(1, 0.25)


def test_threads_that_compute_no_items_are_not_looked_at() -> None:
    sampler = Sampler(states=Told())
    sampler.look(1.0)
    assert sampler.lines == {}


def frame_at(code: types.CodeType, at: int, caller: Any = None) -> Any:
    """Return a frame of an item at an instruction, beneath `compute`."""
    beneath = SimpleNamespace(f_code=compute.__code__, f_back=None, f_lasti=0, f_lineno=1)
    return SimpleNamespace(f_code=code, f_lasti=at, f_lineno=code.co_firstlineno, f_back=caller or beneath)


def looping(n: int) -> int:
    total = 0
    for i in range(n):
        total += abs(i)
    return total


CODE = looping.__code__
BACK = max(i.offset for i in dis.get_instructions(looping) if i.opname.startswith("JUMP_BACKWARD"))
CALL = next(i.offset for i in dis.get_instructions(looping) if i.opname == "CALL")
LOOP = Place(HERE, CODE.co_firstlineno, "looping")


def seen(states: Any, *at: int) -> Counts:
    """Return what one look at threads at these instructions of one line counts."""
    sampler = Sampler(lambda: {f"t{n}": frame_at(CODE, a) for n, a in enumerate(at)}, states)  # type: ignore[misc]
    sampler.look(1.0)
    return sampler.lines[LOOP]


def test_what_linux_tells_says_who_waits_and_the_instruction_whether_it_is_the_gil() -> None:
    assert seen(Told(t0=True, t1=False), BACK, BACK) == Counts(2, 2.0, 1.0, 1.0)
    assert seen(Told(t0=True, t1=False), CALL, BACK) == Counts(2, 2.0, 1.0, 0.0)
    assert seen(Told(t0=False), CALL) == Counts(1, 1.0, 0.0, 0.0)


def test_where_it_is_not_told_all_but_one_of_those_between_instructions_wait() -> None:
    assert seen(Told(), BACK, BACK, BACK) == Counts(3, 3.0, 2.0, 2.0)
    assert seen(Told(), BACK, CALL) == Counts(2, 2.0, 0.0, 0.0)
    assert seen(Told(), BACK) == Counts(1, 1.0, 0.0, 0.0)


def test_items_in_no_line_of_the_user_s_are_counted_too() -> None:
    sampler = Sampler(lambda: {1: frame_at(json.dumps.__code__, 0)}, Told())
    sampler.look(1.0)
    assert sampler.lines == {NOWHERE: Counts(1, 1.0)}


@pytest.mark.parametrize(
    ("file", "own"),
    [
        (HERE, True),
        ("/tmp/ipykernel_77/123.py", True),
        ("<ipython-input-3-abcdef>", True),
        ("<string>", False),
        ("<frozen importlib._bootstrap>", False),
        (json.__file__, False),
        (line_sampler.__file__, False),
        ("/somewhere/lib/python3.11/site-packages/thing/part.py".replace("/", os.sep), False),
    ],
)
def test_the_user_s_own_files_are_told_from_the_others(file: str, own: bool) -> None:
    assert Sampler(states=Told()).is_own(file) is own
    assert is_installed(file) is not (own or file.startswith("<"))


def until_looked(item: int) -> int:
    """Compute in plain Python until the sampler has looked."""
    from concompare.worker.line_sampler import Sampler

    looks: list[float] = []
    usual = Sampler.look

    def look(self: Sampler, seconds: float) -> None:
        usual(self, seconds)
        looks.append(seconds)

    Sampler.look = look  # type: ignore[method-assign]
    try:
        while not looks:
            pass
    finally:
        Sampler.look = usual  # type: ignore[method-assign]
    return item


def test_a_thread_looks_while_items_compute_and_no_longer() -> None:
    with sampling(alone=True) as lines:
        compute(until_looked, [1, 2], Computed())
    assert sum(counts.samples for place, counts in lines.items() if place.function == "until_looked") >= 2
    assert all(counts.seconds > 0 for counts in lines.values())
    assert [thread for thread in threading.enumerate() if thread.name == "concompare-lines"] == []


def test_the_gil_is_handed_over_soon_only_meanwhile_and_the_user_s_own_interval_stays() -> None:
    usual = sys.getswitchinterval()
    try:
        with sampling(alone=True):
            assert sys.getswitchinterval() < usual
        assert sys.getswitchinterval() == usual
        with sampling(alone=False):
            assert sys.getswitchinterval() == usual
        with sampling(alone=True):
            sys.setswitchinterval(0.25)
        assert sys.getswitchinterval() == 0.25
    finally:
        sys.setswitchinterval(usual)


def test_a_worker_sends_what_was_seen_where_that_is_asked_for() -> None:
    asked = Request("lines", pack(until_looked), 0, Parcel(pack([7])), True, lines=True)
    answer = run(asked)
    assert {place.function for place, _ in answer.lines} == {"until_looked"}
    again = run(asked._replace(blob=pack(abs), key="abs", lines=False))
    assert again.lines == ()


def test_frames_are_left_alone_without_a_gil_and_beside_other_interpreters(monkeypatch: pytest.MonkeyPatch) -> None:
    others = SimpleNamespace(list_all=lambda: [0, 1])
    monkeypatch.setitem(sys.modules, "_interpreters", others)
    assert not can_look()
    with sampling(alone=True) as lines:
        assert [thread for thread in threading.enumerate() if thread.name == "concompare-lines"] == []
    assert lines == {}
    monkeypatch.setitem(sys.modules, "_interpreters", SimpleNamespace(list_all=lambda: [0]))
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    assert not can_look()
