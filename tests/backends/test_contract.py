"""What every backend does, whatever its workers are."""

from __future__ import annotations

import inspect
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cloudpickle
import numpy as np
import pytest

from concompare import backends, engine
from concompare.errors import CannotShip, UnknownBackend, WorkerDied

CLUSTERS = ("dask",)
ALL = [name for name in backends.names() if name not in CLUSTERS]
POOLED = [name for name in ALL if name != "serial" and backends.find(name).unavailable() is None]
FAR = [name for name in ALL if backends.find(name).isolation == "process"]
NEAR = [name for name in ALL if backends.find(name).isolation == "thread"]
NOTEBOOK: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}


def define(source: str, name: str = "f") -> Any:
    """Define a function as a notebook cell does: in `__main__`, with no file to import it from."""
    namespace = dict(NOTEBOOK)
    exec(source, namespace)
    return namespace[name]


@pytest.fixture(params=ALL)
def backend(request: pytest.FixtureRequest, no_leaks: None, coroutines: Callable[[], None]) -> Any:
    found = backends.find(request.param)
    reason = found.unavailable()
    if reason is not None:
        pytest.skip(reason)
    if found.name == "asyncio":
        coroutines()
    if found.isolation == "interpreter" and "np." in inspect.getsource(request.function):
        pytest.skip("numpy does not support sub-interpreters")
    return found


@pytest.fixture
def pool(backend: Any) -> Iterator[engine.Pool]:
    with engine.lease(backend, 2) as opened:
        yield opened


def test_results_come_in_input_order(pool: engine.Pool) -> None:
    function = define("import time\ndef f(x):\n    time.sleep(0.002 * (x % 3 == 0))\n    return x, -x")
    assert engine.run_pass(function, range(12), pool).values == [(x, -x) for x in range(12)]


def test_a_function_from_a_cell_takes_its_globals_and_imports_along(pool: engine.Pool) -> None:
    function = define("import math\nK = 3\ndef g(x):\n    return math.floor(x) * K\nf = lambda x: g(x) + 1")
    assert engine.run_pass(function, [1.5, 2.5], pool).values == [4, 7]


def test_no_items_give_no_results(pool: engine.Pool) -> None:
    assert engine.run_pass(abs, [], pool).values == []


def test_a_generator_is_consumed_once_and_in_the_calling_thread(pool: engine.Pool) -> None:
    threads = set()

    def items() -> Iterator[int]:
        for x in range(30):
            threads.add(threading.get_ident())
            yield x

    assert engine.run_pass(define("def f(x): return x + 1"), items(), pool).values == list(range(1, 31))
    assert threads == {threading.get_ident()}


def test_the_first_failing_item_raises_itself_and_earlier_values_are_kept(pool: engine.Pool) -> None:
    function = define("def f(x):\n    if x in (5, 9):\n        raise ValueError(f'bad {x}')\n    return x")
    seen: list[Any] = []
    with pytest.raises(ValueError, match="bad 5") as caught:
        engine.run_pass(function, range(12), pool, on_value=lambda i, value: seen.append(value))
    assert seen == [0, 1, 2, 3, 4]
    assert engine.last().values == [0, 1, 2, 3, 4]
    assert caught.value.__notes__ == ["concompare: raised by item 5: 5"]


def test_with_keep_failures_stand_in_their_places(pool: engine.Pool) -> None:
    function = define("def f(x):\n    if x == 0: raise ZeroDivisionError('no')\n    return 10 // x")
    outcome = engine.run_pass(function, [5, 0, 2, 0], pool, engine.PassOptions(on_error="keep"))
    assert [outcome.values[0], outcome.values[2]] == [2, 5]
    assert [failure.index for failure in outcome.failures] == [1, 3]
    assert outcome.values[1] is outcome.failures[0]
    assert isinstance(outcome.failures[0].error, ZeroDivisionError)
    assert repr(outcome.values[3]) == "<Failure: item 3 (0): ZeroDivisionError: no>"


