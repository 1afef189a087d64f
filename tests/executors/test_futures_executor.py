"""`concompare.Executor`: what is promised beyond what CPython's own tests ask of an executor."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, CancelledError, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

import concompare
from concompare import Executor, interrupts
from concompare.errors import BadOption, CannotShip, ItemTimeout, LostChanges, WorkerDied
from concompare.testing import define
from tests.backends.conftest import nothing_left

KINDS = ["threads", "processes", "fork", "spawn", "loky"]
PROCESSES = KINDS[1:]


@pytest.fixture(scope="module", params=KINDS)
def warm(request: pytest.FixtureRequest) -> Iterator[str]:
    """Name a backend whose workers stay for the next test; after the last one nothing of them is left."""
    with nothing_left():
        yield request.param


@pytest.fixture
def executor(warm: str) -> Any:
    with Executor(2, backend=warm) as opened:
        yield opened


def test_functions_of_a_notebook_are_called_with_any_arguments(executor: Executor) -> None:
    function = define("K = 10\ndef f(a, *more, b=0): return a + sum(more) + b + K")
    calls = [executor.submit(function, n, n, b=1) for n in range(20)]
    assert [call.result() for call in calls] == [2 * n + 11 for n in range(20)]
    assert list(executor.map(function, range(30), range(30))) == [2 * n + 10 for n in range(30)]


def test_a_function_is_taken_as_it_is_when_it_is_submitted(executor: Executor) -> None:
    space: dict[str, Any] = {"__name__": "__main__"}
    exec("import time\nK = 1\ndef f(x):\n    time.sleep(0.01)\n    return x + K", space)
    first = executor.submit(space["f"], 1)
    assert first.result() == 2
    space["K"] = 100
    assert executor.submit(space["f"], 1).result() == 101


@pytest.mark.parametrize("kind", PROCESSES)
def test_small_arguments_are_taken_as_they_are_when_they_are_submitted(kind: str, no_leaks: None) -> None:
    function = define("def f(row): return sum(row)")
    row: list[int] = []
    with Executor(1, backend=kind) as executor:
        calls = []
        for n in range(20):
            row.append(n)
            calls.append(executor.submit(function, row))
        assert [call.result() for call in calls] == [n * (n + 1) // 2 for n in range(20)]


def test_an_error_names_its_call_and_ends_on_the_users_line(executor: Executor) -> None:
    function = define("def f(a, b=1):\n    return a / b")
    executor.submit(function, 8).result()
    with pytest.raises(ZeroDivisionError) as caught:
        executor.submit(function, 8, b=0).result()
    assert caught.value.__notes__ == ["concompare: raised by item 1: f(8, b=0)"]
    assert [entry.name for entry in caught.traceback][-1] == "f"
    results = executor.map(function, [4, 5, 6], [2, 0, 3])
    assert next(results) == 2
    with pytest.raises(ZeroDivisionError) as caught:
        next(results)
    assert caught.value.__notes__ == ["concompare: raised by item 1: (5, 0)"]
    assert list(results) == []


def test_prints_of_a_map_come_once_and_in_the_order_of_the_items(
    executor: Executor, capsys: pytest.CaptureFixture[str]
) -> None:
    function = define("import time\ndef f(n):\n    time.sleep(0.02 * (n == 0))\n    print('item', n)\n    return n")
    assert list(executor.map(function, range(8), chunksize=1)) == list(range(8))
    assert capsys.readouterr().out == "".join(f"item {n}\n" for n in range(8))


def test_what_a_call_prints_is_there_before_its_result(executor: Executor, capsys: pytest.CaptureFixture[str]) -> None:
    executor.submit(define("def f():\n    print('one')\n    print('two')")).result()
    assert capsys.readouterr().out == "one\ntwo\n"


INITIALIZED = """
state = None
def begin(value):
    global state
    state = value
