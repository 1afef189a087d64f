"""Clusters: real schedulers, workers and engines, as processes of their own, talked to over TCP."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from concompare import api, backends, engine
from concompare.cells.task import task_of
from concompare.engine.pools import inherited_state
from concompare.errors import BackendNotInstalled, BackendUnavailable, Interrupted, WorkerDied
from concompare.run.once import run_once
from concompare.run.request import request_of
from concompare.testing import FarContract, define
from tests.backends.launching import end, launch
from tests.system.kernel.notebook import Notebook
from tests.system.kernel.shapes import differences

pytestmark = [
    # What these packages themselves leave to the collector, or warn of.
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.timeout(600),
]


def present(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


PACKAGES = [("dask", "distributed"), ("ipyparallel", "ipyparallel"), ("ray", "ray")]
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("extra", "package"), PACKAGES)
def test_a_cluster_is_tested_where_its_package_is(extra: str, package: str) -> None:
    if not present(package):
        with pytest.raises(BackendNotInstalled, match=f"{extra} is not installed: pip install 'concompare.{extra}.'"):
            backends.find(extra)
        pytest.skip(f"NO {extra.upper()} TESTS: pip install 'concompare[{extra}]'")
    assert backends.find(extra).unavailable() is None


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("extra", "package"), PACKAGES)
def test_in_a_kernel_errors_of_functions_of_every_shape_end_where_they_do_in_the_plain_loop(
    extra: str, package: str
) -> None:
    if not present(package):
        pytest.skip(f"NO {extra.upper()} TESTS: pip install 'concompare[{extra}]'")
    with Notebook() as notebook:
        notebook.run("%load_ext concompare")
        assert differences(notebook, extra) == {}
        notebook.run("%parallel --close")


KILLER = "import os, signal\ndef f(x):\n    if x == 7: os.kill(os.getpid(), signal.SIGKILL)\n    return x"


class Press:
    """Interrupts this process after a while, as the notebook's stop button does."""

    def __init__(self, seconds: float) -> None:
        self.timer = threading.Timer(seconds, self.press)
        self.timer.start()

    def press(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="session")
def closing() -> Iterator[None]:
    yield
    engine.close_pools()


@pytest.fixture
def local(closing: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a local cluster last from test to test: pytest changes the environment for each."""
    monkeypatch.setattr(inherited_state, "state_now", lambda: inherited_state.State("the", "same"))


def listening(family: list[psutil.Process]) -> list[str]:
    """Return where these processes listen, an address each."""
    heard = [c.laddr.ip for p in family for c in p.net_connections("inet") if c.status == "LISTEN"]
    return [address.removeprefix("::ffff:") for address in heard]


def family_of(pid: int) -> list[psutil.Process]:
    return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]


class ClusterContract(FarContract):
    """What holds besides for workers that are lost one by one."""

    def test_the_function_goes_to_each_worker_once(self, pool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        wire, sent = pool.executor.wire, []
        start = wire.start

        def watched(lane: Any, call: Any, arguments: Any, settle: Any) -> None:
            sent.append((lane.name, arguments[0].blob is not None))
            start(lane, call, arguments, settle)

        monkeypatch.setattr(wire, "start", watched)
        function = define("import time\ndef f(x):\n    time.sleep(0.002)\n    return x")
        for _ in range(2):
            engine.run_pass(function, range(20), pool, engine.PassOptions(chunk=1))
        assert len(sent) == 40
        with_function = [name for name, has in sent if has]
        assert sorted(with_function) == sorted({name for name, _ in sent})

    def test_workers_are_other_processes(self, pool: engine.Pool) -> None:
        values = engine.run_pass(define("import os\ndef f(x): return os.getpid()"), range(4), pool).values
        assert os.getpid() not in values

    def test_a_dead_worker_costs_one_item(self, pool: engine.Pool) -> None:
        outcome = engine.run_pass(define(KILLER), range(40), pool, engine.PassOptions(on_error="keep"))
        assert [failure.index for failure in outcome.failures] == [7]
        assert isinstance(outcome.failures[0].error, WorkerDied)
        assert "while computing item 7" in str(outcome.failures[0].error)
        assert [value for value in outcome.values if value is not outcome.failures[0]] == [
            x for x in range(40) if x != 7
        ]

    def test_a_worker_that_is_killed_in_mid_run_costs_nothing(self, pool: engine.Pool) -> None:
        kill = threading.Timer(0.3, os.kill, (pool.pids[0], signal.SIGKILL))
        kill.start()
        function = define("import time\ndef f(x):\n    time.sleep(0.02)\n    return x * 2")
        outcome = engine.run_pass(function, range(60), pool)
        kill.join()
        assert outcome.values == [x * 2 for x in range(60)]

    def test_an_interrupt_frees_the_cell_and_the_workers(self, kind: Any) -> None:
        with engine.lease(kind, 2) as pool:
            Press(0.5)
            with pytest.raises(Interrupted, match="interrupted after 0 items of 8"):
                engine.run_pass(define("def f(x):\n    while True: pass"), range(8), pool)
        with engine.lease(kind, 2) as pool:
            assert engine.run_pass(define("def f(x): return x"), range(4), pool).values == [0, 1, 2, 3]


# ------------------------------------------------------------------------------------------------------------- dask


@pytest.fixture(scope="session")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dask scheduler and two workers, started as on a command line."""
    folder = tmp_path_factory.mktemp("dask")
    file, log = folder / "scheduler.json", (folder / "log").open("wb")
    run = [sys.executable, "-m"]
    there = ["--scheduler-file", str(file), "--host", "127.0.0.1"]
    commands = (
        [*run, "distributed.cli.dask_scheduler", *there, "--port", "0", "--no-dashboard"],
        [*run, "distributed.cli.dask_worker", *there, "--nworkers", "2", "--nthreads", "1", "--no-dashboard",
         "--local-directory", str(folder)],
    )  # fmt: skip
    launched = [launch(command, log) for command in commands]
    import json

    limit = time.monotonic() + 500
    while not file.exists() or not file.read_text():
        assert time.monotonic() < limit, (folder / "log").read_text()
        time.sleep(0.02)
    address = json.loads(file.read_text())["address"]
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=500)
    yield address
    engine.close_pools()
    for program in reversed(launched):
        end(program)
    log.close()