def test_the_traceback_ends_on_the_users_line_and_holds_no_line_of_ours(pool: engine.Pool) -> None:
    source = "def inner(x):\n    return 1 // x\n\ndef f(x):\n    return inner(x)\n"
    namespace = dict(NOTEBOOK)
    exec(compile(source, "<cell 7>", "exec"), namespace)
    with pytest.raises(ZeroDivisionError) as caught:
        engine.run_pass(namespace["f"], [0], pool)
    places = [
        (entry.path.name if hasattr(entry.path, "name") else entry.path, entry.lineno + 1) for entry in caught.traceback
    ]
    mine = [place for place in places if place[0] == "<cell 7>"]
    assert mine == [("<cell 7>", 5), ("<cell 7>", 2)]
    assert places[-2:] == mine
    assert not any("worker.py" in str(place[0]) for place in places)


def test_prints_are_whole_once_and_in_item_order(pool: engine.Pool, capsys: pytest.CaptureFixture[str]) -> None:
    source = """
import sys
def f(x):
    print("item", x, end="")
    print("!")
    if x == 2:
        print("error", file=sys.stderr)
    return x
"""
    engine.run_pass(define(source), range(20), pool)
    out, err = capsys.readouterr()
    assert out == "".join(f"item {x}!\n" for x in range(20))
    assert err == "error\n"


def test_prints_can_be_dropped_or_kept(pool: engine.Pool, capsys: pytest.CaptureFixture[str]) -> None:
    function = define("def f(x): print(x)")
    engine.run_pass(function, range(3), pool, engine.PassOptions(output="drop"))
    outcome = engine.run_pass(function, range(3), pool, engine.PassOptions(output="keep"))
    assert capsys.readouterr() == ("", "")
    assert outcome.output == ((0, "stdout", "0\n"), (1, "stdout", "1\n"), (2, "stdout", "2\n"))


def test_a_true_answer_to_a_value_ends_the_pass(pool: engine.Pool) -> None:
    seen: list[Any] = []

    def take(position: int, value: Any) -> bool:
        seen.append(value)
        return bool(value == 3)

    outcome = engine.run_pass(define("def f(x): return x"), range(1000), pool, on_value=take)
    assert seen == [0, 1, 2, 3]
    assert outcome.stopped


def test_names_assigned_come_back_with_their_last_values(pool: engine.Pool) -> None:
    source = "def f(x):\n    names = {'t': x * 2}\n    if x == 1:\n        names['once'] = x\n    return x, names"
    outcome = engine.run_pass(define(source), range(4), pool, engine.PassOptions(temporaries=("t", "once")))
    assert outcome.values == [0, 1, 2, 3]
    assert outcome.names == {"t": 6, "once": 1}


def test_names_after_a_failure_are_those_of_the_plain_loop(pool: engine.Pool) -> None:
    source = "def f(x):\n    a = x\n    b = 6 // (3 - x)\n    return b, {'a': a, 'b': b}"
    with pytest.raises(ZeroDivisionError):
        engine.run_pass(define(source), range(6), pool, engine.PassOptions(temporaries=("a", "b")))
    assert engine.last().names == {"a": 3, "b": 6}


def test_an_exception_that_cannot_be_rebuilt_arrives_by_its_parts(pool: engine.Pool) -> None:
    source = """
class Odd(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")
        self.pair = a, b
def f(x):
    raise Odd(x, 2)
"""
    with pytest.raises(Exception, match="1 and 2") as caught:
        engine.run_pass(define(source), [1], pool)
    assert type(caught.value).__name__ == "Odd"
    assert caught.value.pair == (1, 2)  # type: ignore[attr-defined]


def test_causes_and_groups_arrive(pool: engine.Pool) -> None:
    source = """
def f(x):
    try:
        1 // x
    except ZeroDivisionError as error:
        raise ExceptionGroup("several", [KeyError("k")]) from error
"""
    with pytest.raises(ExceptionGroup) as caught:
        engine.run_pass(define(source), [0], pool)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert isinstance(caught.value.exceptions[0], KeyError)


@pytest.mark.parametrize(
    "raised", ["SystemExit(3)", "RecursionError('deep')", "MemoryError('full')", "GeneratorExit()"]
)
def test_whatever_an_item_raises_is_the_items(pool: engine.Pool, raised: str) -> None:
    outcome = engine.run_pass(
        define(f"def f(x):\n    if x == 1: raise {raised}\n    return x"),
        range(3),
        pool,
        engine.PassOptions(on_error="keep"),
    )
    assert type(outcome.failures[0].error).__name__ == raised.partition("(")[0]
    assert [outcome.values[0], outcome.values[2]] == [0, 2]


