"""What every backend does, whatever its workers are."""

from __future__ import annotations

import inspect
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cloudpickle
import numpy as np
import pytest

from concompare import backends, engine, machine
from concompare.engine.transport.functions import ship
from concompare.errors import BackendUnavailable, UnknownBackend, WorkerDied
from concompare.testing import NOTEBOOK, BackendContract, FarContract, define
from tests.backends.conftest import nothing_left

CLUSTERS = ("dask",)
ALL = [name for name in backends.names() if name not in CLUSTERS]
POOLED = [name for name in ALL if name != "serial" and backends.find(name).unavailable() is None]
FAR = [name for name in ALL if backends.find(name).isolation == "process"]
KILLS = hasattr(signal, "SIGKILL")
NEAR = [name for name in ALL if backends.find(name).isolation == "thread"]


def opened(name: str, request: pytest.FixtureRequest) -> Any:
    """Return the backend of that name where it can run the test."""
    found = backends.find(name)
    reason = found.unavailable()
    if reason is not None:
        pytest.skip(reason)
    if found.isolation == "interpreter" and "np." in inspect.getsource(request.function):
        pytest.skip("numpy does not support sub-interpreters")
    return found


class TestBackendsOfThisProcess(BackendContract):
    @pytest.fixture(params=[name for name in ALL if name not in FAR])
    def kind(self, request: pytest.FixtureRequest, no_leaks: None, coroutines: Callable[[], None]) -> Any:
        found = opened(request.param, request)
        if found.name == "asyncio":
            coroutines()
        return found