@pytest.fixture
def dask(scheduler: str) -> Any:
    return backends.find("dask", address=scheduler)


class TestDask(ClusterContract):
    __test__ = present("distributed")

    @pytest.fixture
    def kind(self, dask: Any) -> Any:
        return dask

    def test_what_its_client_draws_is_not_the_item_s(self, dask: Any) -> None:
        """It chooses with `random` whom it asks for each result, in its own thread."""
        request = request_of(["processes"], 2, witnessed=True)
        busy = "    end = time.perf_counter() + 0.02\n    while time.perf_counter() < end: pass\n"
        plain = define(f"import time\ndef f(x):\n{busy}    return x")
        trial, value, said = run_once(task_of(plain, range(12)), dask, 2, request)
        assert (trial.backend, value, said) == ("dask", list(range(12)), "")
        drawing = define(f"import random, time\ndef f(x):\n{busy}    return random.random()")
        *_, said = run_once(task_of(drawing, range(12)), dask, 2, request)
        assert "draws from random" in said

    def test_more_workers_than_there_are_is_one_line(self, dask: Any) -> None:
        with pytest.raises(BackendUnavailable, match=r"the dask cluster at tcp://\S+ has 2 workers, not 5: use -w 2"):
            engine.lease(dask, 5)

    def test_all_workers_of_a_cluster_are_used_when_nothing_is_said(self, scheduler: str) -> None:
        pids = api.map(define("import os, time\ndef f(x):\n    time.sleep(0.02)\n    return os.getpid()"),
                       range(20), backend="dask", address=scheduler)  # fmt: skip
        assert len(set(pids)) == 2

    def test_a_client_of_the_notebook_is_a_backend_by_its_name(self, scheduler: str) -> None:
        from distributed import Client

        with Client(scheduler, set_as_default=False) as client:
            found = backends.find("client", {"client": client})
            with engine.lease(found, 2) as pool:
                assert engine.run_pass(define("K = 4\ndef f(x): return x * K"), range(5), pool).values == [
                    0,
                    4,
                    8,
                    12,
                    16,
                ]
                pool.close()
            assert client.submit(abs, -1).result() == 1

    def test_the_executor_of_a_client_is_one_like_any_other(self, scheduler: str) -> None:
        from distributed import Client

        with (
            Client(scheduler, set_as_default=False) as client,
            client.get_executor() as theirs,
            engine.lease(backends.find("theirs", {"theirs": theirs}), 2) as pool,
        ):
            values = engine.run_pass(define("K = 4\ndef f(x): return x * K"), range(50), pool).values
        assert values == [4 * x for x in range(50)]

    def test_a_local_cluster_is_started_once_and_listens_on_loopback_only(self) -> None:
        kind = backends.find("dask")
        with engine.lease(kind, 1, fresh=True) as pool:
            first = pool.pids
        with engine.lease(kind, 2) as pool:
            assert set(first) < set(pool.pids)
            (words,) = [words for words in backends.cluster_words() if "started here" in words]
            assert "2 workers" in words
            keeper = pool.executor.wire.keeper.process  # type: ignore[union-attr]
            family = family_of(keeper.pid)
            assert len(listening(family)) >= 3
            assert set(listening(family)) == {"127.0.0.1"}
            Press(0.5)
            with pytest.raises(Interrupted):
                engine.run_pass(define("import time\ndef f(x): time.sleep(3600)"), range(8), pool)
        with engine.lease(kind, 2) as pool:
            assert engine.run_pass(define("def f(x): return x"), range(4), pool).values == [0, 1, 2, 3]
        engine.close_pools()
        assert psutil.wait_procs(family, timeout=500)[1] == []
        assert backends.cluster_words() == ()