def test_numpy_arrays_cross_unchanged_and_can_be_written(pool: engine.Pool) -> None:
    arrays = [np.arange(50_000, dtype=float) + x for x in range(5)]
    outcome = engine.run_pass(define("def f(a): return a * 2"), arrays, pool)
    for array, result in zip(arrays, outcome.values, strict=True):
        np.testing.assert_array_equal(result, array * 2)
        result[0] = 1.0


def test_coroutine_functions_run_in_a_loop_of_the_worker(pool: engine.Pool) -> None:
    function = define("import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x + 1")
    assert engine.run_pass(function, [1, 2, 3], pool).values == [2, 3, 4]


def test_a_pass_records_what_it_took(pool: engine.Pool) -> None:
    function = define("def f(x):\n    s = 0\n    for i in range(20_000): s += i\n    return s")
    record = engine.run_pass(function, range(10), pool).record
    assert record is not None
    assert record.items == 10
    assert sum(message.count for message in record.messages) == 10
    assert record.cpu > 0
    for message in record.messages:
        moments = (message.sent, message.received, message.start, message.end, message.returned, message.done)
        assert list(moments) == sorted(moments)
        assert 0 <= message.worker < 2
        assert len(message.seconds) == message.count
    assert max(message.done for message in record.messages) <= record.wall


# ------------------------------------------------------------------------------------------------- pools and workers


@pytest.mark.parametrize("name", [n for n in POOLED if not backends.find(n).ephemeral])
def test_n_workers_means_n(name: str, no_leaks: None) -> None:
    with engine.lease(backends.find(name), 3) as pool:
        assert pool.got == 3
        assert pool.start_up > 0


@pytest.mark.parametrize("name", [n for n in FAR if not backends.find(n).ephemeral])
def test_a_warm_pool_is_used_again_and_never_runs_old_code(name: str, no_leaks: None) -> None:
    backend = backends.find(name)
    with engine.lease(backend, 2) as pool:
        first = engine.run_pass(define("import os\nK = 1\ndef f(x): return K, os.getpid()"), range(8), pool).values
    with engine.lease(backend, 2) as again:
        assert again is pool
        assert not again.fresh_now
        second = engine.run_pass(define("import os\nK = 2\ndef f(x): return K, os.getpid()"), range(8), again).values
    assert {k for k, _ in first} == {1}
    assert {k for k, _ in second} == {2}
    assert {pid for _, pid in second} <= set(pool.pids)