def f(n): return state, n
def g(n): return [state, n]
"""


def test_functions_see_what_the_initializer_assigned(no_leaks: None) -> None:
    for kind in KINDS:
        space: dict[str, Any] = {"__name__": "__main__"}
        exec(INITIALIZED, space)
        with Executor(2, backend=kind, initializer=space["begin"], initargs=("ready",)) as executor:
            assert list(executor.map(space["f"], range(4))) == [("ready", n) for n in range(4)]
            assert executor.submit(space["g"], 5).result() == ["ready", 5]


@pytest.mark.parametrize("kind", ["processes", "fork", "spawn"])
def test_an_initializer_is_given_locks_that_only_a_start_can_carry(kind: str, no_leaks: None) -> None:
    import multiprocessing

    space: dict[str, Any] = {"__name__": "__main__"}
    exec(INITIALIZED + "def h(n):\n    with state:\n        return n + 1", space)
    context = multiprocessing.get_context("fork" if kind == "fork" else "spawn")
    with Executor(2, backend=kind, initializer=space["begin"], initargs=(context.Lock(),)) as executor:
        assert list(executor.map(space["h"], range(4))) == [1, 2, 3, 4]


def test_a_failing_initializer_breaks_the_executor_and_says_why(no_leaks: None) -> None:
    for kind in KINDS[:2]:
        initializer = define("def f(): raise ValueError('no such host')")
        with Executor(2, backend=kind, initializer=initializer) as executor:
            with pytest.raises(BrokenExecutor, match=r"initializer of this .* failed: ValueError") as caught:
                executor.submit(abs, 1).result()
            assert isinstance(caught.value.__cause__, ValueError)
            with pytest.raises(BrokenExecutor, match="ValueError: no such host"):
                executor.submit(abs, 1)


DYING = "import os\ndef f(n):\n    if n == 3:\n        os._exit(7)\n    return n"


@pytest.mark.parametrize("kind", PROCESSES)
def test_a_lost_worker_costs_its_own_call_only(kind: str, no_leaks: None) -> None:
    function = define(DYING)
    with Executor(2, backend=kind) as executor:
        calls = [executor.submit(function, n) for n in range(8)]
        with pytest.raises(WorkerDied, match=r"ended with exit code 7 while computing item 3 \(f\(3\)\)") as caught:
            calls[3].result()
        assert isinstance(caught.value, BrokenProcessPool)
        assert "--on-error" not in str(caught.value)
        assert [call.result() for call in calls if call is not calls[3]] == [0, 1, 2, 4, 5, 6, 7]
        results = executor.map(function, range(6))
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(WorkerDied, match=r"item 3 \(3\)"):
            next(results)
        assert executor.submit(function, 9).result() == 9


def test_a_call_that_takes_too_long_ends_with_its_worker(no_leaks: None) -> None:
    with Executor(1, timeout=0.3) as executor:
        call = executor.submit(define("import time\ndef f(n):\n    time.sleep(n)\n    return n"), 600)
        with pytest.raises(ItemTimeout, match="took longer than its"):
            call.result()
        assert executor.submit(abs, -2).result() == 2


def test_a_change_that_stays_in_a_worker_is_told_once(no_leaks: None) -> None:
    function = define("seen = []\ndef f(n):\n    seen.append(n)\n    return n")
    with pytest.warns(LostChanges, match="calls change `seen` in their workers") as caught, Executor(1) as executor:
        assert [executor.submit(function, n).result() for n in range(3)] == [0, 1, 2]
    assert len(caught) == 1


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_an_interrupt_ends_what_runs_and_the_executor_goes_on(kind: str, tmp_path: Path, no_leaks: None) -> None:
    begun = tmp_path / "begun"
    function = define(
        "import pathlib, time\ndef f(n, file):\n    pathlib.Path(file).touch()\n    end = time.monotonic() + 600\n"
        "    while time.monotonic() < end:\n        time.sleep(0.001)"
    )

    def press() -> None:
        while not begun.exists():
            threading.Event().wait(0.01)
        interrupts.press()

    with Executor(1, backend=kind) as executor:
        presser = threading.Thread(target=press)
        presser.start()
        calls = [executor.submit(function, n, str(begun)) for n in range(3)]
        with pytest.raises(KeyboardInterrupt):
            calls[0].result()
        presser.join()
        for call in calls:
            with pytest.raises(CancelledError):
                call.result()
        assert executor.submit(abs, -3).result() == 3


def test_what_cannot_be_sent_is_named_by_its_argument(no_leaks: None) -> None:
    with Executor(1) as executor:
        call = executor.submit(divmod, 1, threading.Lock())
        with pytest.raises(CannotShip, match=r"divmod\(\) → argument 1 → _thread.lock cannot be sent"):
            call.result()
        call = executor.submit(define("import threading\nlock = threading.Lock()\ndef f(n): return lock"), 1)
        with pytest.raises(CannotShip, match=r"f → .* global lock"):
            call.result()
        assert list(executor.map(abs, [-1])) == [1]
        with pytest.raises(CannotShip, match=r"item 2 → _thread\.lock"):
            list(executor.map(id, [1, 2, threading.Lock()]))


def test_results_come_as_they_are_computed(executor: Executor) -> None:
    wait = define("import time\ndef f(n):\n    time.sleep(n)\n    return n")
    calls = [executor.submit(wait, 0.5), executor.submit(wait, 0)]
    assert [call.result() for call in as_completed(calls)] == [0, 0.5]


def test_with_a_buffer_items_are_taken_as_results_are_fetched(executor: Executor) -> None:
    taken: list[int] = []

    def items() -> Any:
        for n in range(50):
            taken.append(n)
            yield n

    results = executor.map(define("def f(n): return -n"), items(), buffersize=4)
    assert len(taken) == 4
    assert next(results) == 0
    assert len(taken) <= 6
    assert list(results) == [-n for n in range(1, 50)]


def test_threads_see_the_context_of_who_submits(no_leaks: None) -> None:
    from contextvars import ContextVar

    variable: ContextVar[int] = ContextVar("variable", default=0)
    with Executor(1, backend="threads") as executor:
        variable.set(7)
        assert executor.submit(variable.get).result() == 7


def test_workers_are_warm_for_the_next_executor(no_leaks: None) -> None:
    import os

    found = []
    for _ in range(2):
        with Executor(1) as executor:
            found.append(executor.submit(os.getpid).result())
    assert found[0] == found[1]
    with Executor(1, initializer=abs, initargs=(1,)) as executor:
        assert executor.submit(os.getpid).result() != found[0]


def test_nothing_starts_before_the_first_call_and_nothing_is_left(no_leaks: None) -> None:
    executor = Executor(2)
    assert executor.session.workers.pool is None
    executor.shutdown()
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        executor.submit(abs, 1)


def test_an_executor_that_nobody_holds_finishes_its_calls(no_leaks: None) -> None:
    executor = Executor(1, backend="threads")
    call = executor.submit(define("def f(n): return n + 1"), 1)
    gone = weakref.ref(executor)
    del executor
    gc.collect()
    assert gone() is None
    assert call.result() == 2


class Thing:
    def say(self) -> int:
        return 5


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_nothing_holds_what_was_called_once_it_has_ended(kind: str, no_leaks: None) -> None:
    """Nor does it wait for the garbage collector."""
    with Executor(1, backend=kind) as executor:
        thing, gone = Thing(), threading.Event()
        weakref.finalize(thing, gone.set)
        gc.disable()
        try:
            assert executor.submit(thing.say).result() == 5
            del thing
            assert gone.wait(120)
        finally:
            gc.enable()


SCRIPT = """
import concompare, sys, time
def say(n):
    time.sleep(0.2)
    print("said", n, flush=True)