# ------------------------------------------------------------------------------------------------------ ipyparallel


class TestIpyparallel(ClusterContract):
    """On a local cluster, which stays for all of them: a controller takes longer to start than these tests."""

    __test__ = present("ipyparallel")

    @pytest.fixture
    def kind(self, local: None) -> Any:
        return backends.find("ipyparallel")

    def test_a_client_of_the_notebook_is_a_backend_by_its_name(self, kind: Any) -> None:
        import ipyparallel

        with engine.lease(kind, 2) as pool:
            connection = pool.executor.wire.place  # type: ignore[union-attr]
        with ipyparallel.Client(connection) as rc:
            with engine.lease(backends.find("rc", {"rc": rc}), 2) as pool:
                assert engine.run_pass(define("K = 4\ndef f(x): return x * K"), range(3), pool).values == [0, 4, 8]
            pool.close()
            values = api.map(define("def f(x): return x"), range(3), backend="ipyparallel", address=connection)
            assert values == [0, 1, 2]
            assert rc[rc.ids[0]].apply_sync(abs, -1) == 1

    def test_everything_of_a_local_cluster_listens_on_loopback_and_goes_with_it(self, kind: Any) -> None:
        with engine.lease(kind, 2) as pool:
            keeper = pool.executor.wire.keeper.process  # type: ignore[union-attr]
        family = family_of(keeper.pid)
        assert len(listening(family)) >= 3
        assert set(listening(family)) == {"127.0.0.1"}
        engine.close_pools()
        assert psutil.wait_procs(family, timeout=500)[1] == []


# -------------------------------------------------------------------------------------------------------------- ray


class TestRay(ClusterContract):
    """On a local cluster, which stays for all of them: ray takes longer to start than these tests."""

    __test__ = present("ray")

    @pytest.fixture
    def kind(self, local: None) -> Any:
        return backends.find("ray")

    def test_an_actor_that_has_gone_unnoticed_is_replaced(self, kind: Any) -> None:
        with engine.lease(kind, 2) as pool:
            assert engine.run_pass(define("def f(x): return x"), range(4), pool).values == [0, 1, 2, 3]
            wire = pool.executor.wire  # type: ignore[union-attr]
            name = next(iter(wire.actors))
            wire.ray.kill(wire.actors.pop(name))
            values = engine.run_pass(define("def f(x): return -x"), range(8), pool, engine.PassOptions(chunk=1)).values
            assert values == [0, -1, -2, -3, -4, -5, -6, -7]
            assert name not in wire.greetings

    def test_everything_of_a_local_ray_listens_on_loopback_and_goes_with_it(self, kind: Any) -> None:
        import ray

        with engine.lease(kind, 2) as pool:
            assert ray.is_initialized()
            (words,) = [words for words in backends.cluster_words() if words.startswith("ray at 127.0.0.1:")]
            assert words.endswith(": 2 workers, started here")
            sweeper = pool.executor.wire.sweeper  # type: ignore[union-attr]
            family = [p for p in family_of(os.getpid())[1:] if p.pid != sweeper.pid]
            family = [p for p in family if p.name().startswith(("raylet", "gcs_server", "ray::"))]
            assert len(listening([*family, psutil.Process()])) >= 6
            assert set(listening([*family, psutil.Process()])) == {"127.0.0.1"}
        engine.close_pools()
        assert not ray.is_initialized()
        assert backends.cluster_words() == ()
        assert psutil.wait_procs(family, timeout=500)[1] == []
        assert sweeper.returncode == 0

    def test_a_ray_that_runs_already_is_used_by_its_address(self, head: str) -> None:
        """In a process of its own: ray keeps what it knows of tokens from the cluster before."""
        program, variables = [sys.executable, "-c", VISITOR, head], {**os.environ, **WITHOUT_TOKEN}
        done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=500, env=variables)
        assert done.stdout.splitlines() == [
            f"('ray at {head}: 2 workers, not ours',) [0, 4, 8, 12, 16]",
            f"the ray cluster at {head} has 2 workers, not 3: use -w 2",
            "()",
        ], done.stderr