@pytest.mark.parametrize("name", ["processes", "loky", "spawn"])
def test_changed_surroundings_mean_new_workers(name: str, no_leaks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = backends.find(name)
    with engine.lease(backend, 1) as pool:
        pass
    monkeypatch.setenv("CONCOMPARE_TEST", "changed")
    with engine.lease(backend, 1) as again:
        assert again is not pool
        assert engine.run_pass(
            define("import os\ndef f(x): return os.environ[x]"), ["CONCOMPARE_TEST"], again
        ).values == ["changed"]


@pytest.mark.parametrize("name", FAR)
def test_workers_have_thread_counts_set_before_numpy_loads(name: str, no_leaks: None) -> None:
    with engine.lease(backends.find(name), 64 if name == "none" else 2, native_threads=1) as pool:
        values = engine.run_pass(
            define("import os\ndef f(x): return os.environ.get(x)"), ["OMP_NUM_THREADS"], pool
        ).values
    assert values == [os.environ.get("OMP_NUM_THREADS", "1")]


@pytest.mark.parametrize("name", FAR)
def test_what_cannot_be_sent_is_named_by_its_path(name: str, no_leaks: None) -> None:
    function = define("import sqlite3\ndb = sqlite3.connect(':memory:')\ndef g(x): return db\ndef f(x): return g(x)")
    with (
        engine.lease(backends.find(name), 1) as pool,
        pytest.raises(CannotShip, match=r"f → global g → global db → sqlite3.Connection cannot be sent.*open it"),
    ):
        engine.run_pass(function, [1], pool)
    function.__globals__["db"].close()


@pytest.mark.parametrize("name", FAR)
def test_an_item_that_cannot_be_sent_is_named(name: str, no_leaks: None) -> None:
    items = [1, threading.Lock()]
    with (
        engine.lease(backends.find(name), 1) as pool,
        pytest.raises(CannotShip, match=r"item 1 → _thread.lock cannot be sent.*-b threads"),
    ):
        engine.run_pass(define("def f(x): return 1"), items, pool)


@pytest.mark.parametrize("name", FAR)
def test_a_result_that_cannot_come_back_is_that_items_error(name: str, no_leaks: None) -> None:
    function = define("def f(x): return {'k': (y for y in [x])} if x == 1 else x")
    with engine.lease(backends.find(name), 2) as pool:
        outcome = engine.run_pass(function, range(4), pool, engine.PassOptions(on_error="keep"))
    assert [failure.index for failure in outcome.failures] == [1]
    assert isinstance(outcome.failures[0].error, (CannotShip, TypeError))
    assert "result → ['k'] → generator" in str(outcome.failures[0].error)
    assert [outcome.values[0], *outcome.values[2:]] == [0, 2, 3]


@pytest.mark.parametrize("name", FAR)
def test_a_dead_worker_costs_one_item(name: str, no_leaks: None) -> None:
    source = "import os, signal\ndef f(x):\n    if x == 7: os.kill(os.getpid(), signal.SIGKILL)\n    return x"
    with engine.lease(backends.find(name), 2) as pool:
        outcome = engine.run_pass(define(source), range(20), pool, engine.PassOptions(on_error="keep"))
        assert [failure.index for failure in outcome.failures] == [7]
        error = outcome.failures[0].error
        assert isinstance(error, WorkerDied)
        # multiprocessing.Pool reaps its dead itself, in a thread that may be first to read the exit code.
        assert error.signal == "SIGKILL" or (name == "mp-pool" and error.signal is None)
        assert "item 7" in str(error)
        assert [value for value in outcome.values if value is not outcome.failures[0]] == [
            x for x in range(20) if x != 7
        ]


@pytest.mark.parametrize("name", FAR)
def test_a_dead_worker_raises_by_default_with_the_results_before_it(name: str, no_leaks: None) -> None:
    source = "import os\ndef f(x):\n    if x == 3: os._exit(9)\n    return x"
    with (
        engine.lease(backends.find(name), 2) as pool,
        pytest.raises(WorkerDied, match="exit code 9 while computing item 3"),
    ):
        engine.run_pass(define(source), range(8), pool)
    assert engine.last().values == [0, 1, 2]


@pytest.mark.parametrize("name", FAR)
def test_classes_from_the_notebook_come_back_as_themselves(name: str, no_leaks: None) -> None:
    namespace = dict(NOTEBOOK)
    exec("class P:\n    def __init__(self, x): self.x = x\ndef f(p): return P(p.x + 1)", namespace)
    with engine.lease(backends.find(name), 1) as pool:
        (value,) = engine.run_pass(namespace["f"], [namespace["P"](1)], pool).values
    assert type(value) is namespace["P"]
    assert value.x == 2


@pytest.mark.parametrize("name", ["processes", "fork", "loky"])
def test_an_argument_that_a_worker_keeps_is_never_overwritten(name: str, no_leaks: None) -> None:
    source = "kept = []\ndef f(a, kept=kept):\n    kept.append(a)\n    return [float(k[0]) for k in kept]"
    arrays = [np.full(50_000, float(x)) for x in range(30)]
    with engine.lease(backends.find(name), 1) as pool:
        values = engine.run_pass(define(source), arrays, pool).values
    assert values[-1] == [float(x) for x in range(30)]


def test_a_large_captured_value_goes_once_and_is_named(no_leaks: None) -> None:
    namespace = dict(NOTEBOOK)
    namespace["table"] = np.arange(200_000, dtype=float)
    exec("def f(x): return table[x]", namespace)
    shipment = engine.ship(namespace["f"])
    assert shipment.captured[0][0] == "table"
    assert shipment.captured[0][1] >= 1_600_000
    with engine.lease(backends.find("processes"), 2) as pool:
        outcome = engine.run_pass(namespace["f"], range(50), pool)
    assert outcome.values == [float(x) for x in range(50)]
    assert outcome.record is not None
    assert outcome.record.bytes_in < 20_000


def test_threads_share_objects_and_processes_do_not(no_leaks: None) -> None:
    namespace = dict(NOTEBOOK)
    exec("seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)", namespace)
    with engine.lease(backends.find("threads"), 1) as pool:
        engine.run_pass(namespace["f"], range(3), pool)
    assert namespace["seen"] == [0, 1, 2]
    with engine.lease(backends.find("processes"), 1) as pool:
        engine.run_pass(namespace["f"], range(3), pool)
    assert namespace["seen"] == [0, 1, 2]


# ----------------------------------------------------------------------------------------------------- by name


def test_an_executor_of_the_notebook_is_a_backend_and_stays_open(no_leaks: None) -> None:
    with ThreadPoolExecutor(2) as mine:
        with engine.lease(backends.find("mine", {"mine": mine}), 2) as pool:
            assert engine.run_pass(define("def f(x): return x * 2"), range(10), pool).values == list(range(0, 20, 2))
        assert mine.submit(abs, -1).result() == 1


class Elsewhere(Executor):
    """Stands for an executor far away: what crosses is bytes, whatever it is."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        function, arguments = cloudpickle.loads(cloudpickle.dumps((fn, args)))
        inner = ThreadPoolExecutor(1)
        future = inner.submit(lambda: cloudpickle.loads(cloudpickle.dumps(function(*arguments))))
        inner.shutdown(wait=False)
        return future


def test_any_executor_will_do(no_leaks: None) -> None:
    with engine.lease(backends.find("far", {"far": Elsewhere()}), 2) as pool:
        assert engine.run_pass(define("K = 4\ndef f(x): return x * K"), range(5), pool).values == [0, 4, 8, 12, 16]


def test_unknown_backends_say_what_there_is() -> None:
    with pytest.raises(
        UnknownBackend, match=r"there is no backend 'proceses' \(did you mean 'processes'\?\); backends: serial"
    ):
        backends.find("proceses")
    with pytest.raises(UnknownBackend, match="the notebook's x is a int, not an Executor"):
        backends.find("x", {"x": 1})


# ------------------------------------------------------------------------------ what workers notice, and random numbers


def test_a_seed_gives_every_item_its_own_stream_the_same_everywhere(pool: engine.Pool) -> None:
    source = "import random\nimport numpy as np\ndef f(x): return random.random(), float(np.random.rand()), x"
    options = engine.PassOptions(seed=5, chunk=3)
    values = engine.run_pass(define(source), range(7), pool, options).values
    with engine.lease(backends.find("serial"), 1) as serial:
        assert values == engine.run_pass(define(source), range(7), serial, engine.PassOptions(seed=5)).values
        other = engine.run_pass(define(source), range(7), serial, engine.PassOptions(seed=6)).values
    sample = engine.PassOptions(seed=5, chunk=2, places=[6, 1, 3])
    assert engine.run_pass(define(source), [6, 1, 3], pool, sample).values == [values[6], values[1], values[3]]
    assert len({a for a, _, _ in values}) == len({b for _, b, _ in values}) == 7
    assert not {a for a, _, _ in values} & {a for a, _, _ in other}


def test_a_seeded_pass_leaves_the_notebooks_own_stream_alone_on_threads(no_leaks: None) -> None:
    import random

    random.seed(1)
    expected = random.Random(1).random()
    with engine.lease(backends.find("threads"), 2) as pool:
        engine.run_pass(
            define("import random\ndef f(x): return random.random()"), range(9), pool, engine.PassOptions(seed=5)
        )
    assert random.random() == expected


def test_the_same_random_numbers_in_two_workers_are_noticed(no_leaks: None) -> None:
    source = "import numpy as np\nrng = np.random.default_rng(0)\ndef f(x): return float(rng.random())"
    with engine.lease(backends.find("processes"), 2) as pool:
        outcome = engine.run_pass(define(source), range(8), pool, engine.PassOptions(chunk=1))
        assert len(set(outcome.values)) < 8
        assert outcome.shared_random == "rng"
        alone = engine.run_pass(define("import random\ndef f(x): return random.random()"), range(8), pool)
    assert alone.shared_random is None


@pytest.mark.parametrize("name", FAR)
def test_a_captured_object_that_a_worker_changes_is_noticed(name: str, no_leaks: None) -> None:
    source = "seen = []\nfixed = [1]\ndef g(x): seen.append(x)\ndef f(x):\n    g(x)\n    return fixed[0]"
    with engine.lease(backends.find(name), 2) as pool:
        outcome = engine.run_pass(define(source), range(4), pool)
    assert outcome.hidden_state == ("seen",)


@pytest.mark.parametrize("name", ["processes", "loky", "fork"])
def test_every_pass_begins_with_what_the_notebook_captured(name: str, no_leaks: None) -> None:
    function = define("seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)")
    with engine.lease(backends.find(name), 1) as pool:
        first = engine.run_pass(function, range(5), pool).values
        assert engine.run_pass(function, range(5), pool).values == first == [1, 2, 3, 4, 5]


def test_what_failed_can_be_run_once_more(pool: engine.Pool, tmp_path: Any) -> None:
    source = "import os\ndef f(x):\n    if x % 3 == 1 and not os.path.exists(path): raise OSError(x)\n    return x"
    namespace = {**NOTEBOOK, "path": str(tmp_path / "there")}
    exec(source, namespace)
    outcome = engine.run_pass(namespace["f"], range(6), pool, engine.PassOptions(on_error="keep"))
    assert [failure.index for failure in outcome.failures] == [1, 4]
    assert engine.last().retry() == outcome.values
    assert [failure.index for failure in outcome.failures] == [1, 4]
    (tmp_path / "there").touch()
    assert engine.last().retry() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(LookupError, match="nothing to run again"):
        engine.last().retry()


def test_display_arrives_with_its_item(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    shown: list[Any] = []
    monkeypatch.setattr(builtins, "display", lambda *objects, **options: shown.extend(objects), raising=False)
    with engine.lease(backend, 2, fresh=True) as pool:
        engine.run_pass(define("def f(x): display({'item': x})"), range(5), pool)
    assert shown == [{"item": x} for x in range(5)]


def test_an_error_in_a_sample_names_the_items_place_among_all(pool: engine.Pool) -> None:
    options = engine.PassOptions(places=[40, 7, 12])
    with pytest.raises(ZeroDivisionError) as caught:
        engine.run_pass(define("def f(x): return 1 // x"), [1, 0, 2], pool, options)
    assert any("item 7" in note for note in caught.value.__notes__)
    kept = engine.run_pass(define("def f(x): return 1 // x"), [1, 0, 2], pool, replace(options, on_error="keep"))
    assert [failure.index for failure in kept.failures] == [7]


def test_what_is_run_again_draws_the_numbers_of_its_own_place(pool: engine.Pool, tmp_path: Path) -> None:
    source = f"""
import os, random
def f(x):
    if x == 2 and not os.path.exists({str(tmp_path / "there")!r}):
        raise OSError(x)
    return random.random()
"""
    outcome = engine.run_pass(define(source), range(4), pool, engine.PassOptions(on_error="keep", seed=3))
    (tmp_path / "there").touch()
    outcome.retry()
    assert outcome.values == engine.run_pass(define(source), range(4), pool, engine.PassOptions(seed=3)).values


def test_threads_leave_the_warm_processes_alone(no_leaks: None) -> None:
    processes, threads = backends.find("processes"), backends.find("threads")
    with engine.lease(processes, 2) as first:
        engine.run_pass(abs, range(4), first)
    with engine.lease(threads, 2) as between:
        engine.run_pass(abs, range(4), between)
    with engine.lease(processes, 2) as second:
        assert second is first


@pytest.mark.parametrize("name", ["processes", "spawn", "loky"])
def test_an_item_may_use_workers_of_its_own(name: str, no_leaks: None) -> None:
    source = """
def f(x):
    from concurrent.futures import ProcessPoolExecutor
    import concompare
    with ProcessPoolExecutor(1) as pool:
        theirs = pool.submit(abs, -x).result()
    return theirs, concompare.map(abs, [-x], backend="processes", workers=1)
"""
    with engine.lease(backends.find(name), 1) as pool:
        assert engine.run_pass(define(source), [3], pool).values == [(3, [3])]


def test_fork_is_refused_where_a_copy_could_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    import threadpoolctl

    fork = backends.find("fork")
    monkeypatch.setattr(
        threadpoolctl, "threadpool_info", lambda: [{"user_api": "openmp", "num_threads": 4, "prefix": "libgomp"}]
    )
    assert fork.unavailable() == (
        "libgomp (OpenMP) is loaded here and its threads do not survive a fork; use -b processes"
    )
    monkeypatch.setattr(threadpoolctl, "threadpool_info", list)
    assert fork.unavailable() is None
    torch = SimpleNamespace(cuda=SimpleNamespace(is_initialized=lambda: True))
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert fork.unavailable() == "CUDA is initialised in this process and does not survive a fork; use -b processes"