executor = concompare.Executor(2, backend=sys.argv[1])
for n in range(3):
    executor.submit(say, n)
executor.shutdown(wait=False)
"""


@pytest.mark.parametrize("kind", ["threads", "processes", "spawn"])
def test_a_script_ends_when_its_calls_have(kind: str, tmp_path: Path) -> None:
    """Without a guard around its main part, too: workers never import it."""
    (tmp_path / "script.py").write_text(SCRIPT)
    words = [sys.executable, str(tmp_path / "script.py"), kind]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    assert sorted(done.stdout.splitlines()) == ["said 0", "said 1", "said 2"]
    assert done.stderr == ""


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="this system cannot fork")
def test_an_executor_is_of_no_use_in_a_forked_process(no_leaks: None) -> None:
    import os

    with Executor(1, backend="threads") as executor:
        executor.submit(abs, 1).result()
        child = os.fork()
        if not child:
            try:
                executor.submit(abs, 1)
            except BrokenExecutor as error:
                os._exit(0 if "make a new one in this process" in str(error) else 1)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_workers": 0}, "max_workers must be greater than 0, and is 0"),
        ({"max_workers": "two"}, "max_workers is 'two': use a whole number"),
        ({"backend": "auto"}, "backend is 'auto', which chooses by all the work: name one"),
        ({"backend": "thread"}, "did you mean 'threads'"),
        ({"timeout": -1}, "timeout is -1: use a number of seconds above 0"),
        ({"initializer": 3}, "initializer must be a callable, and is 3"),
    ],
)
def test_bad_options_get_one_clear_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(concompare.ConcompareError, match=message):
        Executor(**options)


def test_bad_sizes_get_one_clear_line(no_leaks: None) -> None:
    with Executor(1, backend="threads") as executor:
        with pytest.raises(BadOption, match="chunksize must be >= 1, and is 0"):
            executor.map(abs, [1], chunksize=0)
        with pytest.raises(BadOption, match=r"buffersize must be >= 1, and is 1\.5"):
            executor.map(abs, [1], buffersize=1.5)  # type: ignore[arg-type]