@pytest.fixture(scope="class", params=FAR)
def far(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Give the tests of one backend its workers, which stay warm from one to the next; they may end them as well."""
    found = backends.find(request.param)
    reason = found.unavailable()
    if reason is not None:
        pytest.skip(reason)
    with nothing_left():
        yield found


class TestBackendsOfProcesses(FarContract):
    @pytest.fixture
    def kind(self, far: Any, request: pytest.FixtureRequest) -> Any:
        if far.ephemeral and "plain" in request.node.callspec.params.values():
            pytest.skip("a process for every item takes as long as all other backends together: it goes one way")
        return far


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
    with (lease := engine.lease(backend, 2)) as again:
        assert again is pool
        assert not lease.fresh
        second = engine.run_pass(define("import os\nK = 2\ndef f(x): return K, os.getpid()"), range(8), again).values
    assert {k for k, _ in first} == {1}
    assert {k for k, _ in second} == {2}
    assert {pid for _, pid in second} <= set(pool.pids)


@pytest.mark.parametrize("name", ["processes", "loky", "spawn"])
@pytest.mark.parametrize("variable", ["OMP_NUM_THREADS", "PYTHONHASHSEED", "CONCOMPARE_TEST_THREADS"])
def test_a_changed_variable_that_is_read_at_the_start_means_new_workers(
    name: str, variable: str, no_leaks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = backends.find(name)
    with engine.lease(backend, 1) as pool:
        pass
    monkeypatch.setenv(variable, "7")
    with engine.lease(backend, 1) as again:
        assert again is not pool
        assert engine.run_pass(define("import os\ndef f(x): return os.environ[x]"), [variable], again).values == ["7"]


SURROUNDINGS = define("""
import os
def f(x): return {name: os.environ.get(name) for name in ('CC_KEPT', 'CC_NEW', 'CC_GONE', 'CC_OWN')}, os.getcwd()
""")
LEAVING = define("""
import os
def f(x):
    os.environ['CC_OWN'], os.environ['CC_KEPT'] = 'left', 'left'
    os.environ.pop('CC_GONE', None)
    os.chdir(os.sep)
""")


@pytest.mark.parametrize("name", [n for n in POOLED if n in FAR or backends.find(n).isolation == "interpreter"])
def test_workers_have_the_notebooks_variables_and_folder_in_every_pass(
    name: str, no_leaks: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever has changed since they started, and whatever items have changed there."""
    backend = backends.find(name)
    monkeypatch.setattr(sys, "path", [os.path.abspath(entry) for entry in sys.path])  # else the folder is searched too
    far = backend.isolation == "process"  # else the folder is that of the notebook's process
    monkeypatch.setenv("CC_KEPT", "as before")
    monkeypatch.setenv("CC_GONE", "there")
    monkeypatch.delenv("CC_NEW", raising=False)
    monkeypatch.delenv("CC_OWN", raising=False)
    with engine.lease(backend, 2) as pool:
        engine.run_pass(LEAVING if far else SURROUNDINGS, range(4), pool)
    for folder in (tmp_path / "first", tmp_path / "second"):
        folder.mkdir()
        monkeypatch.chdir(folder)
        monkeypatch.setenv("CC_NEW", folder.name)
        monkeypatch.delenv("CC_GONE", raising=False)
        with (lease := engine.lease(backend, 2)) as pool:
            assert backend.ephemeral or not lease.fresh
            seen = engine.run_pass(SURROUNDINGS, range(4), pool).values
            engine.run_pass(LEAVING if far else SURROUNDINGS, range(4), pool)
        variables = {"CC_KEPT": "as before", "CC_NEW": folder.name, "CC_GONE": None, "CC_OWN": None}
        assert seen == [(variables, str(folder))] * 4
    monkeypatch.delenv("CC_NEW")
    monkeypatch.setenv("CC_GONE", "there again")
    with engine.lease(backend, 2) as pool:
        seen = engine.run_pass(SURROUNDINGS, range(4), pool).values
    variables = {"CC_KEPT": "as before", "CC_NEW": None, "CC_GONE": "there again", "CC_OWN": None}
    assert seen == [(variables, str(tmp_path / "second"))] * 4


@pytest.mark.parametrize("name", FAR)
def test_workers_have_thread_counts_set_before_numpy_loads(name: str, no_leaks: None) -> None:
    asked = None if name == "fork" else 3  # a copy of the notebook has loaded its libraries
    with engine.lease(backends.find(name), 2, native_threads=asked) as pool:
        values = engine.run_pass(
            define("import os\ndef f(x): return os.environ.get(x)"), ["OMP_NUM_THREADS"], pool
        ).values
    shared = os.environ.get("OMP_NUM_THREADS", str(max(1, machine.usable_cpus() // 2)))
    assert values == [shared if asked is None else "3"]


@pytest.mark.parametrize("name", ["fork", "mp-threads"])
def test_a_limit_of_native_threads_that_could_not_be_kept_is_refused(name: str) -> None:
    with pytest.raises(BackendUnavailable, match=f"native threads cannot be limited to 1 in {name}: use"):
        engine.lease(backends.find(name), 2, native_threads=1)


@pytest.mark.parametrize("name", FAR)
def test_a_dead_worker_costs_one_item(name: str, no_leaks: None) -> None:
    source = "import os, psutil\ndef f(x):\n    if x == 7: psutil.Process().kill()\n    return x"
    with engine.lease(backends.find(name), 2) as pool:
        outcome = engine.run_pass(define(source), range(20), pool, engine.PassOptions(on_error="keep"))
        assert [failure.index for failure in outcome.failures] == [7]
        error = outcome.failures[0].error
        assert isinstance(error, WorkerDied)
        # multiprocessing.Pool reaps its dead itself, in a thread that may be first to read the exit code.
        assert error.signal == "SIGKILL" or (error.signal is None and (name == "mp-pool" or not KILLS))
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
    shipment = ship(namespace["f"])
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


@pytest.mark.parametrize("name", ["processes", "loky", "fork"])
def test_every_pass_begins_with_what_the_notebook_captured(name: str, no_leaks: None) -> None:
    function = define("seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)")
    with engine.lease(backends.find(name), 1) as pool:
        first = engine.run_pass(function, range(5), pool).values
        assert engine.run_pass(function, range(5), pool).values == first == [1, 2, 3, 4, 5]


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


@pytest.mark.skipif("fork" not in machine.start_methods(), reason="this system cannot start processes by fork")
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
