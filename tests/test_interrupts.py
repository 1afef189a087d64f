"""Interrupts and ends in the middle: noticed at once, acted on where nothing is half done, nothing lost."""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from concompare import backends, engine
from concompare.engine.outcome import PassOptions
from concompare.errors import Interrupted
from concompare.interrupts import guarded, press


def test_an_interrupt_waits_for_a_safe_moment() -> None:
    with guarded() as found:
        press()
        assert found.interrupted
        with pytest.raises(KeyboardInterrupt):
            found.check()


def test_an_interrupt_in_the_users_own_code_comes_at_once() -> None:
    with guarded() as found, found.user_code(), pytest.raises(KeyboardInterrupt):
        press()


def test_an_interrupt_after_the_last_look_at_it_is_not_lost() -> None:
    with pytest.raises(KeyboardInterrupt), guarded():
        press()
    with guarded() as outer:
        with pytest.raises(KeyboardInterrupt), guarded():
            press()
        assert not outer.interrupted


class Last:
    def __del__(self) -> None:
        press()


def lose_the_last() -> None:
    last: Any = Last()
    del last
    threading.Event().wait(600)


def test_an_interrupt_that_python_swallows_comes_again() -> None:
    with pytest.raises(KeyboardInterrupt), guarded() as found, found.user_code():
        lose_the_last()


def test_so_does_one_that_comes_back_while_it_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    start, left = _thread.start_new_thread, [True, True]

    def at_once(function: Callable[[], None], arguments: tuple[()]) -> None:
        if left and left.pop():
            press()
        else:
            start(function, arguments)

    monkeypatch.setattr(_thread, "start_new_thread", at_once)
    with pytest.raises(KeyboardInterrupt), guarded() as found, found.user_code():
        lose_the_last()
    assert left == []


def test_the_handler_before_is_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with guarded():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


class Button:
    """Presses Ctrl-C as soon as some item says that it runs."""

    def __init__(self) -> None:
        self.running = threading.Event()
        threading.Thread(target=self.wait, daemon=True).start()

    def wait(self) -> None:
        self.running.wait(600)
        press()


def test_an_interrupt_keeps_what_has_finished_and_ends_python_threads() -> None:
    button, both, ended = Button(), threading.Barrier(2), []

    def work(x: int) -> int:
        if x < 2:
            return x
        try:
            both.wait(10)
            button.running.set()
            while True:
                pass
        finally:
            ended.append(x)

    with (
        engine.lease(backends.find("threads"), 2) as pool,
        pytest.raises(Interrupted, match="interrupted after 2 items of 9"),
    ):
        engine.run_pass(work, range(9), pool, PassOptions(chunk=1))
    assert engine.last().values == [0, 1]
    assert set(ended) <= {2, 3}
    assert len(ended) == 2


def test_a_thread_that_python_cannot_stop_is_named() -> None:
    button, release = Button(), threading.Event()

    def waits_for_ever(x: int) -> None:
        button.running.set()
        release.wait()

    try:
        with (
            engine.lease(backends.find("threads"), 1) as pool,
            pytest.raises(Interrupted, match=r"cannot stop a thread inside .*wait\(\) \(line \d+\)"),
        ):
            engine.run_pass(waits_for_ever, range(3), pool)
    finally:
        release.set()


def test_an_interrupt_of_worker_processes_leaves_none_and_the_next_pass_works() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("import os\ndef spin(path):\n    open(path, 'w').close()\n    while True: pass\ndef f(x): return x", namespace)
    backend = backends.find("processes")
    with engine.lease(backend, 2) as pool:
        assert pool.folder is not None
        sign = pool.folder / "spinning"

        def watch() -> None:
            while not sign.exists():
                threading.Event().wait(0.005)
            press()

        threading.Thread(target=watch, daemon=True).start()
        pids = pool.pids
        with pytest.raises(Interrupted):
            engine.run_pass(namespace["spin"], [str(sign)] * 4, pool)
    assert pool.broken
    assert not any(map(psutil.pid_exists, pids))
    with engine.lease(backend, 2) as again:
        assert engine.run_pass(namespace["f"], range(4), again).values == [0, 1, 2, 3]
    engine.close_pools()