WITHOUT_TOKEN = {"RAY_AUTH_MODE": "disabled"}

VISITOR = """
import sys
from concompare import backends, engine, errors
K = 4
def f(x): return x * K
kind = backends.find("ray", address=sys.argv[1])
with engine.lease(kind, 2) as pool:
    values = engine.run_pass(f, range(5), pool).values
    print(backends.cluster_words(), values)
try:
    engine.lease(kind, 3)
except errors.BackendUnavailable as error:
    print(error)
engine.close_pools()
print(backends.cluster_words())
"""


@pytest.fixture
def head(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A ray head, started as on a command line; in a folder of its own, since it tells all others where it is."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--node-ip-address", "127.0.0.1"),
        *("--port", str(port), "--num-cpus", "2", "--include-dashboard", "false", "--disable-usage-stats"),
    ]
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("RAY_TMPDIR", folder)  # short: the names of its sockets must be
        log = Path(folder, "log")
        variables = {**os.environ, **WITHOUT_TOKEN, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
        program = launch(command, log.open("wb"), env=variables)
        limit = time.monotonic() + 500
        while b"Ray runtime started" not in log.read_bytes():
            assert time.monotonic() < limit, log.read_text()
            time.sleep(0.05)
        yield f"127.0.0.1:{port}"
        end(program)


# --------------------------------------------------------------------------------------------------- whoever is killed

NOTEBOOK = """
import sys, threading, time, psutil
from concompare import backends
from concompare.backends.base import Start
kinds = [backends.find(name) for name in sys.argv[1:]]
opening = [threading.Thread(target=kind.open, args=(1, Start(print, ()))) for kind in kinds[:-1]]
for thread in opening:
    thread.start()
kinds[-1].open(1, Start(print, ()))  # ray starts in the main thread
for thread in opening:
    thread.join()
print(*[child.pid for child in psutil.Process().children(recursive=True)], flush=True)
time.sleep(100)
"""


def test_a_killed_notebook_leaves_nothing_of_its_local_clusters() -> None:
    """One for all kinds: each takes seconds to start."""
    kinds = [kind for kind, package in PACKAGES if present(package)]
    if not kinds:
        pytest.skip("NO CLUSTERS: pip install 'concompare[clusters]'")
    command = [sys.executable, "-c", NOTEBOOK, *kinds]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as notebook:
        assert notebook.stdout is not None
        family = [psutil.Process(int(pid)) for pid in notebook.stdout.readline().split()]
        notebook.kill()
    assert len(family) >= 3 * len(kinds)
    assert psutil.wait_procs(family, timeout=500)[1] == []


def test_killed_tests_leave_nothing_of_what_they_launched() -> None:
    tests = """
import sys, time
from tests.backends.launching import launch
sleeping = "import time, subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(100)']); "
print(launch([sys.executable, "-c", sleeping + "print(1, flush=True); time.sleep(100)"], sys.stdout).pid, flush=True)
time.sleep(100)
"""
    with subprocess.Popen([sys.executable, "-c", tests], stdout=subprocess.PIPE, cwd=ROOT) as run:
        assert run.stdout is not None
        launcher = int(run.stdout.readline())
        assert run.stdout.readline() == b"1\n", "the program runs, and has started another"
        family = family_of(launcher)
        run.kill()
    assert len(family) == 3
    assert psutil.wait_procs(family, timeout=500)[1] == []
